"""Releases in a real database: in force by date, proven, append-only, one act at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

import store.publication
from rules.engine.acts import CHINA, ReleaseRefused, restored
from rules.engine.release import Release
from rules.engine.signing import Signers
from schemas.errors import Refusal
from settings import Settings
from store.database import reading, writing
from store.publication import rollback
from store.releases import Rulebooks, entries, find
from store.signers import APPROVER, AUTHOR, DevelopmentSigners

MakeRelease = Callable[..., Release]
Tamper = Callable[..., None]


@pytest.fixture
def signers(settings: Settings) -> DevelopmentSigners:
    return DevelopmentSigners(settings.rule_signers)


@pytest.fixture
def rulebooks(settings: Settings) -> Rulebooks:
    return Rulebooks(settings.rule_signers)


def put_in_force(engine: Engine, signers: DevelopmentSigners, *releases: Release) -> None:
    for release in releases:
        with writing(engine) as writer:
            assert signers.publish(writer, release)


def judging(engine: Engine, rulebooks: Rulebooks, at: datetime | None = None) -> str:
    """Version of the release that judges, or the code of the refusal."""
    with reading(engine) as reader:
        try:
            return rulebooks.in_force(reader, at or datetime.now(UTC)).release.version
        except Refusal as refusal:
            return refusal.error.code


def statuses(engine: Engine, settings: Settings, at: datetime | None = None) -> dict[str, str]:
    trusted = Signers.load(settings.rule_signers)
    with reading(engine) as reader:
        return {entry.version: entry.status for entry in entries(reader, trusted, at or datetime.now(UTC))}


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=CHINA)


def test_a_release_judges_from_midnight_in_china_on_and_never_before_it_was_scheduled(
    engine: Engine,
    settings: Settings,
    signers: DevelopmentSigners,
    rulebooks: Rulebooks,
    release_of: MakeRelease,
    today: date,
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert judging(engine, rulebooks) == "no_rulebook_in_force"
    day = today + timedelta(days=10)
    put_in_force(engine, signers, release_of("2026.11.1"), release_of("2026.12.1", day, 1))
    assert judging(engine, rulebooks) == "2026.11.1"
    assert judging(engine, rulebooks, before) == "no_rulebook_in_force"
    assert judging(engine, rulebooks, midnight(day) - timedelta(microseconds=1)) == "2026.11.1"
    assert judging(engine, rulebooks, midnight(day)) == "2026.12.1"
    assert statuses(engine, settings) == {"2026.11.1": "in_force", "2026.12.1": "scheduled"}
    assert statuses(engine, settings, midnight(day)) == {"2026.11.1": "superseded", "2026.12.1": "in_force"}


def test_proposed_and_approved_releases_do_not_judge_and_a_withdrawn_one_never_will(
    engine: Engine,
    settings: Settings,
    signers: DevelopmentSigners,
    rulebooks: Rulebooks,
    release_of: MakeRelease,
    today: date,
) -> None:
    put_in_force(engine, signers, release_of("2026.11.1"))
    release = release_of("2026.11.2", today + timedelta(days=1), 1)
    with writing(engine) as writer:
        assert signers.author.propose(writer, release)
        assert not signers.author.propose(writer, release)
    assert statuses(engine, settings)["2026.11.2"] == "proposed"
    with reading(engine) as reader, pytest.raises(Refusal, match="release_untrusted"):
        rulebooks.by_digest(reader, release.digest)
    with writing(engine) as writer:
        signers.approver.approve(writer, release.digest)
        assert signers.approver.schedule(writer, release.digest) == today + timedelta(days=1)
        assert signers.approver.schedule(writer, release.digest, today + timedelta(days=3))
        signers.author.withdraw(writer, release.digest)
    assert judging(engine, rulebooks, midnight(today + timedelta(days=9))) == "2026.11.1"
    assert statuses(engine, settings)["2026.11.2"] == "withdrawn"
    with writing(engine) as writer, pytest.raises(ReleaseRefused, match="撤回后不能再用"):
        signers.approver.schedule(writer, release.digest)


def test_what_is_in_force_is_brought_back_only_by_a_new_release_of_two_people(
    engine: Engine, settings: Settings, signers: DevelopmentSigners, rulebooks: Rulebooks,
    release_of: MakeRelease, today: date,
) -> None:  # fmt: skip
    first, second = release_of("2026.11.1"), release_of("2026.11.2", content=1)
    put_in_force(engine, signers, first, second)
    with writing(engine) as writer, pytest.raises(ReleaseRefused, match="rollback"):
        signers.approver.withdraw(writer, second.digest)
    with writing(engine) as writer:
        third = rollback(writer, signers.author, first, "2026.11.3", today)
    assert judging(engine, rulebooks) == "2026.11.2"
    put_in_force(engine, signers, third)
    assert judging(engine, rulebooks) == "2026.11.3"
    assert restored(third, first.version, first.effective_from).digest == first.digest
    assert statuses(engine, settings) == {
        "2026.11.1": "superseded", "2026.11.2": "superseded", "2026.11.3": "in_force",
    }  # fmt: skip
    forged = restored(second, "2026.11.4", today)
    with writing(engine) as writer, pytest.raises(ReleaseRefused) as refused:
        signers.author.propose(writer, forged, restores=first.digest)
    assert refused.value.code == "content_altered"


@pytest.mark.parametrize(
    ("day", "code"),
    [(-1, "date_in_past"), (4, "date_before_declared"), (6, "date_before_last"), (7, None)],
)
def test_an_effective_date_is_neither_past_nor_before_the_declared_nor_before_the_last(
    engine: Engine, signers: DevelopmentSigners, release_of: MakeRelease, today: date, day: int,
    code: str | None,
) -> None:  # fmt: skip
    put_in_force(engine, signers, release_of("2026.11.1", today))
    if code in ("date_before_last", None):
        put_in_force(engine, signers, release_of("2026.11.2", today + timedelta(days=7), 1))
    release = release_of("2026.11.3", today + timedelta(days=5), 2)
    with writing(engine) as writer:
        signers.author.propose(writer, release)
        signers.approver.approve(writer, release.digest)
        wanted = today + timedelta(days=day)
        if code is None:
            assert signers.approver.schedule(writer, release.digest, wanted) == wanted
            return
        if code == "date_in_past":
            with pytest.raises(ReleaseRefused):
                signers.approver.schedule(writer, release.digest, wanted)
            return
        with pytest.raises(ReleaseRefused) as refused:
            signers.approver.schedule(writer, release.digest, wanted)
        assert refused.value.code == code


def test_a_clock_that_says_yesterday_is_refused_and_nothing_is_stored(
    engine: Engine, signers: DevelopmentSigners, release_of: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Yesterday:
        @staticmethod
        def now(tz: tzinfo) -> datetime:
            return datetime.now(tz) - timedelta(days=1, seconds=1)

    monkeypatch.setattr(store.publication, "datetime", Yesterday)
    with pytest.raises(ReleaseRefused) as refused, writing(engine) as writer:
        signers.author.propose(writer, release_of("2026.11.1"))
    assert refused.value.code == "clocks_differ"
    with reading(engine) as reader:
        assert reader.execute(text("SELECT count(*) FROM rulebook_release")).scalar_one() == 0


def test_a_version_names_one_content_for_ever(
    engine: Engine, signers: DevelopmentSigners, release_of: MakeRelease
) -> None:
    put_in_force(engine, signers, release_of("2026.11.1"))
    with writing(engine) as writer:
        assert not signers.publish(writer, release_of("2026.11.1"))
        with pytest.raises(ReleaseRefused) as refused:
            signers.author.propose(writer, release_of("2026.11.1", content=1))
    assert refused.value.code == "version_taken"


def test_of_many_publishing_at_once_one_wins_and_the_others_are_told(
    engine: Engine, settings: Settings, signers: DevelopmentSigners, release_of: MakeRelease
) -> None:
    releases = [release_of("2026.11.1", content=n % 2) for n in range(6)]
    start = threading.Barrier(len(releases))

    def attempt(release: Release) -> str:
        start.wait()
        try:
            with writing(engine) as writer:
                return "new" if signers.publish(writer, release) else "there"
        except ReleaseRefused as refused:
            return refused.code

    with ThreadPoolExecutor(len(releases)) as threads:
        outcomes = sorted(threads.map(attempt, releases))
    assert outcomes == ["new", "there", "there", "version_taken", "version_taken", "version_taken"]
    assert statuses(engine, settings) == {"2026.11.1": "in_force"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rulebook_release SET canonical = 'x'",
        "UPDATE rulebook_release SET version = '2099.1.1'",
        "DELETE FROM rulebook_release",
        "UPDATE rulebook_act SET signer = 'other'",
        "DELETE FROM rulebook_act",
        "TRUNCATE rulebook_act",
        "TRUNCATE rulebook_release CASCADE",
    ],
)
def test_the_database_refuses_to_change_or_delete_a_release_or_an_act(
    engine: Engine, settings: Settings, signers: DevelopmentSigners, release_of: MakeRelease, statement: str
) -> None:
    put_in_force(engine, signers, release_of("2026.11.1"))
    with pytest.raises(IntegrityError) as refused, writing(engine) as writer:
        writer.execute(text(statement))
    assert isinstance(refused.value.orig, psycopg.errors.RestrictViolation)
    assert statuses(engine, settings) == {"2026.11.1": "in_force"}


TAMPERINGS = {
    "content": "UPDATE rulebook_release SET canonical = %s WHERE version = '2026.11.2'",
    "version": "UPDATE rulebook_release SET version = '2026.11.9' WHERE version = '2026.11.2'",
    "approver": "UPDATE rulebook_act SET signer = 'development-author' WHERE kind = 'approve'",
    "time": "UPDATE rulebook_act SET at = at + interval '1 microsecond' WHERE kind = 'schedule'",
    "signature": "UPDATE rulebook_act SET signature = reverse(signature) WHERE kind = 'approve'",
    "no approval": "DELETE FROM rulebook_act WHERE kind = 'approve'",
    "kind": "UPDATE rulebook_act SET kind = 'nod' WHERE kind = 'approve'",
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_an_altered_release_does_not_judge_and_the_one_before_stays_in_force(
    engine: Engine, settings: Settings, signers: DevelopmentSigners, release_of: MakeRelease, tamper: Tamper,
    what: str,
) -> None:  # fmt: skip
    first, second = release_of("2026.11.1"), release_of("2026.11.2", content=1)
    put_in_force(engine, signers, first, second)
    assert judging(engine, Rulebooks(settings.rule_signers)) == "2026.11.2"
    statement = TAMPERINGS[what]
    if "rulebook_act" in statement:
        statement += f" AND release_digest = '{second.digest}'"
    tamper(statement, *([release_of("2026.11.2", content=2).canonical()] if "%s" in statement else []))
    fresh = Rulebooks(settings.rule_signers)
    with capture_logs() as logs:
        assert judging(engine, fresh) == "2026.11.1"
        assert judging(engine, fresh) == "2026.11.1"
    assert [(log["event"], log["digest"]) for log in logs] == [("release_untrusted", second.digest)]
    assert "untrusted" in statuses(engine, settings).values()
    with reading(engine) as reader, pytest.raises(Refusal, match="release_untrusted"):
        fresh.by_digest(reader, second.digest)


def test_a_day_moved_forward_in_the_database_does_not_count(
    engine: Engine, settings: Settings, signers: DevelopmentSigners, release_of: MakeRelease, tamper: Tamper,
    today: date,
) -> None:  # fmt: skip
    put_in_force(engine, signers, release_of("2026.11.1"))
    put_in_force(engine, signers, release_of("2026.11.2", today + timedelta(days=30), 1))
    warm = Rulebooks(settings.rule_signers)
    assert judging(engine, warm, midnight(today + timedelta(days=30))) == "2026.11.2"
    tamper("UPDATE rulebook_act SET effective_from = effective_from - 30 WHERE effective_from > %s", today)
    assert judging(engine, Rulebooks(settings.rule_signers)) == "2026.11.1"
    assert judging(engine, warm) == "2026.11.1"


def test_a_release_put_into_the_database_without_signatures_never_judges(
    engine: Engine, rulebooks: Rulebooks, signers: DevelopmentSigners, release_of: MakeRelease, today: date
) -> None:
    put_in_force(engine, signers, release_of("2026.11.1"))
    release = release_of("2026.11.2", content=1)
    with writing(engine) as writer:
        writer.execute(
            text("INSERT INTO rulebook_release VALUES (:digest, '2026.11.2', :canonical, now())"),
            {"digest": release.digest, "canonical": release.canonical()},
        )
        for sequence, kind in enumerate(("propose", "approve", "schedule"), 1):
            writer.execute(
                text("INSERT INTO rulebook_act VALUES (:digest, :n, :kind, :who, now(), :day, NULL, :sig)"),
                {
                    "digest": release.digest,
                    "n": sequence,
                    "kind": kind,
                    "who": AUTHOR if sequence == 1 else APPROVER,
                    "day": today if sequence == 3 else None,
                    "sig": bytes(64),
                },
            )
    assert judging(engine, rulebooks) == "2026.11.1"


def test_a_release_stored_before_signatures_were_wanted_judges_once_it_is_signed(
    engine: Engine, rulebooks: Rulebooks, signers: DevelopmentSigners, release_of: MakeRelease
) -> None:
    release = release_of("2026.11.1")
    with writing(engine) as writer:
        writer.execute(
            text("INSERT INTO rulebook_release VALUES (:digest, '2026.11.1', :canonical, now())"),
            {"digest": release.digest, "canonical": release.canonical()},
        )
    assert judging(engine, rulebooks) == "no_rulebook_in_force"
    put_in_force(engine, signers, release)
    assert judging(engine, rulebooks) == "2026.11.1"


def test_trust_follows_the_file_of_keys_without_a_restart(
    engine: Engine, release_of: MakeRelease, tmp_path: Path
) -> None:
    ours = DevelopmentSigners(tmp_path / "ours" / "signers.json")
    put_in_force(engine, ours, release_of("2026.11.1"))
    DevelopmentSigners(tmp_path / "others" / "signers.json")
    trusted = tmp_path / "signers.json"
    trusted.write_bytes((tmp_path / "others" / "signers.json").read_bytes())
    rulebooks = Rulebooks(trusted)
    assert judging(engine, rulebooks) == "no_rulebook_in_force"
    trusted.write_bytes((tmp_path / "ours" / "signers.json").read_bytes())
    assert judging(engine, rulebooks) == "2026.11.1"
    trusted.write_text("half a fi")
    assert judging(engine, rulebooks) == "2026.11.1"


def test_releases_are_found_by_version_digest_or_its_beginning(
    engine: Engine, signers: DevelopmentSigners, release_of: MakeRelease
) -> None:
    release = release_of("2026.11.1")
    put_in_force(engine, signers, release)
    with reading(engine) as reader:
        for name in (release.version, release.digest, release.digest[:8]):
            assert find(reader, name).digest == release.digest
        for name in ("2026.11.2", release.digest[:7], "%", "________", ""):
            with pytest.raises(ReleaseRefused, match="没有这个规则版本"):
                find(reader, name)


def test_whatever_is_done_in_whatever_order_the_past_is_never_judged_anew(
    engine: Engine, settings: Settings, signers: DevelopmentSigners, release_of: MakeRelease, today: date
) -> None:
    """After every act, what judged at each earlier instant is what it was then; one release is in force."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            with engine.begin() as connection:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                connection.execute(text("DELETE FROM rulebook_act"))
                connection.execute(text("DELETE FROM rulebook_release"))
            self.releases: list[Release] = []
            self.seen: list[tuple[datetime, str]] = []

        def attempt(self, act: Callable[..., object], *arguments: object) -> None:
            try:
                with writing(engine) as writer:
                    act(writer, *arguments)
            except ReleaseRefused:
                pass

        @rule(declared=st.integers(-2, 3))
        def propose(self, declared: int) -> None:
            number = len(self.releases) + 1
            release = release_of(f"2026.11.{number}", today + timedelta(days=declared), number % 3)
            self.attempt(signers.author.propose, release)
            self.releases.append(release)

        @rule(data=st.data(), act=st.sampled_from(["approve", "withdraw"]))
        def decide(self, data: st.DataObject, act: str) -> None:
            if self.releases:
                digest = data.draw(st.sampled_from(self.releases)).digest
                self.attempt(getattr(signers.approver, act), digest)

        @rule(data=st.data(), day=st.integers(-1, 5))
        def schedule(self, data: st.DataObject, day: int) -> None:
            if self.releases:
                digest = data.draw(st.sampled_from(self.releases)).digest
                self.attempt(signers.approver.schedule, digest, today + timedelta(days=day))

        @invariant()
        def the_past_stands(self) -> None:
            fresh = Rulebooks(settings.rule_signers)
            now = datetime.now(UTC)
            self.seen.append((now, judging(engine, fresh, now)))
            assert [judging(engine, fresh, at) for at, _ in self.seen[-4:]] == [
                version for _, version in self.seen[-4:]
            ]
            shown = statuses(engine, settings, now)
            in_force = [version for version, status in shown.items() if status == "in_force"]
            assert in_force == [version for version in [self.seen[-1][1]] if version[0] == "2"]
            assert "untrusted" not in shown.values()

    run_state_machine_as_test(
        Machine,
        settings=effort(
            max_examples=6, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
