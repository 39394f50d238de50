"""Stored backups for tests: saved and sealed by the real activities, without Temporal in between."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from activities.backups import BackupActivities
from manifests.reader import open_manifest
from rules.engine.release import Release
from schemas.contracts.backups import RecordStep, SaveStep, SealBackup, Submit, Verdict
from schemas.tables.backups import Backup
from settings import Settings
from store.accounts import Profile, sign_in
from store.database import connect, reading, writing
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.manifests import add_manifest
from store.releases import Rulebooks
from store.signers import DevelopmentSigners
from wire.keys import KeyRing

UNIT = "12110000600037341R"
PERSON = "欧阳测试"
PROJECT: dict[str, Any] = {
    "title": "中国人群心血管队列研究",
    "description": "研究中国成年人群心血管疾病的遗传因素。",
    "funding_source": "国家重点研发计划",
    "start_date": "2024-01-01",
    "end_date": "2027-12-31",
    "principal_investigator": PERSON,
    "undertaking_unit": "某某大学第一医院",
    "unit_code": UNIT,
    "contact_name": PERSON,
    "contact_mobile": "13800138000",
    "contact_email": "contact@example.org",
    "ethics_approval_number": "2024-KY-001",
}
INFORMATION: dict[str, Any] = {
    "title": "心血管队列全外显子组数据",
    "provision": "open_use",
    "purpose": "开放给合作方用于联合分析心血管疾病的遗传因素。",
    "categories": ["wes"],
    "individual_count": 400,
    "sample_count": 400,
    "important_pedigree": False,
    "specific_region": False,
    "consent_attested": True,
    "no_state_secret_attested": True,
}
FILES = (
    "file_name,repository,accession,category,data_type,md5\n"
    "a.fastq.gz,gsa-human,{accession},wes,raw,d41d8cd98f00b204e9800998ecf8427e\n"
)

STRICTER = [
    ("requirements/security-review.yaml", "exclusiveMinimum: 500", "exclusiveMinimum: 300"),
    ("requirements/security-review.yaml", "severity: advice", "severity: error"),
    ("repositories/gsa-human.yaml", "HRA[0-9]{6,}", "HRA[0-9]{6}"),
    ("repositories/gsa-human.yaml", "HRA016642, HRA1000000]", "HRA016642]"),
    ("forms/backup-information.yaml", "minLength: 10", "minLength: 4"),
]


class WorkbenchStage:
    """One database with a person who backs up."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self.engine = connect(settings.database_url.get_secret_value(), pool_size=2)
        cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        self.forms = FormStore(cipher)
        self.signers = DevelopmentSigners(settings.rule_signers)
        self.rulebooks = Rulebooks(settings.rule_signers)
        self._activities = BackupActivities(self.engine, self.rulebooks, self.forms)
        self.account_id = uuid4()
        profile = Profile(self.account_id, PERSON, "13800138000", UNIT, "某某大学第一医院", True, True, False)
        with writing(self.engine) as writer:
            sign_in(writer, cipher, profile, datetime.now(UTC))

    def publish(self, release: Release) -> None:
        with writing(self.engine) as writer:
            self.signers.publish(writer, release)

    def draft(self, accession: str = "HRA000001", **information: Any) -> UUID:
        """All three steps, saved."""
        backup_id = uuid4()
        self._save(backup_id, "project", self._form("project", PROJECT))
        self._save(
            backup_id, "backup-information", self._form("backup-information", INFORMATION | information)
        )
        self._save(backup_id, "data-files", self._list(FILES.format(accession=accession)))
        return backup_id

    def submit(self, backup_id: UUID) -> Verdict:
        order = SealBackup(
            operation_id=uuid4(),
            backup_id=backup_id,
            command=Submit(account_id=self.account_id),
            at=datetime.now(UTC),
        )
        verdict = self._activities.seal_backup(order).verdict
        assert verdict is not None
        return verdict

    def _form(self, form: str, content: dict[str, Any]) -> tuple[UUID, str]:
        content_id = uuid4()
        with writing(self.engine) as writer:
            release = self.rulebooks.in_force(writer, datetime.now(UTC)).release
            return content_id, self.forms.add(writer, content_id, self.account_id, release, form, content)

    def _list(self, text: str) -> tuple[UUID, str]:
        content_id, sha256 = uuid4(), "0" * 64
        path = self._folder / f"{content_id}.csv"
        path.write_text(text, "utf-8")
        with writing(self.engine) as writer:
            rulebook = self.rulebooks.in_force(writer, datetime.now(UTC))
            manifest = open_manifest(path, "text/csv")
            add_manifest(writer, manifest, content_id, self.account_id, sha256, rulebook, "data-file")
        return content_id, sha256

    def _save(self, backup_id: UUID, step: str, content: tuple[UUID, str]) -> None:
        command = SaveStep(
            step=step, revision=0, content_id=content[0], sha256=content[1], account_id=self.account_id
        )
        self._activities.record_step(
            RecordStep(
                operation_id=uuid4(),
                backup_id=backup_id,
                creator_id=self.account_id,
                unit_code=UNIT,
                command=command,
                at=datetime.now(UTC),
            )
        )

    def release_of(self, backup_id: UUID) -> str:
        """Version of the release that a numbered backup shows."""
        with reading(self.engine) as reader:
            digest = reader.get_one(Backup, backup_id).release_digest
            assert digest is not None
            return self.rulebooks.by_digest(reader, digest).release.version

    def close(self) -> None:
        self.engine.dispose()
