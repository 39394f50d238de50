"""What a unit's administrator sees: the unit's people and their backups. Operators see the same, masked."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.http.backups import BackupSummary, Pagination, Request

State = Literal["draft", "waiting_for_deposit", "numbered", "withdrawn", "expired", "superseded"]
Moment = Annotated[AwareDatetime, Field(strict=False)]


class PersonView(BaseModel):
    """One of the unit's people, and how many of the unit's backups they hold."""

    account_id: UUID
    name: str = Field(description="For operators the first character only")
    phone: str = Field(description="Masked")
    member: bool = Field(description="False for who has left the unit and still holds backups of it")
    drafts: int = Field(description="Drafts, those that wait for a deposit included")
    numbered: int
    closed: int = Field(description="Withdrawn, expired, or former versions")


class PeoplePage(BaseModel):
    """A page of people, in the order of their accounts: names are encrypted and have none."""

    people: list[PersonView]
    pagination: Pagination


class UnitBackupView(BackupSummary):
    """One backup of the unit."""

    delegate_id: UUID = Field(description="Who may use it (委托人)")
    delegate_name: str = Field(description="For operators the first character only")
    categories: list[str] = Field(description="Ids, by its lists of data files")
    data_files: int


class UnitBackupPage(BaseModel):
    """A page of backups, newest first."""

    backups: list[UnitBackupView]
    pagination: Pagination


class BackupSearch(Request):
    """What to look for; all that is given has to hold. A POST, since no name belongs into an address."""

    model_config = ConfigDict(json_schema_extra={"example": {"title": "肺癌", "state": "numbered"}})

    number: str | None = Field(default=None, max_length=64, description="Backup number, as it is")
    title: str | None = Field(
        default=None,
        min_length=2,
        max_length=200,
        description="Part of the project title, at least two characters",
    )
    accession: str | None = Field(
        default=None, max_length=40, description="In a list of data files, as it is"
    )
    person_name: str | None = Field(default=None, min_length=1, max_length=100, description="Delegate's name")
    delegate_id: Annotated[UUID, Field(strict=False)] | None = None
    state: State | None = None
    category: str | None = Field(default=None, max_length=64, description="Id of a category")
    created_from: Moment | None = None
    created_before: Moment | None = None
    page_size: int = Field(default=50, ge=1, le=1000)
    page_token: str | None = Field(default=None, max_length=512)
