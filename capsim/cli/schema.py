"""``capsim schema``: the JSON Schema of studies, for editors."""

from __future__ import annotations

import json

import typer


def register(app: typer.Typer) -> None:
    """Add ``capsim schema`` to the application."""
    app.command("schema")(schema)


def schema() -> None:
    """Print the JSON Schema of studies (editors complete keys and mark mistakes with it)."""
    from capsim.spec.schema import study_schema

    typer.echo(json.dumps(study_schema(), indent=2))
