"""Checks every regular expression of the rule files: portable, anchored, and proven by examples."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from rules.engine.faults import Fault, Text
from rules.engine.forms import NO_CONTROL
from rules.engine.source import Path_, Source

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
    yield from _examples(source, holder, path)


def _examples(source: Source, holder: dict[str, Any], path: Path_) -> Iterator[Fault]:
    try:
        accepts = jsonschema_rs.Draft202012Validator(
            {"pattern": holder["pattern"], "not": NO_CONTROL}, pattern_options=jsonschema_rs.RegexOptions()
        ).is_valid
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
