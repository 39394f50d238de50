"""The table of what can be refused or go wrong: operators and stuck work."""

from schemas.platform_errors import Error
from schemas.texts import Text

STUCK_ERRORS = (
    Error(
        "case_paused", 423, True,
        Text("该办理已由运维人员暂停", "An operator has paused this case"),
        Text("已保存的内容不受影响。请稍后以同一 Idempotency-Key 重试；恢复办理后即可继续。",
             "What you saved is still there. Repeat it later with the same Idempotency-Key; it goes on once "
             "the case is resumed."),
    ),
    Error(
        "case_not_running", 409, False,
        Text("该办理已结束或尚未开始", "This case is over, or has not begun"),
        Text("没有正在运行的流程可供处理。请重新查看它现在的状态。",
             "There is no running workflow to act on. Look again how it stands now."),
    ),
    Error(
        "case_acted_on", 412, False,
        Text("已有其他运维人员处理过", "Another operator has acted on this case"),
        Text("在您查看之后又有处理（现为第 {revision} 次）。请重新查看该办理，再以新的 ETag 作为 If-Match。",
             "Since you looked, something was done (revision {revision}). Look again, and send the new ETag "
             "as If-Match."),
    ),
    Error(
        "confirmation_missing", 422, False,
        Text("此操作不可撤销，须确认", "This cannot be undone and has to be confirmed"),
        Text("请核对后以 confirmed: true 重新提交。", "Check it, then send it again with confirmed: true."),
    ),
    Error(
        "reason_not_allowed", 422, False,
        Text("理由中含有疑似个人信息的数字", "The text holds digits that may be personal"),
        Text("理由和工单号会永久留存：请勿写入手机号、证件号等七位以上数字，也不要写姓名。",
             "Reasons and references are kept for ever: no phone or identity number (seven digits or more), "
             "and no name."),
    ),
    Error(
        "wrong_reset_point", 422, False,
        Text("不能重置到该事件", "The case cannot be reset to this event"),
        Text("只能重置到流程任务完成、失败或超时的事件。",
             "Only the end of a workflow task will do: completed, failed or timed out."),
    ),
    Error(
        "nothing_to_do", 409, False,
        Text("现在没有可以这样处理的内容", "There is nothing to be done in this way now"),
        Text("情况可能已经变化，请重新查看该办理。", "It may have changed: look at the case again."),
    ),
)  # fmt: skip
