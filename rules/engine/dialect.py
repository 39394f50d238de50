"""Checks one rule file against the published schema of its kind: closed, every mistake with its place."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

import schemas
from rules.engine.faults import Fault
from rules.engine.source import Source
from schemas.texts import Text

SCHEMAS = Path(schemas.__file__).parent / "rulebook"

_PROCEDURE_CASES = {
    "claiming.cases": "matching-cases",
    "delegation.cases": "delegation-cases",
    "prior-report.cases": "prior-report-cases",
}
_MISLEADING = frozenset({"oneOf", "anyOf", "allOf", "if", "then", "else", "dependentSchemas"})
_LANGUAGES = {"zh": Text("中文", "Chinese"), "en": Text("英文", "English")}
_CLOSED = Text(
    "规则语言是封闭的：不认识的词一律当作拼写错误。",
    "The dialect is closed: an unknown word counts as a misspelling.",
)

_FORMATS = {
    "date": Text("应为真实的日期，如 2023-07-01", "it must be a real date such as 2023-07-01"),
    "uri": Text("应为网址", "it must be a web address"),
}
_UNPROVEN = Text(
    "没有正例和反例，看不出格式写得对不对。",
    "Without examples and counter-examples nobody sees whether it is right.",
)
_UNTYPED = Text(
    "不写类型，其他类型的值会被当作满足条件。",
    "Without a type, values of another type count as satisfying it.",
)


def kind_of(file: str) -> str | None:
    """The kind of a rule file by its place: the name of its schema, or None where no rule file belongs."""
    folder, _, name = file.removesuffix(".yaml").rpartition("/")
    if name.endswith(".cases"):
        return _PROCEDURE_CASES.get(name) if folder == "procedures" else "cases"
    if folder == "":
        return name if name in ("rulebook", "data-types", "messages") else None
    if folder == "procedures":
        return name if (SCHEMAS / f"{name}.schema.json").is_file() else None
    if file == "categories/out-of-scope.yaml":
        return "out-of-scope"
    kinds = {
        "categories": "category",
        "repositories": "repository",
        "forms": "form",
        "requirements": "requirements",
    }
    return kinds.get(folder)


def check_shape(source: Source, kind: str) -> list[Fault]:
    """Every place where a file departs from the schema of its kind."""
    errors = sorted(
        _validator(kind).iter_errors(source.data), key=lambda error: list(map(str, error.absolute_path))
    )
    return [fault for error in errors for fault in _faults(source, error)]


@cache
def _validator(kind: str) -> Draft202012Validator:
    documents = {path.name: json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.schema.json")}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(document)) for name, document in documents.items()
    )
    return Draft202012Validator(
        documents[f"{kind}.schema.json"],
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def nearest(word: str, words: Mapping[str, Any] | list[str]) -> Text:
    """Advice naming the nearest right word, or all of them where none is near."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    if close:
        return Text(f"是不是想写“{close[0]}”？", f"Did you mean “{close[0]}”?")
    return Text(f"可用的有：{'、'.join(words)}。", f"Possible are: {', '.join(words)}.")


def _faults(source: Source, error: ValidationError) -> Iterator[Fault]:
    path = tuple(error.absolute_path)
    handle = {
        "additionalProperties": _unknown,
        "required": _missing,
        "dependentRequired": _missing_beside,
        "propertyNames": _bad_name,
        "enum": _not_listed,
    }.get(str(error.validator))
    if handle:
        yield from handle(source, error, path)
        return
    if error.parent is not None and error.parent.validator == "propertyNames":
        return
    field = _called(source, path)
    yield source.fault(
        path,
        Text(
            f"“{field}”的值不合要求：{_expected(error).zh}。",
            f"The value of “{field}” is not right: {_expected(error).en}.",
        ),
        _description(error),
        Text("请改正这个值。", "Correct the value."),
    )


def _called(source: Source, path: tuple[str | int, ...]) -> str:
    """What a place is called in a sentence: its key, or the list it is in and its number there."""
    if not path:
        return source.file
    return f"{path[-2]}[{path[-1] + 1}]" if isinstance(path[-1], int) and len(path) > 1 else str(path[-1])


