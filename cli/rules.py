"""``hgrip rules``: what the policy team does with rule files."""

import typer

from cli import bundles, releases, signing_keys

app = typer.Typer(no_args_is_help=True, help="规则集 / The rulebook")
releases.register(app)
bundles.register(app)
app.add_typer(signing_keys.app, name="keys")
