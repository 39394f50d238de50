"""Stuck work (滞留事项): its causes, what an operator may do about it, and the words of both.

Pure: which actions are offered follows from the cause alone, and what was done by whom is kept elsewhere.
"""

import re
import unicodedata
from typing import Literal, NamedTuple, get_args

from schemas.texts import Text

CaseKind = Literal[
    "backup",
    "claim",
    "unit_claim",
    "handover",
    "attribution",
    "prior_report",
    "comparison",
    "amendment",
    "system",
]
"""What a workflow is about; ``system`` is work of the platform's own, such as a schedule's."""
Cause = Literal[
    "task_failures",
    "activity_retrying",
    "timer_past_due",
    "wait_past_due",
    "repository_silent",
    "blocked",
    "delivery_failed",
    "unanswered",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)
Action = Literal[
    "retry",
    "skip",
    "return_to_applicant",
    "hand_to_support",
    "take_back",
    "reset",
    "pause",
    "resume",
]
ACTIONS: tuple[Action, ...] = get_args(Action)
BlockAction = Literal["retry", "skip", "return_to_applicant"]
"""What resolves a block."""

NOTED_FROM = 5
"""The attempt of an activity from which on it is stuck work: with our retry policies some three seconds."""
LONGEST_REASON = 200  # characters
_MOST_DIGITS = 6
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s\-.·()（）]+(?=\d)")


class CauseWords(NamedTuple):
    """A cause in words.

    Attributes:
        title: What is the matter.
        meaning: Why, and who waits.
        advice: What to do.
    """

    title: Text
    meaning: Text
    advice: Text


WORDS: dict[Cause, CauseWords] = {
    "task_failures": CauseWords(
        Text("流程程序出错", "the workflow's code fails"),
        Text("运行的程序无法推进这项办理，通常是新版本有误，或轮换密钥后 worker 没有重启；内容没有丢失。",
             "The running code cannot take this case further, mostly since a faulty version was deployed, "
             "or a key was rotated and the workers were not restarted; nothing is lost."),
        Text("请换回能运行的版本，或让 worker 带着现在的密钥文件重启，办理会自行继续；切勿逐个重置。",
             "Put the version back that works, or restart the workers with the present key file; the "
             "cases go on by themselves. Do not reset them one by one."),
    ),
    "activity_retrying": CauseWords(
        Text("某个步骤反复失败", "a step fails again and again"),
        Text("平台会一直重试；每次都失败，说明所依赖的服务（数据库、资源库、短信）或数据有问题。",
             "The platform goes on trying; that it keeps failing points to a service it needs (database, "
             "repository, text messages) or to the data."),
        Text("先恢复所依赖的服务，再选“立即重试”，或等它自行重试。",
             "Mend the service first; then retry now, or let it retry by itself."),
    ),
    "timer_past_due": CauseWords(
        Text("到期未处理", "past its time"),
        Text("期限已过，流程还没有处理：可能没有 worker 在运行，或流程卡住。",
             "A deadline has passed and the workflow has not acted: there may be no worker, or it hangs."),
        Text("用 hgrip doctor 检查 worker；有 worker 而仍不处理时，转技术支持或重置到某一点。",
             "Check the workers with hgrip doctor; if they run, hand it to support or reset it to a point."),
    ),
    "wait_past_due": CauseWords(
        Text("等待过久", "waits too long"),
        Text("递交的数据长时间没有到达数据资源库。",
             "Data on its way has not arrived at the repository for a long time."),
        Text("立即复查；确知已送达时可跳过等待；否则退回申请人。",
             "Look it up now; skip the wait where you know it has arrived; else return it to the applicant."),
    ),
    "repository_silent": CauseWords(
        Text("资源库没有应答", "a repository does not answer"),
        Text("平台查询递交情况时，数据资源库没有应答；草稿照常等待，次日自动再查。",
             "The repository did not answer when a deposit was looked up; the draft goes on waiting, and is "
             "looked up again the next day."),
        Text("检查到资源库的网络；恢复后选“立即重试”。",
             "Check the way to the repository; once it is back, retry now."),
    ),
    "blocked": CauseWords(
        Text("受阻，等待处理", "blocked, waits for a person"),
        Text("某个步骤因业务原因被拒绝，流程停下来等待人工处理，不会自行失败。",
             "A step was refused for a business reason; the workflow waits for a person and does not fail."),
        Text("按原因代码处理后重试；不需要此步骤时跳过；需要申请人更正时退回。",
             "Mend what the code names and retry; skip the step where it is not needed; return the "
             "case where the applicant has to correct it."),
    ),
    "delivery_failed": CauseWords(
        Text("短信未送达", "a text message did not arrive"),
        Text("短信运营商拒收、无法连接或没有答复；收信人尚未取得验证码。",
             "The carrier refused it, could not be reached or did not answer; the code has not arrived."),
        Text("检查短信设置与余额；恢复后申请人可再次索取验证码。切勿向来电者透露有无短信。",
             "Check the carrier's settings and balance; then the applicant can ask for another code. Never "
             "tell a caller whether there was a message."),
    ),
    "unanswered": CauseWords(
        Text("请求迟迟没有答复", "a request without an answer"),
        Text("申请人的请求已被受理，超过 20 秒仍在处理。",
             "A person's request was accepted and is still being worked on after 20 seconds."),
        Text("查看正在进行的步骤；若它反复失败，按该步骤的原因处理。",
             "Look at the step in progress; where it keeps failing, go by that cause."),
    ),
}  # fmt: skip

