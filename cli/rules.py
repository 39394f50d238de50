"""``hgrip rules``: what the policy team does with rule files."""

import typer

from cli import releases

app = typer.Typer(no_args_is_help=True, help="规则集 / The rulebook")
releases.register(app)
