"""Uploads of file lists: spooled to disk, streamed into the database, then saved as a step."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.accounts import Member
from api.bodies import StrictRoute
from api.changes import Key, Revision, asked
from api.drafts import (
    SAVE,
    declared_step,
    require_current,
    require_own,
    saved,
    send_update,
)
from api.language import LanguageDep
from api.platform import PlatformDep
from manifests.reader import Limits, UnreadableFile, fault_sentence, open_manifest
from rules.engine.procedures import Step
from schemas.contracts import backups as contract
from schemas.errors import Refusal
from schemas.http import backups as http
from schemas.tables.contents import ManifestContent
from schemas.texts import Text
from store.database import Writer
from store.manifests import add_manifest
from store.releases import Rulebook
from workflows.backup_creation import BackupCreation

router = APIRouter(prefix="/v1/backups", tags=["draft"], route_class=StrictRoute)

MEDIA_TYPES = {
    "text/csv": "file_name,repository,accession,category,data_type\nA_1.fq.gz,gsa-human,HRA009001,wgs,raw\n",
    "text/tab-separated-values": "file_name\trepository\taccession\nA_1.fq.gz\tgsa-human\tHRA009001\n",
    "application/x-ndjson": '{"file_name": "A_1.fq.gz", "repository": "gsa-human", "category": "wgs"}\n',
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": None,
}
"""What a file list may be sent as, with an example where it is text."""

MANIFEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {
                "schema": {"type": "string", "format": "binary"},
                **({"example": example} if example else {}),
            }
            for media_type, example in MEDIA_TYPES.items()
        },
    }
}
"""How a route that reads a file list describes its body."""


class Upload(NamedTuple):
    """An upload on disk."""

    path: Path
    sha256: str
    media_type: str


@router.post(
    "/{backup_id}/steps/{step}/manifests",
    status_code=201,
    operation_id="uploadManifest",
    summary="上传文件清单 / Upload a file list",
    responses=SAVE,
    openapi_extra=MANIFEST_BODY,
)
async def upload_manifest(
    backup_id: UUID,
    step: str,
    request: Request,
    key: Key,
    revision: Revision,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.StepSavedView | http.OperationView:
    """Replace the list of data files: CSV, TSV, NDJSON, XLSX, or GSA-Human's own run table, as the body.

    Rows that cannot be read are findings with line and column; the good ones are saved.
    """
    declared, rulebook = await run_in_threadpool(declared_step, platform, step, "manifest")
    await run_in_threadpool(require_own, platform, who, backup_id)
    limits = rulebook.release.procedure("backup-creation").limits
    async with spooled(request, limits.manifest_bytes_max) as upload:
        change = asked(
            platform, who.account_id, backup_id, "save_step", str(key), [step, revision, upload.sha256]
        )
        await run_in_threadpool(require_current, platform, change, step, revision, spoken)
        save = contract.SaveStep(
            step=step,
            revision=revision,
            content_id=change.id,
            sha256=upload.sha256,
            account_id=who.account_id,
        )
        return await saved(
            platform,
            change,
            declared,
            rulebook,
            lambda writer: add_list(writer, upload, change.id, who.account_id, declared, rulebook),
            lambda: send_update(platform, BackupCreation.save_step, save, change),
            spoken,
            response,
        )


@asynccontextmanager
async def spooled(request: Request, limit: int) -> AsyncIterator[Upload]:
    """The body on disk for as long as the block lasts.

    Raises:
        Refusal: ``unsupported_media_type`` or ``too_large``.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise Refusal("unsupported_media_type")
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as file:  # without a name: it is gone even if this process is killed
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise Refusal("too_large", limit=limit)
            digest.update(part)
            await run_in_threadpool(file.write, part)
        file.flush()
        yield Upload(Path(f"/proc/self/fd/{file.fileno()}"), digest.hexdigest(), media_type)


def add_list(
    writer: Writer, upload: Upload, content_id: UUID, account_id: UUID, declared: Step, rulebook: Rulebook
) -> ManifestContent:
    """Store an uploaded list and judge it.

    Raises:
        Refusal: ``too_many_rows`` or ``unreadable_manifest``.
    """
    limits = rulebook.release.procedure("backup-creation").limits
    try:
        manifest = open_manifest(upload.path, upload.media_type, Limits(rows=limits.manifest_rows_max))
        return add_manifest(writer, manifest, content_id, account_id, upload.sha256, rulebook, declared.form)
    except UnreadableFile as unreadable:
        fault = unreadable.fault
        if fault.code == "file.too_many_rows":
            raise Refusal("too_many_rows", limit=limits.manifest_rows_max) from None
        sentence = Text(fault_sentence(fault, "zh"), fault_sentence(fault, "en"))
        raise Refusal("unreadable_manifest", sentence) from None
