"""The import: any way of cutting or repeating the same rows leaves the same database."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from cli import legacy as command
from rules.engine.load import load_rulebook
from rules.engine.persons import normalise_name
from rules.engine.procedures import Matching
from settings import Settings
from store.database import writing
from store.encryption import ColumnCipher
from store.legacy_import import import_file
from store.signers import DevelopmentSigners
from wire.keys import KeyRing

HEADER = ["姓名", "手机号", "单位", "备份编号", "日期", "项目名称", "状态"]
Row = list[str]


@pytest.fixture(scope="module")
def rules() -> Matching:
    return load_rulebook(Path("rules")).procedure("claiming").matching


@pytest.fixture(scope="module")
def cipher() -> ColumnCipher:
    return ColumnCipher(KeyRing.generate())


def write(path: Path, rows: Iterable[Row], header: Row = HEADER, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def stored(engine: Engine, cipher: ColumnCipher, rules: Matching) -> list[Any]:
    """Everything imported that does not depend on when and how it came."""
    with engine.connect() as connection:
        persons = [
            (id_, normalise_name(cipher.decrypt(name, "legacy_registrant", "name", id_), rules), phone, code)
            for id_, name, phone, code in connection.execute(
                text("SELECT id, name, person_index, unit_code FROM legacy_registrant ORDER BY id")
            )
        ]
        backups = connection.execute(
            text("SELECT id, number, title, created_at, closed_at, registrant_id FROM backup ORDER BY number")
        )
        drafts = connection.execute(text("SELECT id, registrant_id FROM legacy_draft ORDER BY id"))
        return [persons, list(map(tuple, backups)), list(map(tuple, drafts))]


def forget(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE backup, legacy_registrant, legacy_import CASCADE"))


names = st.sampled_from(["张锦华", "張錦華", " 张 锦华", "Li Ming", "阿依古丽·买买提"])
phones = st.sampled_from(["13800138000", "+86 138 0013 8000", "13900139000"])
units = st.sampled_from(["某某大学（北京）", "某某大学(北京)", "12100000400012345X"])
days = st.sampled_from(["2019-05-28", "2019/5/28", "20190529", "2019年5月30日"])
titles = st.sampled_from(["队列研究", "", 'A "quoted", title'])


@st.composite
def exports(draw: st.DrawFn) -> list[Row]:
    """Rows of an export: each number once, drafts without number."""
    rows = draw(st.lists(st.tuples(names, phones, units, days, titles, st.booleans()), max_size=12))
    return [
        [name, phone, unit, "" if draft else f"BF2019{n:05}", day, title, "草稿" if draft else "已编号"]
        for n, (name, phone, unit, day, title, draft) in enumerate(rows)
    ]


@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=exports(), data=st.data())
def test_however_a_file_is_cut_and_repeated_the_database_is_the_same(
    engine: Engine,
    cipher: ColumnCipher,
    rules: Matching,
    tmp_path: Path,
    rows: list[Row],
    data: st.DataObject,
) -> None:
    forget(engine)
    whole = import_file(engine, cipher, rules, write(tmp_path / "whole.csv", rows)).tally
    assert whole.imported + whole.drafts + whole.repeated == len(rows)
    expected = stored(engine, cipher, rules)
    again = import_file(engine, cipher, rules, write(tmp_path / "again.csv", [*rows, *rows])).tally
    assert (again.imported, again.drafts, again.faulty) == (0, 0, 0)
    assert stored(engine, cipher, rules) == expected
    forget(engine)
    cut = data.draw(st.integers(0, len(rows)))
    for n, part in enumerate((rows[cut:], rows, rows[:cut])):
        import_file(engine, cipher, rules, write(tmp_path / f"{n}.csv", part))
    assert stored(engine, cipher, rules) == expected


GOOD = ["张锦华", "13800138000", "某某大学", "BF201900001", "2019-05-28", "队列研究", "已编号"]


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (0, "", "name_missing"),
        (0, "张" * 61, "name_too_long"),
        (0, "张😀", "name_unreadable"),
        (1, "", "phone_missing"),
        (1, "010-84097816", "phone_not_mobile"),
        (1, "+852 5123 4567", "phone_abroad"),
        (1, "1380013800o", "phone_has_letters"),
        (1, "1380013800😀", "phone_has_symbols"),
        (1, "1380013800", "phone_invalid"),
        (2, "", "legacy.unit_missing"),
        (3, "", "legacy.number_missing"),
        (3, "BF 2019", "legacy.number_unreadable"),
        (4, "去年五月", "legacy.date_unreadable"),
        (4, "2019-02-30", "legacy.date_unreadable"),
        (5, "题" * 1001, "legacy.title_too_long"),
        (6, "草稿", "legacy.draft_with_number"),
        (6, "其他", "legacy.status_unknown"),
    ],
)
def test_a_bad_row_is_told_by_line_and_column_and_the_rest_is_imported(
    place: int, value: str, code: str, engine: Engine, cipher: ColumnCipher, rules: Matching, tmp_path: Path
) -> None:
    bad = [value if n == place else cell for n, cell in enumerate(GOOD)]
    good = [*GOOD[:3], "BF201900002", *GOOD[4:]]
    done = import_file(engine, cipher, rules, write(tmp_path / "export.csv", [bad, good]))
    assert (done.tally.imported, done.tally.faulty) == (1, 1)
    with engine.connect() as connection:
        faults = connection.execute(text('SELECT line, "column", code FROM legacy_import_fault')).all()
    column = "备份编号" if code == "legacy.draft_with_number" else HEADER[place]
    assert [tuple(fault) for fault in faults] == [(2, column, code)]


def test_the_same_number_with_other_content_is_told_and_changes_nothing(
    engine: Engine, cipher: ColumnCipher, rules: Matching, tmp_path: Path
) -> None:
    import_file(engine, cipher, rules, write(tmp_path / "first.csv", [GOOD]))
    expected = stored(engine, cipher, rules)
    others = [
        ["李四", *GOOD[1:]],
        [*GOOD[:4], "2019-05-29", *GOOD[5:]],
        [*GOOD[:5], "另一题目", GOOD[6]],
        [*GOOD[:3], GOOD[3].lower(), *GOOD[4:]],
    ]
    done = import_file(engine, cipher, rules, write(tmp_path / "second.csv", others))
    assert (done.tally.imported, done.tally.repeated, done.tally.faulty) == (0, 1, 3)
    assert stored(engine, cipher, rules)[1:] == expected[1:]


def test_workbooks_other_encodings_and_english_headers_say_the_same(
    engine: Engine, cipher: ColumnCipher, rules: Matching, tmp_path: Path
) -> None:
    import_file(engine, cipher, rules, write(tmp_path / "utf8.csv", [GOOD]))
    expected = stored(engine, cipher, rules)
    english = ["Registrant", "Mobile", "unit", "Backup Number", "date", "Title", "STATUS"]
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (HEADER, GOOD):
        book.active.append(row)
    book.save(tmp_path / "export.xlsx")
    write(tmp_path / "gb.csv", [GOOD], encoding="gb18030")
    write(tmp_path / "english.csv", [[*GOOD[:6], "numbered"]], english)
    for name in ("export.xlsx", "gb.csv", "english.csv"):
        forget(engine)
        import_file(engine, cipher, rules, tmp_path / name)
        assert stored(engine, cipher, rules) == expected, name


@pytest.fixture
def deployed(settings: Settings, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Settings:
    """The command's settings in the environment, and a release in force."""
    with writing(engine) as writer:
        DevelopmentSigners(settings.rule_signers).publish(writer, load_rulebook(Path("rules")))
    monkeypatch.setenv("HGRIP_DATABASE_URL", settings.database_url.get_secret_value())
    for name in ("keys_file", "rule_signers", "token_issuer", "jwks", "deployment"):
        monkeypatch.setenv(f"HGRIP_{name.upper()}", str(getattr(settings, name)))
    return settings


