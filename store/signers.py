"""Files of signing keys, and the two fictitious signers of development."""

import json
import os
from pathlib import Path

from rules.engine.release import Release
from rules.engine.signing import Signer, Signers, SigningKey
from store.database import Writer
from store.publication import ReleaseDesk
from store.releases import acts

AUTHOR, APPROVER = "development-author", "development-approver"


def write_private(key: SigningKey, path: Path) -> None:
    """Write a private key to a new file that only its owner can read.

    Raises:
        FileExistsError: There is a file already; a key is never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.file_content())


class DevelopmentSigners:
    """An author and an approver in one hand: for demo, development and tests, never in production.

    Attributes:
        author: Proposes.
        approver: Approves and schedules.
    """

    def __init__(self, trusted: Path) -> None:
        """Take the two keys beside the file of trusted keys; make all three files the first time.

        Args:
            trusted: The file of trusted keys (setting ``rule_signers``).

        Raises:
            SignersError: The files are there and malformed.
        """
        files = {name: trusted.with_name(f"{name}.key.json") for name in (AUTHOR, APPROVER)}
        if not trusted.exists():
            self._make(trusted, files)
        signers = Signers.load(trusted)
        self.author = ReleaseDesk(signers, SigningKey.load(files[AUTHOR]))
        self.approver = ReleaseDesk(signers, SigningKey.load(files[APPROVER]))

    @staticmethod
    def _make(trusted: Path, files: dict[str, Path]) -> None:
        keys = {name: SigningKey.generate(name) for name in files}
        for name, key in keys.items():
            files[name].unlink(
                missing_ok=True
            )  # left by an attempt that ended before the trusted file was written
            write_private(key, files[name])
        signers = Signers(
            signers={
                AUTHOR: Signer(public_key=keys[AUTHOR].public_key, roles=("author",)),
                APPROVER: Signer(public_key=keys[APPROVER].public_key, roles=("approver",)),
            }
        )
        trusted.write_text(json.dumps(signers.model_dump(mode="json"), indent=2))

    def publish(self, writer: Writer, release: Release) -> bool:
        """Propose, approve and schedule a release for its declared day, or today if that is past.

        Returns:
            False when it was scheduled or withdrawn before.
        """
        self.author.propose(writer, release)
        done = acts(writer, release.digest)[-1].act.kind
        if done in ("schedule", "withdraw"):
            return False
        if done == "propose":
            self.approver.approve(writer, release.digest)
        self.approver.schedule(writer, release.digest)
        return True
