"""The table of what can be refused or go wrong: withdrawals and corrections of numbered backups."""

from schemas.platform_errors import HELP, Error
from schemas.texts import Text

AMENDMENT_ERRORS = (
    Error(
        "number_withdrawn", 409, False,
        Text("备份已撤回", "The backup has been withdrawn"),
        Text("已撤回的备份保留编号、仍可查看，不能再更改、证明或使用。",
             "It keeps its number and can be seen; it is neither changed nor certified nor used any more."),
    ),
    Error(
        "version_superseded", 409, False,
        Text("这是备份的旧版本", "This is a former version of the backup"),
        Text("该备份已更正，旧版本只供查看。现行版本见 corrects_id 所指的备份。",
             "The backup has been corrected; the former version is there to be looked at. The one that "
             "stands is the backup that its corrects_id names."),
    ),
    Error(
        "correction_open", 409, False,
        Text("该备份已有一份更正草稿", "A correction of the backup is open already"),
        Text("请继续填写该草稿，或先撤回它。", "Go on with that draft, or withdraw it first."),
    ),
    Error(
        "nothing_to_correct", 409, False,
        Text("该备份在此没有内容可更正", "The backup has no contents here to correct"),
        Text("原系统的备份只有编号和标题。如需更正，请联系备份服务。" + HELP.zh,
             "Of a backup of the old platform there are number and title only. To correct it, ask the backup "
             "service. " + HELP.en),
    ),
)  # fmt: skip
