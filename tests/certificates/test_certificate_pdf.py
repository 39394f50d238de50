"""The certificate as a PDF: what is on it, and that it is the same every time."""

import io
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates.glyphs import Coverage
from certificates.pdf import FONT, document, render
from schemas.http.backups import ReleaseRef
from schemas.http.certificates import CertificateView, CertifiedCounts, CertifiedManifest, Named

ADDRESS = "https://backup.example.org/verify/BF2026112300001"
COVERAGE = Coverage(FONT.read_bytes())
AT = datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=UTC)


def certificate(title: str | None = "肺癌多组学队列研究", number: str = "BF2026112300001") -> CertificateView:
    return CertificateView(
        number=number,
        legacy=False,
        title=title,
        categories=[Named(id="wgs", title_zh="全基因组测序", title_en="whole-genome sequencing")],
        counts=CertifiedCounts(data_files=1_234_567, individuals=620, samples=1240),
        manifests=[CertifiedManifest(step="data-files", sha256="2b" * 32, data_files=1_234_567)],
        release=ReleaseRef(version="2026.11.1", digest="a5" * 32),
        created_at=datetime(2026, 11, 20, 16, tzinfo=UTC),
        numbered_at=AT,
    )


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without blanks and line ends."""
    return ["".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def test_it_says_everything_that_can_be_compared_and_dates_are_chinas() -> None:
    (page,) = pages(render(certificate(), ADDRESS))
    for said in (
        "备份证明", "BF2026112300001", "肺癌多组学队列研究", "全基因组测序", "1,234,567", "620/1,240",
        "2b" * 32, "2026.11.1", "a5" * 32, "2026-11-2100:00:00UTC+8", "2026-11-2312:05:06UTC+8", ADDRESS,
    ):  # fmt: skip
        assert said in page


def test_the_same_backup_has_the_same_bytes_and_another_one_has_others() -> None:
    first = render(certificate(), ADDRESS)
    assert render(certificate(), ADDRESS) == first
    assert render(certificate("肺癌多组学队列研究二"), ADDRESS) != first


def test_its_font_is_embedded() -> None:
    reader = pypdf.PdfReader(io.BytesIO(render(certificate(), ADDRESS)))
    resources: Any = reader.pages[0]["/Resources"]
    fonts = resources["/Font"].values()
    descriptors = [font["/DescendantFonts"][0]["/FontDescriptor"] for font in fonts]
    assert descriptors
    assert all("/FontFile3" in descriptor or "/FontFile2" in descriptor for descriptor in descriptors)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("㐂𠮷䶮〇 rare", "㐂𠮷䶮〇rare"),  # extensions A and B of Unicode's Han
        ("a\u202eb", "a〔U+202E〕b"),  # would turn the direction of writing
        ("\U0001f600 \U000323af", "〔U+1F600〕〔U+323AF〕"),
        ("الوراثة", "〔U+0627〕〔U+0644〕"),
        ('#import "x" $1^2$ [b] <a> *b* @c \\n', '#import"x"$1^2$[b]<a>*b*@c\\n'),
    ],
)
def test_a_character_without_a_shape_is_told_by_its_code_point_and_nothing_is_read_as_markup(
    title: str, shown: str
) -> None:
    (page,) = pages(render(certificate(title), ADDRESS))
    assert shown in page


@settings(max_examples=30, deadline=None)
@given(st.none() | st.text(max_size=200), st.text(min_size=1, max_size=64))
def test_no_title_and_no_number_keeps_a_certificate_from_being_set(title: str | None, number: str) -> None:
    assert render(certificate(title, number), ADDRESS).startswith(b"%PDF-")


def test_a_very_long_title_goes_on_on_the_next_page_and_stays_inside_the_frame() -> None:
    assert len(pages(render(certificate("很长的名称" * 300), ADDRESS))) > 1
    text = "W" * 1_000
    assert "".join(pages(render(certificate(text), ADDRESS))).replace("\u200b", "").count("W") >= 1_000


def test_a_legacy_backup_has_a_certificate_of_what_is_known() -> None:
    known = certificate().model_copy(update={
        "legacy": True, "categories": [], "manifests": [], "release": None,
        "counts": CertifiedCounts(data_files=0), "title": None,
    })  # fmt: skip
    (page,) = pages(render(known, ADDRESS))
    assert "原备份系统" in page
    assert "SHA-256)" not in page
    fields: Any = document(known, ADDRESS)["fields"]
    labels = [field["label"]["zh"] for field in fields]
    assert labels == ["项目名称", "创建时间"]


def test_the_font_covers_the_characters_of_gb_18030_that_have_two_bytes() -> None:
    two_bytes = [
        bytes([high, low]) for high in range(0x81, 0xFF) for low in (*range(0x40, 0x7F), *range(0x80, 0xFF))
    ]
    characters = [each.decode("gbk", "ignore") for each in two_bytes]
    han = [each for each in characters if each and 0x3400 <= ord(each) < 0xA000]
    assert len(han) > 20_900
    assert [each for each in han if each not in COVERAGE] == []
    assert all(first < second for first, second in pairwise(COVERAGE._first))
