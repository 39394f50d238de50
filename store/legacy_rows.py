"""Rows of the old platform's export, read by column: registrants and backups, or what is wrong with a row."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import polars as pl

from manifests.reader import Part
from rules.engine.normalise import folded
from rules.engine.persons import normalise_name, normalise_phone, normalise_unit, unit_code
from rules.engine.procedures import Matching
from schemas.errors import Refusal
from store.encryption import ColumnCipher
from store.legacy import registrant_id

HEADERS: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "注册人", "注册人姓名", "原注册人", "name", "registrant", "registrant name"),
    "phone": ("手机号", "手机号码", "手机", "电话", "联系电话", "phone", "phone number", "mobile"),
    "unit": (
        "统一社会信用代码",
        "单位代码",
        "单位",
        "单位名称",
        "法人单位",
        "unit code",
        "unit",
        "institution",
    ),
    "number": ("备份编号", "备份号", "编号", "backup number", "number"),
    "date": ("日期", "备份日期", "创建日期", "创建时间", "date", "created", "created at"),
    "title": ("项目名称", "备份名称", "标题", "名称", "title", "project"),
    "status": ("状态", "备份状态", "status", "state"),
}
"""Names of the columns in the files of the old platform, the best first; blanks and case do not matter."""
OPTIONAL = frozenset({"title", "status"})
STATUS = {
    "numbered": (
        "已编号",
        "已备案",
        "已备份",
        "已完成",
        "已提交",
        "已通过",
        "numbered",
        "completed",
        "submitted",
    ),
    "draft": ("草稿", "暂存", "未提交", "未完成", "draft", "unfinished"),
}
_STATUS = {word.upper(): status for status, words in STATUS.items() for word in words} | {"": ""}
TITLE_LENGTH = 1_000
FAULTS = pl.Schema({"line": pl.Int64, "column": pl.String, "code": pl.String, "facts": pl.String})
"""A row that cannot be imported; facts as PostgreSQL writes an array of numbers."""
_NUMBER = r"^[^\s\p{C}]{1,64}$"
_SPLIT_DAY = r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?$"
_WHOLE_DAY = r"^(\d{4})(\d{2})(\d{2})$"


class MissingColumns(Exception):  # noqa: N818 - the sentence a person reads, not a programming error
    """The file lacks columns that every row needs.

    Attributes:
        fields: Which, as keys of `HEADERS`.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class Person(NamedTuple):
    """A registrant to be stored, name and phone encrypted already."""

    id: UUID
    name: bytes
    phone: bytes
    person_index: bytes
    unit_code: str | None
    unit_name: str | None


class Read(NamedTuple):
    """What a part of the file says.

    Attributes:
        persons: Registrants, each once; some may have been read before.
        backups: ``line, registrant_id, number, day, title`` of each numbered backup.
        drafts: ``registrant_id, day, title`` of each draft.
        faults: `FAULTS` of each row that was not to be read.
    """

    persons: list[Person]
    backups: pl.DataFrame
    drafts: pl.DataFrame
    faults: pl.DataFrame


