"""Checks every regular expression of the rule files: portable, anchored, and proven by examples."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from rules.engine.faults import Fault
from rules.engine.forms import NO_CONTROL, has_open_alternation, pieces
from rules.engine.source import Path_, Source
from schemas.texts import Text

_CLASS = re.compile(r"(?<!\\)(?:\\\\)*\\([dDwWsSbBpP])")
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def check_patterns(source: Source) -> Iterator[Fault]:
    """Faults of every pattern in a file, wherever it stands."""
    yield from _walk(source, source.data, ())


def _walk(source: Source, value: Any, path: Path_) -> Iterator[Fault]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _walk(source, item, (*path, i))
    elif isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield from _pattern(source, value, path)
        for key, item in value.items():
            yield from _walk(source, item, (*path, key))


def _pattern(source: Source, holder: dict[str, Any], path: Path_) -> Iterator[Fault]:
    pattern = holder["pattern"]
    here = (*path, "pattern")
    shorthand = _CLASS.search(pattern)
    if shorthand:
        yield source.fault(
            here,
            Text(f"格式里用了 \\{shorthand[1]}。", f"The pattern uses \\{shorthand[1]}."),
            Text(
                "它在不同校验器里含义不同：有的会放过全角数字。",
                "Validators read it differently: some let full-width digits pass.",
            ),
            Text("数字写 [0-9]，字母写 [A-Za-z]。", "Write digits as [0-9] and letters as [A-Za-z]."),
        )
    if not (pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")):
        yield source.fault(
            here,
            Text("格式没有从 ^ 到 $ 写全。", "The pattern does not run from ^ to $."),
            Text("不写全就会放过前后多余的字符。", "Otherwise characters before and after pass."),
            Text("请以 ^ 开头、以 $ 结尾。", "Begin it with ^ and end it with $."),
        )
    if has_open_alternation(pattern):
        yield source.fault(
            here,
            Text("格式里的“|”没有放在括号里。", "A “|” of the pattern stands outside brackets."),
            Text(
                "这时 ^ 只管第一支、$ 只管最后一支，会放过前后多余的字符。",
                "Then ^ holds for the first branch and $ for the last only, and more characters pass.",
            ),
            Text("请写成 ^(甲|乙)$。", "Write ^(one|other)$."),
        )
    if explodes(pattern):
        yield source.fault(
            here,
            Text(
                "格式里重复了本身含有重复或“|”的括号。",
                "The pattern repeats brackets that hold a repetition or a “|” themselves.",
            ),
            Text(
                "导出后在别的校验器里，一个值就可能让它卡死。",
                "In other validators, once exported, one value can make it hang.",
            ),
            Text("请写明最多重复几次，或去掉里层的重复。", "Say how often at most, or drop the inner one."),
        )
    yield from _examples(source, holder, path)


def acceptor(pattern: str) -> Callable[[str], bool]:
    """Whether a text is right by a pattern, as the judge asks: control characters never are.

    Raises:
        ValueError: It is no regular expression, or needs backtracking.
    """
    return jsonschema_rs.Draft202012Validator(
        {"pattern": pattern, "not": NO_CONTROL}, pattern_options=jsonschema_rs.RegexOptions()
    ).is_valid


def explodes(pattern: str) -> bool:
    """Whether a group that can match the same text in several ways is repeated without end."""
    groups: list[list[str]] = [[]]
    found = pieces(pattern)
    for piece, then in zip(found, [*found[1:], ""], strict=True):
        if piece == "(":
            groups.append([])
        elif piece == ")" and len(groups) > 1:
            group = groups.pop()
            if then in ("*", "+") and not _separated(group):
                return True
            groups[-1] += ["(", *group, ")"]
        else:
            groups[-1].append(piece)
    return False


def _separated(group: list[str]) -> bool:
    """Whether a group repeats nothing, or its repetitions are parted by a character nothing in it matches."""
    if not {"|", "*", "+", "?", "{"} & {*group}:
        return True
    classes = [piece for piece in group if piece.startswith("[") or piece == "."]
    ends = [group[-1]] if {*group[1:2]} & {"*", "+", "?", "{"} else [group[0], group[-1]]
    return "|" not in group and any(
        end not in classes
        and end not in "()*+?}"
        and group.count(end) == 1
        and not any(re.fullmatch(class_, end.removeprefix("\\")) for class_ in classes)
        for end in ends
    )


def _examples(source: Source, holder: dict[str, Any], path: Path_) -> Iterator[Fault]:
    try:
        accepts = acceptor(holder["pattern"])
    except (ValueError, jsonschema_rs.ValidationError):
        yield source.fault(
            (*path, "pattern"),
            Text(
                "格式不是合法的正则表达式，或用了回溯才能判断的写法。",
                "The pattern is no regular expression, or needs backtracking.",
            ),
            Text(
                "前瞻、后顾和反向引用可能让校验卡死。",
                "Look-around and back-references can make judging hang.",
            ),
            Text(
                "请用普通的字符、字符组和重复次数来写。",
                "Use plain characters, character groups and repetitions.",
            ),
        )
        return
    counter_key = "counter_examples" if "counter_examples" in holder else "x-counter-examples"
    for key in ("examples", counter_key):
        if key not in holder:
            yield source.fault(
                (*path, "pattern"),
                Text(f"“pattern”旁边缺少 {key}。", f"Beside “pattern”, {key} is missing."),
                Text(
                    "没有正例和反例，看不出格式写得对不对。",
                    "Without examples and counter-examples nobody sees whether it is right.",
                ),
                Text(f"请补上 {key}。", f"Add {key}."),
            )
    for i, example in enumerate(holder.get("examples", [])):
        if not accepts(example):
            yield _wrong(
                source,
                (*path, "examples", i),
                Text("格式不接受这个正例。", "The pattern refuses this example."),
            )
        for twin in {f"{example}\n", f" {example}", example.translate(_FULL_WIDTH)} - {example}:
            if accepts(twin):
                yield _wrong(
                    source,
                    (*path, "examples", i),
                    Text(
                        "在这个正例后加换行、前加空格或改成全角数字，格式仍然接受。",
                        "The pattern still accepts this example with a newline after it, a blank before it, "
                        "or full-width digits.",
                    ),
                )
    for i, example in enumerate(holder.get(counter_key, [])):
        if accepts(example):
            yield _wrong(
                source,
                (*path, counter_key, i),
                Text("格式接受了这个反例。", "The pattern accepts this counter-example."),
            )


def _wrong(source: Source, path: Path_, what: Text) -> Fault:
    return source.fault(
        path,
        what,
        Text("正例和反例是对格式的检验。", "Examples and counter-examples are the test of a pattern."),
        Text("请改正格式，或改正例子。", "Correct the pattern or the example."),
    )
