"""Checks what single files cannot tell: names that must exist elsewhere, dates, completeness."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rules.engine.dialect import nearest
from rules.engine.faults import Fault
from rules.engine.matrix import ROW_FIELDS
from rules.engine.source import Path_, Source
from schemas.texts import Text

Sources = Mapping[str, Source]


def check_references(sources: Sources) -> Iterator[Fault]:
    """Faults between files that are each of the right shape."""
    for source in sources.values():
        yield from _bases(sources, source, source.data, ())
    yield from _categories(sources)
    yield from _repositories(sources)
    yield from _procedures(sources)
    yield from _reviews(sources)


def folder(sources: Sources, name: str) -> list[tuple[str, Source]]:
    """The files of one folder by their names."""
    prefix = f"{name}/"
    return [
        (path.removeprefix(prefix), source) for path, source in sources.items() if path.startswith(prefix)
    ]


def known(source: Source, path: Path_, name: str, names: Iterable[str], what: Text) -> Iterator[Fault]:
    """A fault where a name is not among those that exist."""
    existing = list(names)
    if name not in existing:
        yield source.fault(
            path,
            Text(f"没有叫“{name}”的{what.zh}。", f"There is no {what.en} called “{name}”."),
            Text("引用的名字必须存在。", "A name that is used must exist."),
            nearest(name, existing),
        )


def _bases(sources: Sources, source: Source, value: Any, path: Path_) -> Iterator[Fault]:
    """Every basis names an instrument, and no rule is older than its texts or younger than the rulebook."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _bases(sources, source, item, (*path, i))
    elif isinstance(value, dict):
        prefix = "x-" if "x-basis" in value else ""
        since = value.get("x-in-force-from" if prefix else "in_force_from")
        bases = value.get(f"{prefix}basis")
        if since and isinstance(bases, list):
            yield from _dates(sources, source, path, since, bases, prefix)
        for key, item in value.items():
            yield from _bases(sources, source, item, (*path, key))


def _dates(
    sources: Sources, source: Source, path: Path_, since: str, bases: list[dict[str, str]], prefix: str
) -> Iterator[Fault]:
    rulebook = sources["rulebook"].data
    place = (*path, "x-in-force-from" if prefix else "in_force_from")
    if since > rulebook["effective_from"]:
        yield source.fault(
            place,
            Text(
                f"规则自 {since} 起施行，晚于本规则集的生效日 {rulebook['effective_from']}。",
                f"The rule is in force from {since}, after this rulebook's {rulebook['effective_from']}.",
            ),
            Text(
                "一个版本只装它生效那天已施行的规则。",
                "A version holds what is in force on the day it takes effect.",
            ),
            Text("请把它放进以后的版本，或改正日期。", "Move it to a later version, or correct the date."),
        )
    for i, basis in enumerate(bases):
        instruments = rulebook["instruments"]
        where = (*path, f"{prefix}basis", i, "instrument")
        yield from known(source, where, basis["instrument"], instruments, Text("依据文件", "instrument"))
        instrument = instruments.get(basis["instrument"])
        if instrument and since < instrument["in_force"]:
            yield source.fault(
                place,
                Text(
                    f"规则自 {since} 起施行，早于依据 {basis['instrument']} 的 {instrument['in_force']}。",
                    f"The rule is in force from {since}, before its basis {basis['instrument']}, "
                    f"in force from {instrument['in_force']}.",
                ),
                Text("规则不能早于依据。", "A rule cannot be older than its basis."),
                Text("请改正日期或依据。", "Correct the date or the basis."),
            )


def _categories(sources: Sources) -> Iterator[Fault]:
    data_types = [entry["id"] for entry in sources["data-types"].data["data_types"]]
    repositories = dict(folder(sources, "repositories"))
    for name, source in folder(sources, "categories"):
        for data_type, entry in ({} if name == "out-of-scope" else source.data["data_types"]).items():
            path: Path_ = ("data_types", data_type)
            yield from known(source, path, data_type, data_types, Text("数据类型", "data type"))
            if ("repositories" in entry) == ("repositories_by" in entry):
                yield source.fault(
                    path,
                    Text(
                        "数据资源库应写 repositories 或 repositories_by 之一。",
                        "State repositories or repositories_by, exactly one of them.",
                    ),
                    Text(
                        "每种数据都要有且只有一种确定去处的办法。",
                        "Each kind of data has one way to find its repository.",
                    ),
                    Text("请补上或删去一个。", "Add one or delete one."),
                )
            for field, kinds in entry.get("repositories_by", {}).items():
                yield from _kinds(sources, source, (*path, "repositories_by", field), field, kinds)
            for where, repository in _taken(entry):
                place = (*path, *where)
                yield from known(source, place, repository, repositories, Text("数据资源库", "repository"))
                target = repositories.get(repository)
                if target and data_type not in target.data["formats"]:
                    yield source.fault(
                        place,
                        Text(
                            f"“{repository}”没有列出“{data_type}”的文件格式。",
                            f"“{repository}” lists no file formats for “{data_type}”.",
                        ),
                        Text("没有格式就判断不了文件名。", "Without formats no file name can be judged."),
                        Text(
                            f"请在 {target.file} 的 formats 里补上。",
                            f"Add them to formats in {target.file}.",
                        ),
                    )


