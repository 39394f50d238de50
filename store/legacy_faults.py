"""What is said of a row that was not imported: what is wrong and how to mend it, never the value."""

from collections.abc import Mapping, Sequence

from manifests.reader import Fault, fault_sentence
from schemas.errors import ERRORS
from schemas.texts import Text

SENTENCES: Mapping[str, Text] = {
    "legacy.unit_missing": Text(
        "没有单位。请补上单位名称或统一社会信用代码。",
        "The unit is missing. Add its name or social credit code.",
    ),
    "legacy.number_missing": Text(
        "状态为已编号，却没有备份编号。请补上编号，或把状态改为草稿。",
        "The status says numbered, and there is no backup number. Add it, or change the status to draft.",
    ),
    "legacy.number_unreadable": Text(
        "备份编号中有空格，或超过 64 个字符。请只填编号。",
        "The backup number has blanks or more than 64 characters. Give the number alone.",
    ),
    "legacy.number_conflict": Text(
        "该备份编号已有内容不同的记录（注册人、日期或名称不同）。请核对以哪一条为准；已有的记录没有改动。",
        "This backup number is there with other content (registrant, date or title). Check which is right; "
        "what is there was not changed.",
    ),
    "legacy.draft_with_number": Text(
        "状态为草稿，却有备份编号。请核对状态。",
        "The status says draft, and there is a backup number. Check the status.",
    ),
    "legacy.date_unreadable": Text(
        "没有日期，或不是日期。请写成 2019-05-28。",
        "The date is missing, or no date. Write it as 2019-05-28.",
    ),
    "legacy.status_unknown": Text(
        "不认识的状态。请填“已编号”或“草稿”，或留空。", "Unknown status. Write numbered or draft, or nothing."
    ),
    "legacy.title_too_long": Text(
        "名称超过 {0} 个字符。请缩短。", "The title has more than {0} characters. Shorten it."
    ),
}


def sentence(code: str, facts: Sequence[int]) -> Text:
    """The sentence of a fault of a legacy file, of whichever kind."""
    if code in SENTENCES:
        words = SENTENCES[code]
        return Text(words.zh.format(*facts), words.en.format(*facts))
    if code in ERRORS:
        error, limit = ERRORS[code], {"limit": facts[0] if facts else ""}
        return Text(
            f"{error.title.zh}。{error.mend.zh.format(**limit)}",
            f"{error.title.en}. {error.mend.en.format(**limit)}",
        )
    fault = Fault(code, None, None, tuple(facts))
    return Text(fault_sentence(fault, "zh"), fault_sentence(fault, "en"))
