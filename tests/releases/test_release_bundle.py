"""The bundle for offline use: complete, the same every time, and proof against changes."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest

from rules.engine.acts import Act, ReleaseRefused, SignedAct, china_day
from rules.engine.bundle import MANIFEST, BundleError, pack, schemas, unpack
from rules.engine.cases import read_cases
from rules.engine.judge import Judge, verdict
from rules.engine.release import Release
from rules.engine.signing import Signer, Signers, SigningKey

KEYS = {name: SigningKey.generate(name) for name in ("ann", "bo")}
SIGNERS = Signers(
    signers={
        "ann": Signer(public_key=KEYS["ann"].public_key, roles=("author",)),
        "bo": Signer(public_key=KEYS["bo"].public_key, roles=("approver",)),
    }
)
NOW = datetime.now(UTC)


def signed_acts(release: Release) -> list[SignedAct]:
    acts = []
    for sequence, (kind, signer) in enumerate(
        (("propose", "ann"), ("approve", "bo"), ("schedule", "bo")), start=1
    ):
        day = max(release.effective_from, china_day(NOW)) if kind == "schedule" else None
        act = Act.model_validate(
            {"release": release.digest, "version": release.version, "sequence": sequence, "kind": kind,
             "signer": signer, "at": NOW, "effective_from": day}
        )  # fmt: skip
        acts.append(act.signed(KEYS[signer]))
    return acts


@pytest.fixture(scope="module")
def bundle(our_rules: Release) -> bytes:
    return pack(our_rules, signed_acts(our_rules), SIGNERS)


def repacked(data: bytes, change: Callable[[dict[str, bytes]], Mapping[str, bytes]]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in change(files).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_manifest(content: dict[str, bytes], /, **changes: Any) -> dict[str, bytes]:
    return content | {MANIFEST: json.dumps(json.loads(content[MANIFEST]) | changes).encode()}


def test_any_validator_runs_the_exported_schemas_with_our_verdict(our_rules: Release) -> None:
    judge = Judge(our_rules)
    validators = {
        name.removeprefix("schemas/").removesuffix(".schema.json"): jsonschema.Draft202012Validator(
            json.loads(content), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        for name, content in schemas(our_rules)
    }
    beyond = {rule.id for rule in our_rules.rules.values() if rule.order or rule.unique}
    judged = 0
    for case in read_cases(Path("rules")):
        findings = judge.judge(case.subject, case.record)
        if beyond.isdisjoint(finding.rule for finding in findings):
            judged += 1
            assert validators[case.subject].is_valid(case.record) == (verdict(findings) == "accepted"), case
    assert judged > 100


def test_a_bundle_proves_itself_and_is_the_same_every_time(our_rules: Release, bundle: bytes) -> None:
    found = unpack(bundle, SIGNERS)
    assert found.release.digest == our_rules.digest
    assert unpack(bundle).signers == SIGNERS
    assert pack(found.release, found.acts, SIGNERS) == bundle


def test_other_keys_do_not_prove_it(bundle: bytes) -> None:
    others = Signers(
        signers={
            name: Signer(public_key=SigningKey.generate(name).public_key, roles=("author", "approver"))
            for name in KEYS
        }
    )
    with pytest.raises(ReleaseRefused):
        unpack(bundle, others)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda files: {**files, "more.json": b"{}"}, id="a file more"),
        pytest.param(
            lambda files: {name: content for name, content in files.items() if "project" not in name},
            id="a file less",
        ),
        pytest.param(
            lambda files: {
                name: content.replace(b'"maximum"', b'"minimum"') for name, content in files.items()
            },
            id="another threshold",
        ),
        pytest.param(lambda files: with_manifest(files, acts=[]), id="no acts"),
        pytest.param(lambda files: with_manifest(files, digest="0" * 64), id="another digest"),
        pytest.param(lambda files: with_manifest(files, format="other/1"), id="another format"),
        pytest.param(lambda files: with_manifest(files, acts=[{"signature": "="}]), id="no act"),
        pytest.param(lambda files: with_manifest(files, signers=7), id="no signers"),
        pytest.param(lambda files: {**files, MANIFEST: b"[" * 5000}, id="nested without end"),
    ],
)
def test_a_changed_bundle_is_refused(
    bundle: bytes, change: Callable[[dict[str, bytes]], Mapping[str, bytes]]
) -> None:
    with pytest.raises((BundleError, ReleaseRefused)):
        unpack(repacked(bundle, change))


def test_schemas_changed_together_with_their_hashes_are_refused(bundle: bytes) -> None:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        name = "schemas/data-file.schema.json"
        files = files | {name: b"{}"}
        named = json.loads(files[MANIFEST])["files"] | {name: hashlib.sha256(b"{}").hexdigest()}
        return with_manifest(files, files=named)

    with pytest.raises(BundleError, match="导出"):
        unpack(repacked(bundle, change), SIGNERS)


def test_a_bundle_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, bytes(65 * 1024 * 1024))
    with pytest.raises(BundleError):
        unpack(buffer.getvalue())


def test_no_bit_can_be_changed_unnoticed(bundle: bytes) -> None:
    expected = unpack(bundle, SIGNERS)
    random = Random(7)
    refused = 0
    for _ in range(150):
        changed = bytearray(bundle)
        changed[random.randrange(len(bundle))] ^= 1 << random.randrange(8)
        try:
            found = unpack(bytes(changed), SIGNERS)
        except (BundleError, ReleaseRefused):
            refused += 1
        else:  # a date of the zip itself, which nobody reads
            assert (found.release.digest, found.acts) == (expected.release.digest, expected.acts)
    assert refused > 100
