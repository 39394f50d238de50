"""What a client needs to draw the steps: the procedure and its forms, by the release in force."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api import views
from api.bodies import StrictRoute
from api.language import LanguageDep
from api.platform import PlatformDep
from schemas.http.backups import ReleaseRef
from store.database import reading

router = APIRouter(prefix="/v1/procedures", tags=["procedure"], route_class=StrictRoute)


class DeclaredStep(BaseModel):
    """One step as the procedure declares it."""

    id: str
    title: str
    kind: Literal["form", "manifest"]
    required: bool
    form: dict[str, Any]
    """JSON Schema 2020-12 of the form, or of one row of the list, with titles and help in both languages."""


class ProcedureView(BaseModel):
    """The procedure in force."""

    title: str
    steps: list[DeclaredStep]
    judged_by: ReleaseRef


@router.get("/backup-creation", operation_id="getBackupCreation", summary="备份流程 / The procedure")
def get_backup_creation(platform: PlatformDep, spoken: LanguageDep) -> ProcedureView:
    """The steps of a backup and their forms, as the policy team declares them."""
    with reading(platform.engine) as reader:
        release = platform.rulebooks.in_force(reader, datetime.now(UTC)).release
    procedure = release.procedure("backup-creation")
    return ProcedureView(
        title=views.spoken(procedure.title, spoken),
        steps=[
            DeclaredStep(
                id=step.id,
                title=views.spoken(step.title, spoken),
                kind=step.kind,
                required=step.required,
                form=release.form(step.form),
            )
            for step in procedure.steps
        ],
        judged_by=views.release_ref(release),
    )
