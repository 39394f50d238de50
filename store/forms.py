"""Filled forms: stored once, never changed, personal fields encrypted apart."""

import json
from typing import Any
from uuid import UUID

from rules.engine.release import Release
from schemas.tables.contents import FormContent
from store.database import Writer
from store.encryption import ColumnCipher


class FormStore:
    """Splits a form into what may be read and what must be decrypted, and joins it again."""

    def __init__(self, cipher: ColumnCipher) -> None:
        self._cipher = cipher

    def add(
        self,
        writer: Writer,
        content_id: UUID,
        account_id: UUID,
        release: Release,
        form: str,
        content: dict[str, Any],
    ) -> str:
        """Store one filled form under an id; does nothing when the id is there.

        Returns:
            Keyed digest of the content, hex.
        """
        digest = self.digest(content)
        if writer.get(FormContent, content_id) is None:
            # A field that the form does not declare, misspelt perhaps, may hold anything: a person as well.
            clear = release.form(form)["properties"].keys() - release.personal_fields(form)
            personal = {field: value for field, value in content.items() if field not in clear}
            sealed = self._cipher.encrypt(json.dumps(personal), "form_content", "personal", content_id)
            writer.add(
                FormContent(
                    id=content_id,
                    account_id=account_id,
                    sha256=digest,
                    body={field: value for field, value in content.items() if field in clear},
                    personal=sealed if personal else None,
                )
            )
        return digest

    def joined(self, content_id: UUID, body: dict[str, Any], personal: bytes | None) -> dict[str, Any]:
        """The whole form as it was saved, of the two columns of its row."""
        if personal is None:
            return body
        fields: dict[str, Any] = json.loads(
            self._cipher.decrypt(personal, "form_content", "personal", content_id)
        )
        return body | fields

    def digest(self, content: object) -> str:
        """Keyed digest of JSON content, hex: a plain one would give phone numbers away."""
        return self._cipher.blind_index("content", _canonical(content)).hex()

    def size(self, content: object) -> int:
        """Bytes of JSON content as it is stored."""
        return len(_canonical(content).encode())


def _canonical(content: object) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
