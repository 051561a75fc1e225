"""``capsim validate``: regenerate the published validation tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", "-o", metavar="FILE.md", help="Where to write the tables.")]
Shared = Annotated[
    Path | None,
    typer.Option(
        "--shared",
        metavar="DIR",
        help="Folder of the truth tables (default: $CAPSIM_SHARED, else ../shared).",
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``capsim validate`` to the application."""
    app.command("validate")(validate)


def validate(out: Out = Path("docs/validation.md"), shared: Shared = None) -> None:
    """Measure the models against the truth tables; write every validation table with versions and digests."""
    from capsim.report.validation import validation_text

    text = validation_text(shared)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"written to {out}")