class LegacyRows:
    """Reads the parts of one file.

    Args:
        header: Names of its columns.
        rules: How names and phones are compared.
        cipher: Encrypts and indexes them.

    Raises:
        MissingColumns: A column is missing that every row needs.
    """

    def __init__(self, header: Sequence[str], rules: Matching, cipher: ColumnCipher) -> None:
        spelt = {folded(name): name for name in header}
        found = {
            field: next((spelt[folded(alias)] for alias in aliases if folded(alias) in spelt), None)
            for field, aliases in HEADERS.items()
        }
        missing = [field for field, column in found.items() if column is None and field not in OPTIONAL]
        if missing:
            raise MissingColumns(missing)
        self._columns = found
        self._rules = rules
        self._cipher = cipher
        self._known: dict[tuple[str, ...], tuple[str | None, str | None]] = {}

    def read(self, part: Part) -> Read:
        """Everything a part says, row by row in order."""
        rows = part.cells.select(
            pl.lit(part.lines).alias("line"), *(self._text(field) for field in HEADERS)
        ).with_columns(_day(), _status())
        persons, table = self._persons(rows)
        rows = rows.join(table, on=["name", "phone", "unit"], how="left", maintain_order="left")
        rows = rows.with_columns(*self._fault(), title=pl.col("title").replace("", None))
        sound = rows.filter(pl.col("code").is_null())
        drafts = pl.col("status") == "draft"
        unread = pl.DataFrame(
            {
                "line": [fault.line for fault in part.faults],
                "column": [None] * len(part.faults),
                "code": [fault.code for fault in part.faults],
                "facts": [f"{{{','.join(map(str, fault.facts))}}}" for fault in part.faults],
            },
            schema=FAULTS,
        )
        faulty = rows.filter(pl.col("code").is_not_null()).select(FAULTS.names())
        return Read(
            persons,
            sound.filter(~drafts).select("line", "registrant_id", "number", "day", "title"),
            sound.filter(drafts).select("registrant_id", "day", "title"),
            pl.concat([faulty, unread]).sort("line", maintain_order=True),
        )

    def _text(self, field: str) -> pl.Expr:
        column = self._columns[field]
        text = pl.lit("") if column is None else pl.col(column).fill_null("").str.strip_chars()
        return (text if field in _VERBATIM else text.str.normalize("NFKC").str.to_uppercase()).alias(field)

    def _persons(self, rows: pl.DataFrame) -> tuple[list[Person], pl.DataFrame]:
        """Each person of the rows once: those not met before, and all with their ids or what is wrong."""
        met = rows.select("name", "phone", "unit").unique(maintain_order=True)
        persons, found = [], []
        for written in met.iter_rows():
            known = self._known.get(written)
            if known is None:
                person = self._person(*written)
                known = self._known[written] = (
                    (person, None) if isinstance(person, str) else (None, str(person.id))
                )
                if not isinstance(person, str):
                    persons.append(person)
            found.append(known)
        schema = {"refused": pl.String, "registrant_id": pl.String}
        return persons, met.hstack(pl.DataFrame(found, schema=schema, orient="row"))

    def _person(self, name: str, phone: str, unit: str) -> Person | str:
        """One registrant, or the code of what is wrong."""
        try:
            normal_name = normalise_name(name, self._rules)
            normal_phone = normalise_phone(phone, self._rules)
        except Refusal as refusal:
            return refusal.error.code
        code = unit_code(unit)
        key = code or normalise_unit(unit, self._rules)
        if not key:
            return "legacy.unit_missing"
        id_ = registrant_id(self._cipher, normal_name, normal_phone, key)
        return Person(
            id_,
            self._cipher.encrypt(name, "legacy_registrant", "name", id_),
            self._cipher.encrypt(normal_phone, "legacy_registrant", "phone", id_),
            self._cipher.person_index(normal_name, normal_phone),
            code,
            None if code else unit,
        )

    def _fault(self) -> list[pl.Expr]:
        """``code``, ``column``, ``facts`` of the first thing wrong with each row; null where nothing is."""
        draft, number, title = pl.col("status") == "draft", pl.col("number"), pl.col("title")
        code = pl.coalesce(
            pl.col("refused"),
            pl.when(pl.col("status").is_null()).then(pl.lit("legacy.status_unknown")),
            pl.when(draft & (number != "")).then(pl.lit("legacy.draft_with_number")),
            pl.when(~draft & (number == "")).then(pl.lit("legacy.number_missing")),
            pl.when(~draft & ~number.str.contains(_NUMBER)).then(pl.lit("legacy.number_unreadable")),
            pl.when(pl.col("day").is_null() & ~(draft & (pl.col("date") == ""))).then(
                pl.lit("legacy.date_unreadable")
            ),
            pl.when(title.str.len_chars() > TITLE_LENGTH).then(pl.lit("legacy.title_too_long")),
        )
        limits = {
            "name_too_long": f"{{{self._rules.name.max_length}}}",
            "legacy.title_too_long": f"{{{TITLE_LENGTH}}}",
        }
        field = code.str.extract(r"^(?:legacy\.)?([a-z]+)_")
        return [
            code.alias("code"),
            field.replace({**self._columns, "draft": self._columns["number"]}).alias("column"),
            code.replace_strict(limits, default="{}").alias("facts"),
        ]


_VERBATIM = frozenset({"name", "phone", "unit", "title"})


def _day() -> pl.Expr:
    """The day: ``2019-05-28``, ``2019/5/28``, ``2019年5月28日``, ``20190528``; a time behind it is cut."""
    date = pl.col("date")
    parts = [
        pl.coalesce(date.str.extract(_SPLIT_DAY, group), date.str.extract(_WHOLE_DAY, group))
        for group in (1, 2, 3)
    ]
    return pl.concat_str(parts, separator="-").str.to_date("%Y-%m-%d", strict=False).alias("day")


def _status() -> pl.Expr:
    """``numbered`` or ``draft``: as the file says, or by whether there is a number; null for other words."""
    said = pl.col("status").replace_strict(_STATUS, default=None, return_dtype=pl.String)
    by_number = pl.when(pl.col("number") == "").then(pl.lit("draft")).otherwise(pl.lit("numbered"))
    return pl.when(said == "").then(by_number).otherwise(said).alias("status")
