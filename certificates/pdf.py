"""Certificates as PDF/A-2a (ISO 19005-2); the same backup gives the same bytes, so that digests compare."""

import io
import json
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import segno
import typst

from certificates.glyphs import Coverage
from schemas.http.certificates import CertificateView, Named
from schemas.texts import Text

FOLDER = Path(__file__).parent
FONT = FOLDER / "fonts" / "hgrip-sans-sc.otf"
CHINA = ZoneInfo("Asia/Shanghai")

HEADING = Text("备份证明", "Certificate of Information Backup")
STATEMENT = Text(
    "兹证明：下列人类遗传资源信息已向备份平台提交信息备份，并取得备份编号。",
    "The human genetic resource information below has been backed up and has received this backup number.",
)
OLD_STATEMENT = Text(
    "兹证明：下列备份编号由原备份系统发出，其记录已移入备份平台。",
    "The backup number below was given out by the old platform; its record is kept here.",
)
VERIFY = Text(
    "核验：扫描二维码或打开下列网址，并可填写本 PDF 文件的 SHA-256 摘要比对。",
    "To verify, scan the code or open the address below; the SHA-256 digest of this file can be compared.",
)
NONE = "—"


def render(certificate: CertificateView, address: str) -> bytes:
    """Set a certificate.

    Args:
        certificate: What it says.
        address: Of the page that verifies it, for the QR code.
    """
    return typst.compile(
        str(FOLDER / "certificate.typ"),
        root=str(FOLDER),
        font_paths=[str(FONT.parent)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(document(certificate, address))},
        pdf_standards=["a-2a", "ua-1"],
        timestamp=int(certificate.numbered_at.timestamp()),  # the time of day would change the bytes
    )


@cache
def _coverage() -> Coverage:
    return Coverage(FONT.read_bytes())


def document(certificate: CertificateView, address: str) -> dict[str, object]:
    """What the template shows, in the order it shows it."""
    numbered = certificate.numbered_at.astimezone(CHINA)
    return {
        "heading": HEADING._asdict(),
        "statement": (OLD_STATEMENT if certificate.legacy else STATEMENT)._asdict(),
        "number_label": {"zh": "备份编号", "en": "Backup number"},
        "number": _coverage().readable(certificate.number),
        "fields": _fields(certificate),
        "verify": VERIFY._asdict(),
        "address": address,
        "qr": _qr(address),
        "qr_alt": address,
        "date": {"year": numbered.year, "month": numbered.month, "day": numbered.day},
    }


def _fields(certificate: CertificateView) -> list[dict[str, object]]:
    counts = certificate.counts
    started, numbered = (
        moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S UTC+8")
        for moment in (certificate.created_at, certificate.numbered_at)
    )
    release = certificate.release
    fields = [_field("项目名称", "Project title", certificate.title or NONE)]
    if not certificate.legacy:
        fields += [
            _field("信息类型", "Categories", *(map(_named, certificate.categories) or [NONE])),
            _field("数据文件", "Data files", f"{counts.data_files:,}"),
            _field(
                "个体数 / 样本数",
                "Individuals / samples",
                f"{_count(counts.individuals)} / {_count(counts.samples)}",
            ),
            _field(
                "文件清单摘要",
                "Manifest digest (SHA-256)",
                *(m.sha256 for m in certificate.manifests),
                exact=True,
            ),
        ]
    if release is not None:
        fields.append(
            _field(
                "规则版本及摘要", "Rulebook release and digest", release.version, release.digest, exact=True
            )
        )
    fields.append(_field("创建时间", "Created", started))
    if not certificate.legacy:
        fields.append(_field("编号时间", "Numbered", numbered))
    if certificate.version > 1:  # a backup that was never corrected keeps the bytes it had
        fields.append(_field("版本", "Version", f"{certificate.version}"))
    if certificate.audit is not None:
        place = f"{certificate.audit.seq} / {certificate.audit.size}"
        fields.append(
            _field("审计记录及树头", "Audit entry and tree head", place, certificate.audit.root, exact=True)
        )
    return fields


def _field(zh: str, en: str, *lines: str, exact: bool = False) -> dict[str, object]:
    shown = [_coverage().readable(line) for line in lines] or [NONE]
    return {"label": {"zh": zh, "en": en}, "lines": shown, "exact": exact}


def _named(category: Named) -> str:
    return f"{category.title_zh} {category.title_en}"


def _count(count: int | None) -> str:
    return NONE if count is None else f"{count:,}"


def _qr(address: str) -> str:
    drawn = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        drawn, kind="svg", border=0, dark="#1b2a41", xmldecl=False, omitsize=True
    )
    return drawn.getvalue().decode()
