"""The key file."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from wire.keys import KeyRing, KeysError


def test_a_saved_ring_loads_as_it_was_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.json"
    ring = KeyRing.generate()
    ring.save(path)
    assert KeyRing.load(path) == ring
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_rotation_keeps_every_old_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = KeyRing.generate()
    ring.model_copy(update={"codec": ring.codec.rotated().rotated()}).save(path)
    rotated = KeyRing.load(path).codec
    assert rotated.primary == "k3"
    assert rotated.key("k1") == ring.codec.key("k1")
    assert len({rotated.key(key_id) for key_id in rotated.keys}) == 3


def test_a_ring_never_shows_its_keys() -> None:
    ring = KeyRing.generate()
    shown = repr(ring) + str(ring)
    secret = json.loads(ring.model_dump_json())["index"]
    assert secret not in shown
    assert repr(ring.index.get_secret_value()) not in shown


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda ring: ring.pop("index"), "index"),
        (lambda ring: ring.update(index="c2hvcnQ="), "index"),
        (lambda ring: ring.update(index="13800001111!"), "index"),
        (lambda ring: ring.update(index=13800001111), "index"),
        (lambda ring: ring["codec"].update(primary="k9"), "codec"),
        (lambda ring: ring["codec"]["keys"].update({"k 2": ring["index"]}), "codec.keys"),
        (lambda ring: ring.update(extra="13800001111"), "extra"),
    ],
)
def test_a_malformed_key_file_is_refused_with_the_place_and_without_the_value(
    tmp_path: Path, change: Any, place: str
) -> None:
    path = tmp_path / "keys.json"
    KeyRing.generate().save(path)
    ring = json.loads(path.read_text())
    change(ring)
    path.write_text(json.dumps(ring))
    with pytest.raises(KeysError) as raised:
        KeyRing.load(path)
    assert place in str(raised.value)
    assert "13800001111" not in str(raised.value)


def test_a_missing_key_file_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"missing\.json"):
        KeyRing.load(tmp_path / "missing.json")
