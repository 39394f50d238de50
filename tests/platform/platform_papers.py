"""What people do with drafts and numbers, on the platform and in the model."""

from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import UUID, uuid4

import httpx2
from claims_town import refusal
from country import Record
from handover_ward import FILE_LIST, INFORMATION, PROJECT
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from village import Households, Resident, Village

PEOPLE, UNITS, WHICH = st.integers(0, 3), st.integers(0, 1), st.integers(0, 99)
DIES = st.sampled_from([*[None] * 8, 0.0, 0.03, 0.1])
"""So many seconds into a request a worker is killed."""
RIGHTLY = st.sampled_from([True, True, True, False])
"""Whether whoever may do it does it, or anybody tries."""
Thing = TypeVar("Thing")


def pick(among: list[Thing], which: int) -> Thing:
    """One of them."""
    return among[which % len(among)]


class Handover(NamedTuple):
    """A handover that was made; `move` is what it gave."""

    id: UUID
    unit: int
    old: UUID
    new: UUID
    move: object
    moved: int


class UnitClaim(NamedTuple):
    """A claim by a unit that was made."""

    id: UUID
    unit: int
    move: object
    step: int
    backups: list[Record]


class Papers(RuleBasedStateMachine):
    """Drafts, submissions, withdrawals, corrections, reports."""

    village: ClassVar[Village]

    @initialize()
    def settle(self) -> None:
        self.here = Households(self.village)
        self.country = self.here.country
        self.system = self.village.system()
        self.handovers: list[Handover] = []
        self.claims: list[UnitClaim] = []
        for person in range(len(self.here.residents)):
            self.somebody_begins_a_draft(person, True, None)
        for _ in self.here.units:  # every other one goes on to be numbered
            self.somebody_submits(1, 0, True, None)

    # --- who asks, and what is to be expected ---------------------------------------------------------

    def asks(self, who: Resident, path: str, dies: float | None, **said: Any) -> httpx2.Response | None:
        """POST; None where somebody was told that no unit authorises them."""
        answer = self.village.asks(who.person, "POST", path, dies, **said)
        if who.model.unit is None:
            assert refusal(answer) == (403, "unit_authorisation_missing")
            return None
        return answer

    def holder(self, backup: Record, person: int, rightly: bool) -> Resident:
        """Whoever holds a backup, or just anybody."""
        found = [each for each in self.here.residents if each.model.account == backup.holder()]
        return found[0] if rightly and found else self.here.residents[person]

    def unclaimed(self) -> bool:
        return any(each.legacy and each.holder() is None for each in self.country.backups)

    def drafts(self) -> list[Record]:
        return [each for each in self.country.backups if each.state == "draft"]

    def amending(self, who: Resident, backup: Record) -> tuple[int, str] | None:
        """What stands against withdrawing or correcting a backup, whoever asks."""
        if who.model.account != backup.holder():
            return 404, "not_found"
        if backup.state == "superseded":
            return 409, "version_superseded"
        if backup.number is None:
            return 409, "not_numbered"
        if who.model.unit != backup.unit:
            return 403, "not_allowed"
        return (409, "number_withdrawn") if backup.state == "withdrawn" else None

    # --- drafts ---------------------------------------------------------------------------------------

    @rule(person=PEOPLE, complete=st.sampled_from([True, True, False]), dies=DIES)
    def somebody_begins_a_draft(self, person: int, complete: bool, dies: float | None) -> None:
        who, title = self.here.residents[person], f"题目 {uuid4().hex[:6]}"
        content = {"step": "project", "content": PROJECT | {"title": title}}
        answer = self.asks(who, "/v1/backups", dies, json=content)
        if answer is None or who.model.unit is None:
            return
        assert answer.status_code == 201, answer.text
        made = Record(UUID(answer.json()["backup_id"]), who.model.unit, complete=complete, title=title)
        if complete:
            self.fills(who, f"/v1/backups/{made.id}/steps")
        self.country.backups.append(made)
        self.country.gives([made], who.model.account, object())

    def fills(self, who: Resident, steps: str) -> None:
        first = {"If-Match": '"0"'}
        ask = self.village.asks
        saved = ask(who.person, "PUT", f"{steps}/backup-information", json=INFORMATION, headers=first)
        headers = first | {"Content-Type": "text/csv"}
        path = f"{steps}/data-files/manifests"
        listed = ask(who.person, "POST", path, content=FILE_LIST, headers=headers)
        assert (saved.status_code, listed.status_code) == (200, 201), listed.text

    @precondition(lambda self: self.drafts())
    @rule(which=WHICH, person=PEOPLE, rightly=RIGHTLY, dies=DIES)
    def somebody_saves(self, which: int, person: int, rightly: bool, dies: float | None) -> None:
        backup = pick([each for each in self.country.backups if not each.legacy], which)
        who, title = self.holder(backup, person, rightly), f"题目 {uuid4().hex[:6]}"
        if who.model.unit is None:
            return
        answer = self.village.asks(
            who.person,
            "PUT",
            f"/v1/backups/{backup.id}/steps/project",
            dies,
            json=PROJECT | {"title": title},
            headers={"If-Match": f'"{backup.revision}"'},
        )
        if who.model.account != backup.holder():
            assert refusal(answer) == (404, "not_found")
        elif backup.state != "draft":
            assert refusal(answer) == (409, "backup_closed")
        else:
            assert answer.status_code == 200, answer.text
            backup.title, backup.revision = title, backup.revision + 1

    @precondition(lambda self: self.drafts())
    @rule(which=WHICH, person=PEOPLE, rightly=RIGHTLY, dies=DIES)
    def somebody_submits(self, which: int, person: int, rightly: bool, dies: float | None) -> None:
        backup = pick(self.drafts(), which)
        who = self.holder(backup, person, rightly)
        answer = self.asks(who, f"/v1/backups/{backup.id}/submission", dies)
        if answer is None:
            return
        if who.model.account != backup.holder():
            assert refusal(answer) == (404, "not_found")
        elif not backup.complete:
            assert (answer.json()["verdict"], answer.json()["number"]) == ("rejected", None)
        elif backup.corrects is None:
            backup.state, backup.number = "numbered", answer.json()["number"]
            backup.numbered = self.country.step
        else:
            self.seals(backup, backup.corrects, answer)

    def seals(self, draft: Record, backup: Record, answer: httpx2.Response) -> None:
        """A correction is submitted."""
        if backup.state == "withdrawn":
            assert refusal(answer) == (409, "number_withdrawn")
        elif backup.holder() != draft.holder():
            assert refusal(answer) == (403, "not_allowed")
        else:
            assert answer.json()["number"] == backup.number
            draft.state = "superseded"
            draft.title, backup.title = backup.title, draft.title
            draft.revision, backup.revision = backup.revision, draft.revision
            draft.version, backup.version = backup.version, backup.version + 1

    @precondition(lambda self: self.drafts())
    @rule(which=WHICH, dies=DIES)
    def somebody_gives_a_draft_up(self, which: int, dies: float | None) -> None:
        backup = pick(self.drafts(), which)
        who = self.holder(backup, 0, True)
        answer = self.asks(who, f"/v1/backups/{backup.id}/withdrawal", dies)
        if answer is not None:
            assert answer.json()["state"] == "withdrawn"
            backup.state = "withdrawn"

    # --- numbers --------------------------------------------------------------------------------------

    @rule(which=WHICH, person=PEOPLE, rightly=RIGHTLY, dies=DIES)
    def somebody_withdraws_a_number(self, which: int, person: int, rightly: bool, dies: float | None) -> None:
        backup = pick(self.country.backups, which)
        who = self.holder(backup, person, rightly)
        answer = self.asks(who, f"/v1/backups/{backup.id}/number-withdrawal", dies, json={"reason": "选错"})
        if answer is None:
            return
        refused = self.amending(who, backup)
        if refused is None and backup.uses:
            refused = 409, "used_in_prior_report"
        if refused is not None:
            assert refusal(answer) == refused
        else:
            assert answer.json()["number"] == backup.number
            backup.state, backup.withdrawn = "withdrawn", self.country.step

    @rule(which=WHICH, person=PEOPLE, rightly=RIGHTLY, dies=DIES)
    def somebody_corrects(self, which: int, person: int, rightly: bool, dies: float | None) -> None:
        backup = pick(self.country.numbers, which)
        who = self.holder(backup, person, rightly)
        answer = self.asks(who, f"/v1/backups/{backup.id}/corrections", dies, json={"reason": "补录"})
        if answer is None:
            return
        refused = self.amending(who, backup)
        if refused is None and backup.legacy:
            refused = 409, "nothing_to_correct"
        if refused is None and any(
            each.corrects is backup and each.state == "draft" for each in self.country.backups
        ):
            refused = 409, "correction_open"
        if refused is not None:
            assert refusal(answer) == refused
            return
        assert answer.status_code == 201, answer.text
        draft = Record(UUID(answer.json()["backup_id"]), backup.unit, corrects=backup, title=backup.title)
        draft.revision = backup.revision
        self.country.backups.append(draft)
        self.country.gives([draft], who.model.account, object())

    @rule(which=WHICH, person=PEOPLE, rightly=RIGHTLY, at=WHICH, dies=DIES)
    def a_report_uses_a_number(
        self, which: int, person: int, rightly: bool, at: int, dies: float | None
    ) -> None:
        backup, when = pick(self.country.numbers, which), at % len(self.country.instants)
        who = self.holder(backup, person, rightly).model
        said = {
            "report_id": f"R-{uuid4()}",
            "backup_number": backup.number,
            "account": str(who.account),
            "used_at": self.country.instants[when].isoformat(),
        }
        answer = self.village.tells(self.system, "/v1/prior-reports", dies, said)
        if self.country.eligible(backup, who, when):
            assert answer.status_code == 201, answer.text
            backup.uses.append(when)
        else:
            assert refusal(answer) == (409, "not_eligible")