def _kinds(
    sources: Sources, source: Source, path: Path_, field: str, kinds: Mapping[str, Any]
) -> Iterator[Fault]:
    """The field that decides is a question of the list, and each of its answers has a repository."""
    for _, form in folder(sources, "forms"):
        fields = form.data["properties"]
        if not fields.keys() >= ROW_FIELDS:
            continue
        questions = [name for name, entry in fields.items() if "x-values" in entry]
        yield from known(source, path, field, questions, Text("选择字段", "field with choices"))
        choices = fields.get(field, {}).get("x-values", {})
        for kind in kinds if choices else ():
            yield from known(source, (*path, kind), kind, choices, Text("可选值", "choice"))
        for choice in choices:
            if choice not in kinds:
                yield source.fault(
                    path,
                    Text(f"没有写明“{choice}”递交到哪里。", f"It does not say where “{choice}” goes."),
                    Text("每种数据都要有去处。", "Each kind of data has a repository."),
                    Text(f"请补上“{choice}”。", f"Add “{choice}”."),
                )


def _taken(entry: Mapping[str, Any]) -> Iterator[tuple[Path_, str]]:
    for i, repository in enumerate(entry.get("repositories", [])):
        yield ("repositories", i), repository
    for field, kinds in entry.get("repositories_by", {}).items():
        for kind, repositories in kinds.items():
            for i, repository in enumerate(repositories):
                yield ("repositories_by", field, kind, i), repository


def _repositories(sources: Sources) -> Iterator[Fault]:
    used = {
        (repository, data_type)
        for name, source in folder(sources, "categories")
        if name != "out-of-scope"
        for data_type, entry in source.data["data_types"].items()
        for _, repository in _taken(entry)
    }
    rows = {field for _, form in folder(sources, "forms") for field in form.data["properties"]}
    for name, source in folder(sources, "repositories"):
        for data_type in source.data["formats"]:
            if (name, data_type) not in used:
                yield source.fault(
                    ("formats", data_type),
                    Text(
                        f"没有哪个信息类型把“{data_type}”递交到这里。",
                        f"No category deposits “{data_type}” here.",
                    ),
                    Text("永远用不到的规则会误导读者。", "A rule that can never speak misleads its readers."),
                    Text("请删去，或在 categories 里写明。", "Delete it, or state it in categories."),
                )
        table = source.data.get("run_table", {})
        for column, field in table.get("columns", {}).items():
            yield from known(source, ("run_table", "columns", column), field, rows, Text("字段", "field"))
        for column, category in table.get("values", {}).get("category", {}).items():
            ids = [id_ for id_, _ in folder(sources, "categories")]
            place = ("run_table", "values", "category", column)
            yield from known(source, place, category, ids, Text("信息类型", "category"))


def _procedures(sources: Sources) -> Iterator[Fault]:
    forms = dict(folder(sources, "forms"))
    subjects = [*forms, "manifest", "submission"]
    for _, source in folder(sources, "procedures"):
        for i, step in enumerate(source.data.get("steps", ())):
            yield from known(source, ("steps", i, "form"), step["form"], forms, Text("表单", "form"))
            for k, subject in enumerate(step["judged_by"]):
                yield from known(
                    source, ("steps", i, "judged_by", k), subject, subjects, Text("判断对象", "subject")
                )
            form = forms.get(step["form"])
            if step["kind"] == "manifest" and form and not form.data["properties"].keys() >= ROW_FIELDS:
                absent = ", ".join(sorted(ROW_FIELDS - form.data["properties"].keys()))
                yield source.fault(
                    ("steps", i, "form"),
                    Text(
                        f"“{step['form']}”不能作文件清单的行：缺少 {absent}。",
                        f"“{step['form']}” cannot be the row of a file list: it lacks {absent}.",
                    ),
                    Text(
                        "清单的行要说明文件、类型和数据资源库。",
                        "A row says which file, which kind of data, and which repository.",
                    ),
                    Text("请在表单里补上这些字段。", "Add these fields to the form."),
                )


def _reviews(sources: Sources) -> Iterator[Fault]:
    """Rules that tell whether a security review is missing must exist, or nothing would ever be missing."""
    ids = [rule["id"] for _, source in folder(sources, "requirements") for rule in source.data["rules"]]
    for _, source in folder(sources, "procedures"):
        for i, id_ in enumerate(source.data.get("review_rules", ())):
            yield from known(source, ("review_rules", i), id_, ids, Text("规则", "rule"))
