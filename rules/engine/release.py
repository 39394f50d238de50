"""A release: an immutable, dated snapshot of all rule files, named by version and digest."""

import copy
import hashlib
import json
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any, Literal, Self, TypeVar, overload

from pydantic import TypeAdapter

from rules.engine.eligibility import PriorReportProcedure
from rules.engine.forms import compile_form, form_rules, places, without_annotations
from rules.engine.matrix import ROW_FIELDS, cells, matrix_rules, scope_rules
from rules.engine.model import Basis, Category, Cell, Choice, OutOfScope, Repository, Rulebook, Uniqueness
from rules.engine.procedures import BackupCreationProcedure, ClaimingProcedure, DelegationProcedure
from rules.engine.rule import Rule, schema_of
from schemas.texts import Text

_Listed = TypeVar("_Listed", Category, Repository)

_BASES: TypeAdapter[tuple[Basis, ...]] = TypeAdapter(tuple[Basis, ...])

_Procedure = BackupCreationProcedure | ClaimingProcedure | DelegationProcedure | PriorReportProcedure
_PROCEDURES: Mapping[str, type[_Procedure]] = {
    "backup-creation": BackupCreationProcedure,
    "claiming": ClaimingProcedure,
    "delegation": DelegationProcedure,
    "prior-report": PriorReportProcedure,
}


