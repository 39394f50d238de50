"""Lists in pages, as GA4GH names them: ``page_size``, ``page_token``, ``next_page_token``.

A page token holds the sort key of the last item of a page (a keyset), so a page costs the same wherever it is
and stays right while rows are added. It gives no rights: every page is scoped to who asks. It is checked
because anything can be sent as a token.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, NamedTuple, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, Field, TypeAdapter

from schemas.errors import Refusal

Key = TypeVar("Key")
Row = TypeVar("Row")

PageSize = Annotated[int, Query(ge=1, le=1000, description="每页项数 / Items per page")]
PageToken = Annotated[
    str | None,
    Query(max_length=512, description="上一页的 next_page_token / `next_page_token` of the page before"),
]
DEFAULT_SIZE = 50
_SUM = 6  # bytes


class Keyset(Generic[Key]):
    """The pages of one list, by a key that orders its rows without ties."""

    def __init__(self, name: str, key: type[Key]) -> None:
        """Describe the list.

        Args:
            name: Tells its tokens from those of other lists.
            key: Type of the key, e.g. `Integer` or `NewestFirst`; what it admits, the database must take.
        """
        self._name = name
        self._key: TypeAdapter[Key] = TypeAdapter(key)

    def after(self, token: str | None) -> Key | None:
        """The key that a page token names; None for the first page.

        Raises:
            Refusal: ``page_token_invalid``.
        """
        if token is None:
            return None
        try:
            raw = urlsafe_b64decode(token.encode("ascii"))
            key = self._key.validate_json(raw[_SUM:])
        except ValueError:
            raise Refusal("page_token_invalid") from None
        if token != self._token(raw[_SUM:]):  # altered, or of another list
            raise Refusal("page_token_invalid")
        return key

    def page(
        self, rows: Sequence[Row], size: int, key_of: Callable[[Row], Key]
    ) -> tuple[Sequence[Row], str | None]:
        """Cut a page out of the rows that were read.

        Args:
            rows: Up to ``size + 1`` rows; one more than the page shows that there is a next page.
            size: Items of a page.
            key_of: The key of a row.

        Returns:
            The rows of the page, and the token of the next page or None.
        """
        if len(rows) <= size:
            return rows, None
        return rows[:size], self._token(self._key.dump_json(key_of(rows[size - 1])))

    def _token(self, key: bytes) -> str:
        checksum = hashlib.sha256(self._name.encode() + b"\0" + key).digest()[:_SUM]
        return urlsafe_b64encode(checksum + key).decode()


class NewestFirst(NamedTuple):
    """Key of lists that show the newest first."""

    created_at: AwareDatetime
    id: UUID


Integer = Annotated[int, Field(ge=0, lt=1 << 31)]
BigInteger = Annotated[int, Field(ge=0, lt=1 << 63)]
"""Keys of lists in the order of a whole number, as the database's types hold it: anyone can forge a token."""