_OFFERED: dict[Cause, tuple[Action, ...]] = {
    "task_failures": ("pause", "reset", "hand_to_support"),
    "activity_retrying": ("retry", "pause", "hand_to_support"),
    "timer_past_due": ("pause", "reset", "hand_to_support"),
    "wait_past_due": ("retry", "skip", "return_to_applicant", "hand_to_support"),
    "repository_silent": ("retry", "skip", "hand_to_support"),
    "blocked": ("retry", "skip", "return_to_applicant", "hand_to_support"),
    "delivery_failed": ("retry", "hand_to_support"),
    "unanswered": ("pause", "hand_to_support"),
}
DANGEROUS: frozenset[Action] = frozenset({"skip", "return_to_applicant", "reset"})
"""Cannot be undone, so they are confirmed."""
UNDO: dict[Action, Action] = {"pause": "resume", "resume": "pause", "hand_to_support": "take_back"}
"""What undoes an action."""
ACTION_WORDS: dict[Action, Text] = {
    "retry": Text("立即重试", "retry now"),
    "skip": Text("跳过此步骤或等待", "skip this step or wait"),
    "return_to_applicant": Text("退回申请人", "return to the applicant"),
    "hand_to_support": Text("转技术支持", "hand to support"),
    "take_back": Text("从技术支持收回", "take back from support"),
    "reset": Text("重置到某一点", "reset to a point"),
    "pause": Text("暂停", "pause"),
    "resume": Text("恢复", "resume"),
}


def offered(cause: Cause, *, local: bool = False, with_support: bool = False) -> tuple[Action, ...]:
    """The actions that fit a cause.

    Args:
        cause: Why it is stuck.
        local: The step is a local activity, which the worker alone can try again.
        with_support: It has been handed to support.
    """
    actions = tuple(action for action in _OFFERED[cause] if not (local and action == "retry"))
    if with_support:
        return tuple("take_back" if action == "hand_to_support" else action for action in actions)
    return actions


def may_be_personal(text: str) -> bool:
    """Whether a text holds seven digits in a row, as phone and identity numbers do, however they are cut."""
    plain = _BETWEEN_DIGITS.sub("", unicodedata.normalize("NFKC", text))
    return re.search(rf"\d{{{_MOST_DIGITS + 1}}}", plain) is not None


def plain_type(name: str) -> str:
    """The name of a failure, where it is a name: nothing else may be shown."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,79}", name) else "unknown"
