"""Certificates of numbered backups (备份证明): PDF for people, JSON for programs."""

import hashlib
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from api import views
from api.accounts import Member, viewer
from api.auth import Identity
from api.bodies import StrictRoute
from api.commands import RETRY_AFTER, StillRunningError, run_to_its_end
from api.platform import Platform, PlatformDep
from certificates.pdf import render
from rules.engine.release import Release
from schemas.contracts.audit import SignTreeHead
from schemas.errors import Refusal
from schemas.http import certificates as http
from schemas.tables.backups import Backup, BackupState
from store import certificates, queries, trail
from store.amendments import number_of
from store.database import Reader, reading, writing
from workflows.tree_head import WORKFLOW_ID, TreeHead

router = APIRouter(prefix="/v1", tags=["backup"], route_class=StrictRoute)

PDF = "application/pdf"
TRIES = 3
"""Of tree heads: a signing that was running already may have begun before the event was there."""


@router.get(
    "/backups/{backup_id}/certificate",
    operation_id="getCertificate",
    summary="备份证明 / Certificate",
    response_model=http.CertificateView,
    responses={200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_certificate(backup_id: UUID, request: Request, who: Member, platform: PlatformDep) -> Response:
    """The certificate of a numbered backup, without any person: PDF by `Accept: application/pdf`, else JSON.

    The PDF has the same bytes every time, so that its digest can be compared at `/verify/{number}`. With it
    comes the proof that the submission is in the audit trail, to the first signed tree head over it; where
    there is none yet, one is signed now.
    """
    for _ in range(TRIES):
        certifying = await run_in_threadpool(_certifying, platform, who, backup_id)
        if not certifying.waits:
            break
        await _sign_tree_head(platform)
    else:
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER)
    if PDF not in request.headers.get("accept", ""):
        return JSONResponse(certifying.certificate.model_dump(mode="json"), headers={"Vary": "Accept"})
    return await run_in_threadpool(_set, platform, who, certifying)


class _Certifying(NamedTuple):
    """A certificate in the making; whether the trail has its event, but no head over it yet."""

    backup: Backup
    certificate: http.CertificateView
    waits: bool


def _certifying(platform: Platform, who: Identity, backup_id: UUID) -> _Certifying:
    with reading(platform.engine) as reader:
        backup = queries.backup(reader, viewer(who), backup_id)
        certificate = _certificate(reader, platform, backup)
        event_id = trail.event_of_backup(reader, backup_id)
        if event_id is not None:
            certificate.audit = trail.prove(reader, event_id)
        unproven = event_id is not None and certificate.audit is None
        return _Certifying(backup, certificate, unproven and bool(platform.answer_keys))


async def _sign_tree_head(platform: Platform) -> None:
    try:
        await run_to_its_end(
            platform.temporal,
            platform.task_queue,
            TreeHead.run,
            SignTreeHead(),
            WORKFLOW_ID,
            "签署审计树头",
        )
    except StillRunningError:
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None


def _set(platform: Platform, who: Identity, certifying: _Certifying) -> Response:
    certificate = certifying.certificate
    if platform.public_url is None:
        raise Refusal("no_public_address")
    path = quote(certificate.number, safe="")
    content = render(certificate, f"{platform.public_url.rstrip('/')}/verify/{path}")
    digest = hashlib.sha256(content)
    with writing(platform.engine) as writer:
        certificates.issue(writer, digest.hexdigest(), certifying.backup, who.account_id)
    headers = {
        "Vary": "Accept",
        "Content-Disposition": f"attachment; filename*=UTF-8''{path}.pdf",
        "Repr-Digest": f"sha-256=:{b64encode(digest.digest()).decode()}:",  # RFC 9530
    }
    return Response(content, media_type=PDF, headers=headers)


def _certificate(reader: Reader, platform: Platform, backup: Backup) -> http.CertificateView:
    number = number_of(backup)
    if backup.state == BackupState.WITHDRAWN:
        raise Refusal("number_withdrawn")
    lists = certificates.lists(reader, backup.id)
    forms = certificates.forms(reader, backup.id)
    release = None
    if backup.release_digest is not None:
        release = platform.rulebooks.by_digest(reader, backup.release_digest).release
    named = {category for each in lists for category in each.categories}
    return http.CertificateView(
        number=number,
        version=backup.version,
        legacy=backup.registrant_id is not None,
        title=backup.title,
        categories=_categories(release, named),
        counts=http.CertifiedCounts(
            data_files=sum(each.rows for each in lists),
            individuals=_whole(forms.get("individual_count")),
            samples=_whole(forms.get("sample_count")),
        ),
        manifests=[
            http.CertifiedManifest(step=each.step, sha256=each.sha256, data_files=each.rows) for each in lists
        ],
        release=views.release_ref(release) if release else None,
        created_at=backup.created_at,
        numbered_at=backup.closed_at or backup.created_at,
    )


def _categories(release: Release | None, named: set[str]) -> list[http.Named]:
    """In the order a person sees them."""
    known = release.categories if release else {}
    return [
        http.Named(id=id_, title_zh=category.title.zh, title_en=category.title.en)
        for id_, category in known.items()
        if id_ in named
    ]


def _whole(count: object) -> int | None:
    return count if isinstance(count, int) else None
