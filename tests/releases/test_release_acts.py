"""The order of acts as a pure function: who may do what, when."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.acts import (
    Act,
    Content,
    Kind,
    ReleaseRefused,
    SignedAct,
    china_day,
    next_version,
    require_allowed,
    verify,
)
from rules.engine.signing import Signer, Signers, SignersError, SigningKey
from store.signers import write_private

KEYS = {name: SigningKey.generate(name) for name in ("ann", "bo", "cy", "mal")}
SIGNERS = Signers(
    signers={
        "ann": Signer(public_key=KEYS["ann"].public_key, roles=("author", "approver")),
        "bo": Signer(public_key=KEYS["bo"].public_key, roles=("approver",)),
        "cy": Signer(public_key=KEYS["cy"].public_key, roles=("author",)),
    }
)
CANONICAL = json.dumps({"rulebook": {"effective_from": "2026-12-01", "version": "2026.12.1"}}).encode()
CONTENT = Content.read(CANONICAL)
MONDAY = datetime(2026, 11, 23, 4, tzinfo=UTC)

KINDS: tuple[Kind, ...] = ("propose", "approve", "schedule", "withdraw")
attempts = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from([*KEYS]),
        st.integers(0, 20),  # days until it is tried
        st.integers(-5, 40),  # days from the trial to the effective date
    ),
    max_size=12,
)


def act(before: list[Act], kind: Kind, signer: str, at: datetime, day: date | None = None) -> Act:
    return Act(
        release=CONTENT.digest,
        version=CONTENT.version,
        sequence=len(before) + 1,
        kind=kind,
        signer=signer,
        at=at,
        effective_from=day if kind == "schedule" else None,
    )


def refusal(before: list[Act], new: Act, signers: Signers = SIGNERS) -> str | None:
    try:
        require_allowed(CONTENT, before, new, signers)
    except ReleaseRefused as refused:
        return refused.code
    return None


@given(attempts)
def test_whatever_is_tried_what_judges_was_approved_by_another_and_dated_ahead(
    tried: list[tuple[Kind, str, int, int]],
) -> None:
    at, done = MONDAY, list[Act]()
    for kind, signer, later, ahead in tried:
        at += timedelta(days=later)
        new = act(done, kind, signer, at, china_day(at) + timedelta(days=ahead))
        if refusal(done, new) is None:
            done.append(new)
    kinds = [each.kind for each in done]
    assert kinds[:1] in ([], ["propose"])
    assert kinds.count("propose") <= 1
    assert "withdraw" not in kinds[:-1]
    for position, each in enumerate(done):
        if each.kind == "schedule":
            assert "approve" in kinds[:position]
            assert each.effective_from is not None
            assert each.effective_from >= max(china_day(each.at), CONTENT.declared)
        if each.kind in ("approve", "schedule"):
            assert each.signer != done[0].signer
            assert "approver" in SIGNERS.signers[each.signer].roles
        before = done[position - 1].effective_from if position else None
        assert before is None or china_day(each.at) < before
    verify(CANONICAL, CONTENT.digest, [each.signed(KEYS[each.signer]) for each in done], SIGNERS)


def in_force() -> list[Act]:
    proposed = act([], "propose", "ann", MONDAY)
    approved = act([proposed], "approve", "bo", MONDAY)
    return [proposed, approved, act([proposed, approved], "schedule", "bo", MONDAY, date(2026, 12, 1))]


@pytest.mark.parametrize(
    ("done", "kind", "signer", "days", "code"),
    [
        (0, "propose", "bo", 0, "wrong_role"),
        (0, "propose", "mal", 0, "unknown_signer"),
        (0, "approve", "bo", 0, "wrong_order"),
        (1, "propose", "cy", 0, "wrong_order"),
        (1, "approve", "ann", 0, "own_release"),
        (1, "approve", "cy", 0, "wrong_role"),
        (1, "schedule", "bo", 0, "wrong_order"),
        (1, "withdraw", "cy", 0, None),
        (2, "approve", "bo", 0, "wrong_order"),
        (2, "schedule", "ann", 0, "own_release"),
        (2, "schedule", "bo", 7, "date_before_declared"),
        (2, "schedule", "bo", 30, "date_in_past"),
        (3, "withdraw", "ann", 7, None),
        (3, "withdraw", "ann", 8, "in_force_already"),
        (3, "schedule", "bo", 8, "in_force_already"),
    ],
)
def test_an_act_out_of_turn_is_refused_by_name(
    done: int, kind: Kind, signer: str, days: int, code: str | None
) -> None:
    before, at = in_force()[:done], MONDAY + timedelta(days=days)
    assert refusal(before, act(before, kind, signer, at, date(2026, 11, 30))) == code


def test_a_retired_key_signs_nothing_new_and_what_it_signed_stands() -> None:
    signed = [each.signed(KEYS[each.signer]) for each in in_force()]
    entries = SIGNERS.signers | {
        "bo": SIGNERS.signers["bo"].model_copy(update={"retired_on": date(2026, 11, 24)})
    }
    retired = Signers(signers=entries)
    verify(CANONICAL, CONTENT.digest, signed, retired)
    before = in_force()[:2]
    later = act(before, "schedule", "bo", MONDAY + timedelta(days=1), date(2026, 12, 1))
    assert refusal(before, later, retired) == "retired_signer"


@given(st.integers(0, 2), st.sampled_from(["signer", "at", "effective_from", "version", "restores"]))
def test_no_field_of_a_signed_act_can_be_changed(position: int, field: str) -> None:
    signed = [each.signed(KEYS[each.signer]) for each in in_force()]
    forged = {
        "signer": "bo" if position == 0 else "ann",
        "at": MONDAY + timedelta(seconds=1),
        "effective_from": date(2026, 12, 2),
        "version": "2026.12.2",
        "restores": "0" * 64,
    }
    changed = signed[position].act.model_copy(update={field: forged[field]})
    signed[position] = SignedAct(changed, signed[position].signature)
    with pytest.raises(ReleaseRefused):
        verify(CANONICAL, CONTENT.digest, signed, SIGNERS)


def test_no_act_can_be_left_out_and_none_made_for_another_release() -> None:
    signed = [each.signed(KEYS[each.signer]) for each in in_force()]
    for kept in (signed[1:], signed[:1] + signed[2:], [signed[0], signed[2], signed[1]]):
        with pytest.raises(ReleaseRefused):
            verify(CANONICAL, CONTENT.digest, kept, SIGNERS)
    other = CANONICAL.replace(b"2026.12.1", b"2026.12.7")
    with pytest.raises(ReleaseRefused):
        verify(other, Content.read(other).digest, signed, SIGNERS)


def test_two_ids_with_one_key_are_refused_when_the_trusted_keys_are_read(tmp_path: Path) -> None:
    signer = SIGNERS.signers["ann"].model_dump(mode="json")
    path = tmp_path / "signers.json"
    path.write_text(json.dumps({"signers": {"ann": signer, "bob": signer}}))
    with pytest.raises(SignersError, match="two pairs of eyes would be one"):
        Signers.load(path)


def test_a_private_key_that_others_can_read_is_refused_and_none_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "ann.key.json"
    write_private(KEYS["ann"], path)
    assert SigningKey.load(path).public_key == KEYS["ann"].public_key
    secret = json.loads(path.read_text())["private_key"]
    path.chmod(0o640)
    with pytest.raises(SignersError, match="chmod 600") as open_to_others:
        SigningKey.load(path)
    path.chmod(0o600)
    path.write_text(path.read_text().replace('"id"', '"name"'))
    with pytest.raises(SignersError) as malformed:
        SigningKey.load(path)
    assert secret not in f"{open_to_others.value}{malformed.value}{KEYS['ann']!r}"
    with pytest.raises(FileExistsError):
        write_private(KEYS["bo"], path)


def test_the_next_version_is_the_first_free_serial_of_the_month() -> None:
    taken = ["2026.11.1", "2026.11.10", "2026.1.5"]
    assert next_version(taken, date(2026, 11, 30)) == "2026.11.11"
    assert next_version(taken, date(2026, 12, 1)) == "2026.12.1"
