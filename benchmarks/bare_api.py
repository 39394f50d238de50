"""Our API with two more addresses, one that reads one row and one that reads nothing, to compare with."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from api.app import create_app
from api.bodies import StrictRoute
from api.eligibility import Service
from api.platform import PlatformDep
from api.unit_views import ScopeDep
from schemas.http.backups import Pagination
from schemas.http.unit_views import UnitBackupPage, UnitBackupView
from store.database import reading

router = APIRouter(route_class=StrictRoute)

_ROW = text("SELECT number FROM backup WHERE id = :id")


@router.get("/bare/{backup_id}")
def row(backup_id: UUID, who: Service, platform: PlatformDep) -> dict[str, str]:
    """One column of one row by its primary key."""
    with reading(platform.engine) as reader:
        return {"number": reader.connection().execute(_ROW, {"id": backup_id}).scalar_one()}


_AT = datetime(2026, 11, 23, tzinfo=UTC)
_PAGE = UnitBackupPage(
    backups=[
        UnitBackupView(
            id=UUID(int=place),
            number=f"V{place:07}",
            state="numbered",
            title=f"第{place}号肺癌多组学队列研究",
            created_at=_AT,
            saved_at=_AT,
            expires_at=None,
            delegate_id=UUID(int=place),
            delegate_name="陈示例",
            categories=["wes", "wgs"],
            data_files=100,
        )
        for place in range(50)
    ],
    pagination=Pagination(next_page_token=None),
)


@router.get("/bare-page")
def page(where: ScopeDep) -> UnitBackupPage:
    """A page of the unit's backups that never changes."""
    return _PAGE


def create() -> FastAPI:
    """The API and the addresses."""
    app = create_app()
    app.include_router(router)
    return app
