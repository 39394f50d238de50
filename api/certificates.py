"""Certificates of numbered backups (备份证明): PDF for people, JSON for programs."""

import hashlib
from base64 import b64encode
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api import views
from api.accounts import Member, viewer
from api.bodies import StrictRoute
from api.platform import Platform, PlatformDep
from certificates.pdf import render
from rules.engine.release import Release
from schemas.errors import Refusal
from schemas.http import certificates as http
from schemas.tables.backups import Backup, BackupState
from store import certificates, queries
from store.amendments import number_of
from store.database import Reader, reading, writing

router = APIRouter(prefix="/v1", tags=["backup"], route_class=StrictRoute)

PDF = "application/pdf"


@router.get(
    "/backups/{backup_id}/certificate",
    operation_id="getCertificate",
    summary="备份证明 / Certificate",
    response_model=http.CertificateView,
    responses={200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_certificate(backup_id: UUID, request: Request, who: Member, platform: PlatformDep) -> Response:
    """The certificate of a numbered backup, without any person: PDF by `Accept: application/pdf`, else JSON.

    The PDF has the same bytes every time, so that its digest can be compared at `/verify/{number}`.
    """
    with reading(platform.engine) as reader:
        backup = queries.backup(reader, viewer(who), backup_id)
        certificate = _certificate(reader, platform, backup)
    if PDF not in request.headers.get("accept", ""):
        return JSONResponse(certificate.model_dump(mode="json"), headers={"Vary": "Accept"})
    if platform.public_url is None:
        raise Refusal("no_public_address")
    path = quote(certificate.number, safe="")
    content = render(certificate, f"{platform.public_url.rstrip('/')}/verify/{path}")
    digest = hashlib.sha256(content)
    with writing(platform.engine) as writer:
        certificates.issue(writer, digest.hexdigest(), backup_id, certificate.version)
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
