"""``hgrip token``: a development token on the command line."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from api import eligibility, prior_reports
from api.auth import Role
from api.tokens import HOURS, PEOPLE, UNITS, DevelopmentIssuer

SERVICE = "hgr-service-system"
_ALL_ROLES: dict[Role, tuple[Role, ...]] = {
    "person": ("person",),
    "unit_administrator": (
        "person",
        "unit_administrator",
    ),  # an administrator is a person of the unit as well
    "policy": ("policy",),
    "operator": ("operator",),
    "auditor": ("auditor",),
}


def _one_of(names: Iterable[str]) -> Callable[[str | None], str | None]:
    choices = ", ".join(names)

    def check(name: str | None) -> str | None:
        if name is not None and name not in names:
            raise typer.BadParameter(f"可选 / choose one of: {choices}")
        return name

    return check


def token(
    person: Annotated[
        str, typer.Option(help=f"虚构人员 / Fictitious person: {', '.join(PEOPLE)}", callback=_one_of(PEOPLE))
    ] = "zhang",
    unit: Annotated[
        str | None,
        typer.Option(help=f"改用另一单位 / Another unit: {', '.join(UNITS)}", callback=_one_of(UNITS)),
    ] = None,
    role: Annotated[Role | None, typer.Option(help="改用另一角色 / Another role")] = None,
    no_real_name: Annotated[
        bool, typer.Option("--no-real-name", help="未实名认证 / No real-name check")
    ] = False,
    no_unit: Annotated[bool, typer.Option("--no-unit", help="未获单位授权 / No unit authorisation")] = False,
    service: Annotated[
        bool,
        typer.Option("--service", help="系统令牌，可查询可用性 / For a system that asks"),
    ] = False,
    hours: Annotated[float, typer.Option(help="有效小时数 / Hours it is valid")] = HOURS,
    folder: Annotated[Path, typer.Option(help="数据目录 / Folder of data")] = Path("var"),
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / Print JSON")] = False,
) -> None:
    """签发开发用令牌（仅限开发环境） / Sign a token, for development only."""
    issuer = DevelopmentIssuer(folder / "issuer")
    if service:
        signed = issuer.service_token(SERVICE, f"{eligibility.SCOPE} {prior_reports.SCOPE}", hours=hours)
    else:
        signed = issuer.token(
            person,
            unit=unit,
            roles=_ALL_ROLES[role] if role else None,
            real_name_verified=not no_real_name,
            unit_authorised=not no_unit,
            hours=hours,
        )
    typer.echo("仅限开发环境，人员均为虚构 / Development only; the people are fictitious", err=True)
    if as_json:
        signed = json.dumps({"access_token": signed, "token_type": "Bearer", "expires_in": int(hours * 3600)})
    typer.echo(signed)
