"""``hgrip rules``: what the policy team does with rule files."""

import typer

from cli import bundles, releases, rules_check, rules_compare, rules_explain, signing_keys
from cli.terminal import Workbench

app = typer.Typer(cls=Workbench, no_args_is_help=True, help="规则集 / The rulebook")
rules_check.register(app)
rules_explain.register(app)
rules_compare.register(app)
releases.register(app)
bundles.register(app)
app.add_typer(signing_keys.app, name="keys")
