"""``capsim schema``: the JSON Schema of studies, for editors."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add ``capsim schema`` to the application."""
    app.command("schema")(schema)


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a reference to read instead.")] = False,
) -> None:
    """Print the JSON Schema of studies (editors complete keys and mark mistakes with it)."""
    if markdown:
        from capsim.spec.reference import reference

        typer.echo(reference())
        return
    from capsim.spec.schema import study_schema

    typer.echo(json.dumps(study_schema(), indent=2))