def many(rows: int) -> Iterator[Row]:
    for n in range(rows):
        registrant = n // 20
        phone = f"138{registrant:08}"
        yield [
            f"张{chr(0x4E00 + registrant % 500)}",
            phone,
            "某某大学",
            f"BF2019{n:07}",
            "2019-05-28",
            "题",
            "",
        ]


def test_an_import_killed_half_way_goes_on_where_it_stopped(
    deployed: Settings, engine: Engine, rules: Matching, tmp_path: Path
) -> None:
    path, rows = write(tmp_path / "export.csv", many(70_000)), 70_000
    run = [sys.executable, "-c", "from cli.main import app; app()", "legacy", "import", str(path), "--json"]
    log = tmp_path / "log"
    with log.open("wb") as told, subprocess.Popen(run, stdout=told, stderr=told) as child:
        deadline = time.monotonic() + 60
        while _scalar(engine, "SELECT coalesce(max(line), 0) FROM legacy_import") == 0:
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    left = _scalar(engine, "SELECT count(*) FROM backup")
    assert 0 < left < rows
    assert left == _scalar(engine, "SELECT line - 1 FROM legacy_import")
    done = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
    assert (done["imported"], done["repeated"], done["faulty"]) == (rows, 0, 0)
    assert _scalar(engine, "SELECT count(DISTINCT number) FROM backup") == rows
    assert _scalar(engine, "SELECT count(*) FROM legacy_registrant") == rows / 20


def _scalar(engine: Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def test_the_command_tells_what_was_not_imported_without_a_word_of_it(
    deployed: Settings, engine: Engine, tmp_path: Path
) -> None:
    secret = ["王五华", "0108409", "某某大学", "BF201900003", "2019-05-28", "队列研究", "已编号"]
    path = write(tmp_path / "export.csv", [GOOD, secret, [*GOOD[:3], "", "", "", "草稿"]])
    done = CliRunner().invoke(command.app, ["import", str(path), "--json"])
    assert done.exit_code == 1, done.output
    report = (tmp_path / "export.csv.faults.csv").read_text("utf-8-sig")
    assert "3,手机号,phone_invalid" in report
    assert not any(word in report + done.output for word in ("王五华", "0108409", "张锦华"))
    shown = json.loads(CliRunner().invoke(command.app, ["show", "--json"]).stdout)
    assert shown == {
        "registrants": 1, "held": 0, "unheld": 1, "drafts": 1, "imports": 1, "unfinished": 0
    }  # fmt: skip
    missing = CliRunner().invoke(command.app, ["import", str(write(tmp_path / "b.csv", [], HEADER[1:]))])
    assert missing.exit_code == 1
    assert "姓名 / name" in missing.output