class Release:
    """All rules of one version (规则版本), compiled.

    Attributes:
        version: Calendar version, e.g. ``2026.11.1``.
        digest: SHA-256 of :meth:`canonical`, 64 hexadecimal digits.
        effective_from: First day on which it judges.
        rulebook: Authority, contacts and instruments.
        categories: Regulated categories by id, in the order a person sees them.
        repositories: Repositories by id, in that order.
        out_of_scope: Kinds of data that are not backed up.
        rules: Every rule by its id.
    """

    def __init__(self, documents: Mapping[str, Any]) -> None:
        """Compiles checked documents.

        Args:
            documents: Content of each rule file by its path without ``.yaml``.
        """
        text = json.dumps(documents, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self._canonical = text.encode()
        self._documents: dict[str, Any] = json.loads(self._canonical)
        self.digest = hashlib.sha256(self._canonical).hexdigest()
        self.rulebook = Rulebook.model_validate(self._documents["rulebook"])
        self.version = self.rulebook.version
        self.effective_from: date = self.rulebook.effective_from
        self.categories = _ordered(
            {
                id_: Category.model_validate(self._in_order(content))
                for id_, content in self._folder("categories").items()
                if id_ != "out-of-scope"
            }
        )
        self.out_of_scope = OutOfScope.model_validate(self._documents["categories/out-of-scope"])
        self.repositories = _ordered(
            {id_: Repository.model_validate(content) for id_, content in self._folder("repositories").items()}
        )
        self._procedures = {
            id_: _PROCEDURES[id_].model_validate(content)
            for id_, content in self._folder("procedures").items()
        }
        shown = self._choices(with_out_of_scope=False)
        judged = self._choices(with_out_of_scope=True)
        forms = self._folder("forms")
        self._forms = {id_: compile_form(content, shown) for id_, content in forms.items()}
        self._judged: dict[str, dict[str, Any]] = {
            id_: compile_form(content, judged) for id_, content in forms.items()
        }
        self._category_fields = {
            id_: tuple(path[0] for path, field in places(form) if field.get("x-values-from") == "categories")
            for id_, form in self._forms.items()
        }
        self._compiled = self._compile()
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in (*self._form_rules(), *self._compiled)}

    def canonical(self) -> bytes:
        """Canonical JSON: sorted keys, no blanks, UTF-8. Equal rules give equal bytes."""
        return self._canonical

    @classmethod
    def from_canonical(cls, data: bytes) -> Self:
        """The release whose canonical JSON this is; blanks and the order of keys do not matter."""
        return cls(json.loads(data))

    @property
    def forms(self) -> tuple[str, ...]:
        """Names of the forms."""
        return tuple(self._forms)

    @cached_property
    def data_types(self) -> tuple[Choice, ...]:
        """The data types by their general names, in the order a person sees them."""
        return tuple(
            Choice(entry["id"], Text(**entry["title"]), tuple(entry.get("also", ())))
            for entry in self._documents["data-types"]["data_types"]
        )

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The matrix: each category × data type (× kind) with the repositories that take it."""
        return tuple(cells(self.categories))

    @overload
    def procedure(self, name: Literal["backup-creation"]) -> BackupCreationProcedure: ...
    @overload
    def procedure(self, name: Literal["claiming"]) -> ClaimingProcedure: ...
    @overload
    def procedure(self, name: Literal["delegation"]) -> DelegationProcedure: ...
    @overload
    def procedure(self, name: Literal["prior-report"]) -> PriorReportProcedure: ...
    def procedure(self, name: str) -> Any:
        """What a workflow obeys.

        Raises:
            KeyError: There is no such procedure: the release may be older than its kind.
        """
        return self._procedures[name]

    def form(self, name: str) -> dict[str, Any]:
        """The form's JSON Schema with titles, help and choices, to be shown to people; a copy.

        Raises:
            KeyError: There is no such form.
        """
        return copy.deepcopy(self._forms[name])

    def judged_form(self, name: str) -> dict[str, Any]:
        """As :meth:`form`, but out-of-scope kinds are known values, for a rule to refuse by name."""
        return copy.deepcopy(self._judged[name])

    def personal_fields(self, form: str) -> frozenset[str]:
        """Top-level fields that hold a person's name, telephone or e-mail, here or inside."""
        return frozenset(path[0] for path, field in places(self._forms[form]) if field.get("x-personal"))

    def category_fields(self, form: str) -> tuple[str, ...]:
        """Top-level fields of a form that ask for categories, here or inside."""
        return self._category_fields[form]

    def repository(self, id: str) -> Repository:  # noqa: A002
        """The repository of that id.

        Raises:
            KeyError: There is none.
        """
        return self.repositories[id]

    def subject_rules(self, subject: str) -> tuple[Rule, ...]:
        """Rules of a subject beyond its form's keywords, in the order they are judged and told."""
        return tuple(rule for rule in self._compiled if rule.subject == subject)

    def uniqueness(self, form: str) -> tuple[Uniqueness, ...]:
        """What no two rows of a list may share; evaluated by the store, not by :class:`Judge`."""
        return tuple(
            Uniqueness(rule.id, rule.unique, rule.severity)
            for rule in self.subject_rules(form)
            if rule.unique
        )

    @property
    def subjects(self) -> frozenset[str]:
        """What can be judged: every form, ``manifest`` and ``submission``."""
        return frozenset((*self._forms, "manifest", "submission"))

    def json_schema(self, subject: str) -> dict[str, Any]:
        """The published authority: JSON Schema 2020-12 that a record satisfies if and only if it is accepted.

        Rules about the order of two fields and the uniqueness among rows are beyond JSON Schema and left out.

        Raises:
            KeyError: There is no such subject.
        """
        errors = [rule for rule in self.schema_rules(subject) if rule.severity == "error"]
        schema = without_annotations(schema_of(self.subject_form(subject), errors))
        return {"$id": f"urn:hgrip:{self.version}:{subject}", **schema}

    def schema_rules(self, subject: str) -> list[Rule]:
        """The subject's rules that are JSON Schema, in order."""
        return [rule for rule in self.subject_rules(subject) if not rule.order and not rule.unique]

    def subject_form(self, subject: str) -> dict[str, Any]:
        """What a record of this subject looks like before any rule.

        Raises:
            KeyError: There is no such subject.
        """
        if subject in ("manifest", "submission"):
            return {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
        return self.judged_form(subject)

    def _folder(self, name: str) -> dict[str, Any]:
        prefix = f"{name}/"
        return {
            path.removeprefix(prefix): content
            for path, content in sorted(self._documents.items())
            if path.startswith(prefix)
        }

    def _in_order(self, category: Mapping[str, Any]) -> dict[str, Any]:
        entries = category["data_types"]
        ids = [kind.id for kind in self.data_types if kind.id in entries]
        return {**category, "data_types": {id_: entries[id_] for id_ in ids}}

    def _choices(self, *, with_out_of_scope: bool) -> dict[str, list[Choice]]:
        categories = [Choice(id_, entry.title, entry.also) for id_, entry in self.categories.items()]
        if with_out_of_scope:
            categories += [
                Choice(id_, kind.title, kind.also) for id_, kind in self.out_of_scope.kinds.items()
            ]
        formats = {
            name: Choice(name, Text(name, name))
            for repository in self.repositories.values()
            for taken in repository.formats.values()
            for name in taken
        }
        return {
            "categories": categories,
            "data_types": list(self.data_types),
            "repositories": [
                Choice(id_, Text(entry.name, entry.name), (entry.title.zh, entry.title.en, *entry.also))
                for id_, entry in self.repositories.items()
            ],
            "file_formats": [formats[name] for name in sorted(formats)],
        }

    def _form_rules(self) -> list[Rule]:
        messages = self._documents["messages"]["form"]
        return [
            rule
            for form, schema in self._forms.items()
            for rule in form_rules(
                form, schema, _BASES.validate_python(self._documents[f"forms/{form}"]["x-basis"]), messages
            )
        ]

    def _compile(self) -> list[Rule]:
        messages = {key: Text(**text) for key, text in self._documents["messages"]["matrix"].items()}
        rules: list[Rule] = []
        for form, schema in self._forms.items():
            rules += scope_rules(form, schema, self.out_of_scope)
            if schema["properties"].keys() >= ROW_FIELDS:
                rules += matrix_rules(form, schema, self.categories, self.repositories, messages)
        for topic in self._folder("requirements").values():
            rules += [_requirement(entry) for entry in topic["rules"]]
        return rules + self._step_rules()

    def _step_rules(self) -> list[Rule]:
        """``step.project.missing``: every required step is filled in before a submission."""
        template = Text(**self._documents["messages"]["procedure"]["step_missing"])
        return [
            Rule(
                id=f"step.{step.id}.missing",
                subject="submission",
                severity="error",
                message=template.fill(step=step.title),
                basis=procedure.basis,
                require={"properties": {"steps": {"properties": {step.id: {"not": {"type": "null"}}}}}},
            )
            for procedure in self._procedures.values()
            if isinstance(procedure, BackupCreationProcedure)
            for step in procedure.steps
            if step.required
        ]


def _requirement(entry: Mapping[str, Any]) -> Rule:
    order = entry.get("order")
    return Rule(
        id=entry["id"],
        subject=entry["subject"],
        severity=entry["severity"],
        message=Text(**entry["message"]),
        basis=_BASES.validate_python(entry["basis"]),
        when=entry.get("when", True),
        require=entry.get("require", True),
        order=(order[0], order[1]) if order else None,
        unique=entry.get("unique"),
        decision=Text(**entry["decision"]) if "decision" in entry else None,
    )


def _ordered(entries: dict[str, _Listed]) -> dict[str, _Listed]:
    return dict(sorted(entries.items(), key=lambda entry: entry[1].position))
