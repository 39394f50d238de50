"""Judging of whole file lists."""

from sqlalchemy import Engine
from temporalio import activity

from schemas.contracts.backups import JudgeManifest
from store.database import writing
from store.manifests import judge_manifest
from store.releases import Rulebooks


class ManifestActivities:
    """Judges stored lists by releases that came after their upload."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks) -> None:
        self._engine = engine
        self._rulebooks = rulebooks

    @activity.defn
    def judge_manifest(self, order: JudgeManifest) -> None:
        """Judge every row of one list by one release; heartbeats with the last judged line."""
        with writing(self._engine) as writer:
            rulebook = self._rulebooks.by_digest(writer, order.release)
            judge_manifest(writer, order.manifest_id, rulebook, activity.heartbeat)
