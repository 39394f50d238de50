"""Our API with one more address, which reads one row and does nothing else: what reads are compared with."""

from uuid import UUID

from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from api.app import create_app
from api.bodies import StrictRoute
from api.eligibility import Service
from api.platform import PlatformDep
from store.database import reading

router = APIRouter(route_class=StrictRoute)

_ROW = text("SELECT number FROM backup WHERE id = :id")


@router.get("/bare/{backup_id}")
def row(backup_id: UUID, who: Service, platform: PlatformDep) -> dict[str, str]:
    """One column of one row by its primary key."""
    with reading(platform.engine) as reader:
        return {"number": reader.connection().execute(_ROW, {"id": backup_id}).scalar_one()}


def create() -> FastAPI:
    """The API and the address."""
    app = create_app()
    app.include_router(router)
    return app
