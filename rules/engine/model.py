"""The rule files as typed values: what the API shows and the compiler reads."""

from datetime import date
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from schemas.findings import Severity
from schemas.texts import Text


class Part(BaseModel):
    """A piece of a release: immutable, and closed like the dialect."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Basis(NamedTuple):
    """A reference (依据) to an article of an instrument listed in the rulebook."""

    instrument: str
    article: str


class Choice(NamedTuple):
    """A value (可选值) a person may choose, with its titles and other spellings."""

    id: str
    title: Text
    also: tuple[str, ...] = ()


class Instrument(Part):
    """A law, regulation or notice the rules rest on."""

    title: Text
    division: Text
    in_force: date
    issued: date | None = None
    decision: Text | None = None


class Platform(Part):
    """Where users of the backup platform get help."""

    title: Text
    hotlines: tuple[str, ...]
    email: str


class ServiceSystem(Part):
    """The HGR service system (人遗系统): accounts, real-name check, unit authorisation, prior reports."""

    title: Text
    address: str
    hotlines: tuple[str, ...]


class Rulebook(Part):
    """Content of ``rulebook.yaml``."""

    version: str
    effective_from: date
    authority: Text
    platform: Platform
    service_system: ServiceSystem
    instruments: dict[str, Instrument]


class DataType(Part):
    """A data type (数据类型) of one category and the repositories that take it."""

    title: Text
    repositories: tuple[str, ...] = ()
    repositories_by: dict[str, dict[str, tuple[str, ...]]] = {}
    decision: Text | None = None


class Category(Part):
    """A regulated category (信息类型)."""

    title: Text
    position: int
    in_force_from: date
    basis: tuple[Basis, ...]
    data_types: dict[str, DataType]
    also: tuple[str, ...] = ()
    decision: Text | None = None


class OutOfScopeKind(Part):
    """A kind of data that is no HGR information."""

    title: Text
    message: Text
    also: tuple[str, ...] = ()


class OutOfScope(Part):
    """Content of ``categories/out-of-scope.yaml``."""

    in_force_from: date
    basis: tuple[Basis, ...]
    kinds: dict[str, OutOfScopeKind]
    decision: Text | None = None


class Contacts(Part):
    """Whom to ask at a repository."""

    email: str
    qq_group: str


class Identifier(Part):
    """The shape of an identifier, proven by examples."""

    title: Text
    pattern: str
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]
    decision: Text | None = None


class RunTable(Part):
    """How to read a run table as its repository exports it."""

    listing: str
    columns: dict[str, str]
    dropped: tuple[str, ...]
    constants: dict[str, str]
    values: dict[str, dict[str, str]]
    decision: Text | None = None


class Repository(Part):
    """A data repository (数据资源库) of CNCB-NGDC."""

    name: str
    title: Text
    position: int
    home: str
    contacts: Contacts
    in_force_from: date
    basis: tuple[Basis, ...]
    identifiers: dict[str, Identifier]
    formats: dict[str, dict[str, tuple[str, ...]]]
    also: tuple[str, ...] = ()
    run_table: RunTable | None = None
    decision: Text | None = None


class Cell(NamedTuple):
    """One cell of the matrix (矩阵): who takes this data.

    Attributes:
        category: Id of the category.
        data_type: Id of the data type.
        kind: The further field that decides and its value; None where category and data type suffice.
        title: Name of the data type in its category.
        repositories: Ids of the repositories that take it.
    """

    category: str
    data_type: str
    kind: tuple[str, str] | None
    title: Text
    repositories: tuple[str, ...]


class Uniqueness(NamedTuple):
    """A declared rule that no two rows of a list share a value; the store evaluates it in SQL."""

    id: str
    field: str
    severity: Severity


class Citation(NamedTuple):
    """A basis in words: the instrument, the article, and since when the text is in force."""

    instrument: str
    title: str
    article: str
    in_force: date