def _unknown(source: Source, error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    record: Any = error.instance
    schema: Any = error.schema
    known = schema.get("properties", {})
    for key in record:
        if key in known:
            continue
        if key in _MISLEADING:
            yield source.fault(
                (*path, key),
                Text(f"这里不能用“{key}”。", f"“{key}” cannot be used here."),
                Text(
                    "它的报错说不清是哪一支不满足，会误导填报人。",
                    "Its errors do not say which branch was meant, and mislead people.",
                ),
                Text(
                    "请每种情况写一条规则，用 when 和 require。",
                    "Write one rule per case, with when and require.",
                ),
            )
        else:
            yield source.fault(
                (*path, key),
                Text(f"不认识“{key}”。", f"“{key}” is unknown."),
                _CLOSED,
                nearest(str(key), known),
            )


def _missing(source: Source, error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    record: Any = error.instance
    schema: Any = error.schema
    known = schema.get("properties", {})
    strangers = [key for key in record if key not in known]
    required: Any = error.validator_value
    for key in required:
        if key in record or f"'{key}'" not in error.message:
            continue
        if difflib.get_close_matches(key, strangers, n=1):
            continue  # told as a misspelling
        language = _LANGUAGES.get(key)
        name = _called(source, path)
        if language:
            yield source.fault(
                path,
                Text(f"“{name}”缺少{language.zh}（{key}）。", f"“{name}” has no {language.en} ({key})."),
                Text("每句话都要有中文和英文。", "Every sentence is in Chinese and English."),
                Text(f"请补上 {key}。", f"Add {key}."),
            )
        elif key.endswith("basis"):
            yield source.fault(
                path,
                Text(f"缺少依据（{key}）。", f"The basis ({key}) is missing."),
                Text(
                    "每条规则都要说明依据哪个文件的哪一条。",
                    "Every rule names the text and article it rests on.",
                ),
                Text(
                    '请补上，例如 [{ instrument: notice, article: "4" }]。',
                    'Add it, e.g. [{ instrument: notice, article: "4" }].',
                ),
            )
        else:
            yield source.fault(
                path,
                Text(f"“{name}”缺少“{key}”。", f"“{name}” lacks “{key}”."),
                Text("这一项必须写明。", "It must be stated."),
                Text(f"请补上“{key}”。", f"Add “{key}”."),
            )


def _missing_beside(source: Source, error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    record: Any = error.instance
    together: Any = error.validator_value
    for trigger, needed in together.items():
        absent = [key for key in needed if key not in record]
        if trigger in record and absent:
            names = ", ".join(absent)
            why = _UNPROVEN if trigger == "pattern" and absent != ["type"] else _UNTYPED
            yield source.fault(
                (*path, trigger),
                Text(f"“{trigger}”旁边缺少 {names}。", f"Beside “{trigger}”, {names} is missing."),
                why,
                Text(f"请补上 {names}。", f"Add {names}."),
            )


def _bad_name(source: Source, error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    yield source.fault(
        (*path, str(error.instance)),
        Text(f"名字“{error.instance}”不合要求。", f"The name “{error.instance}” is not right."),
        Text(
            "名字只用小写字母、数字、连字符（字段用下划线），以字母开头。",
            "Names use lower-case letters, digits and hyphens (fields: underscores) and begin with a letter.",
        ),
        Text("请改名。", "Rename it."),
    )


def _not_listed(source: Source, error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    listed: Any = error.validator_value
    choices = [str(value) for value in listed]
    yield source.fault(
        path,
        Text(
            f"“{error.instance}”不是“{path[-1] if path else ''}”的可选值。",
            f"“{error.instance}” is not a choice for “{path[-1] if path else ''}”.",
        ),
        _description(error),
        nearest(str(error.instance), choices),
    )


def _description(error: ValidationError) -> Text:
    """What the schema says of the place; its descriptions read “Chinese | English”."""
    words = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
    zh, _, en = words.partition(" | ")
    return Text(f"规则语言的说明：{zh}", f"The dialect says: {en}") if en else Text("", "")


def _expected(error: ValidationError) -> Text:
    limit = error.validator_value
    words = {
        "type": Text(f"应为 {limit}", f"it must be {limit}"),
        "const": Text(f"应为 {json.dumps(limit)}", f"it must be {json.dumps(limit)}"),
        "pattern": Text(f"应符合 {limit}", f"it must match {limit}"),
        "format": _FORMATS.get(str(limit), Text(f"应为 {limit} 格式", f"it must be of the format {limit}")),
        "minItems": Text(f"至少 {limit} 项", f"at least {limit} item(s)"),
        "maxItems": Text(f"最多 {limit} 项", f"at most {limit} item(s)"),
        "minProperties": Text(f"至少 {limit} 项", f"at least {limit} item(s)"),
        "maxProperties": Text(f"最多 {limit} 项", f"at most {limit} item(s)"),
        "minLength": Text(f"至少 {limit} 个字", f"at least {limit} character(s)"),
        "maxLength": Text(f"最多 {limit} 个字", f"at most {limit} character(s)"),
        "minimum": Text(f"不能小于 {limit}", f"not less than {limit}"),
        "maximum": Text(f"不能大于 {limit}", f"not more than {limit}"),
    }
    return words.get(str(error.validator), Text(f"不满足 {error.validator}", f"it fails {error.validator}"))
