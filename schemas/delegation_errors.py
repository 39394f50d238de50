"""The table of what can be refused or go wrong: handovers of backups."""

from schemas.platform_errors import Error
from schemas.texts import Text

DELEGATION_ERRORS = (
    Error(
        "same_delegate", 422, False,
        Text("新委托人就是原委托人", "The new delegate is the old one"),
        Text("请另选一位本单位人员。", "Choose another of your unit's people."),
    ),
    Error(
        "nothing_to_hand_over", 409, False,
        Text("没有可以移交的备份", "There is nothing to hand over"),
        Text("所选人员名下没有本单位的备份，或已全部移交他人。请刷新后重新选择。",
             "The chosen person holds no backups for your unit, or they have all gone on to others. Look "
             "again and choose anew."),
    ),
    Error(
        "backups_changed", 409, False,
        Text("备份与预览时不同，未作任何移交",
             "The backups are no longer those that were shown; nothing was handed over"),
        Text("预览之后有备份新建、认领或移交。current 是现在的情况；核对后请用其中的 digest 重新提交，"
             "并使用新的 Idempotency-Key。",
             "Since the preview, backups were created, claimed or handed over. `current` is how it stands "
             "now: check it, and send its digest under a new Idempotency-Key."),
    ),
    Error(
        "handover_in_progress", 409, False,
        Text("此人的备份正在移交", "This person's backups are being handed over already"),
        Text("同一人的备份一次只能办理一项移交。请等它完成或先将它谢绝，再以新的 Idempotency-Key 提交。",
             "One handover at a time for one person. Wait until it is done, or decline it; then try again "
             "under a new Idempotency-Key."),
    ),
    Error(
        "handover_closed", 409, False,
        Text("该移交已结束、已有人处理或已过期限", "This handover is over, decided, or too old to be undone"),
        Text("请查看它现在的状态；如仍需移交，请重新发起委托调整。",
             "Look how it stands now; to hand backups over, start anew."),
    ),
)  # fmt: skip
