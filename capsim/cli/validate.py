"""``capsim validate``: regenerate the published validation tables and reproductions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE.md", help="Where to write (default: in docs/).")
]
Shared = Annotated[
    Path | None,
    typer.Option(
        "--shared",
        metavar="DIR",
        help="Folder of the truth tables (default: $CAPSIM_SHARED, else ../shared).",
    ),
]
Reproductions = Annotated[
    bool,
    typer.Option("--reproductions", help="Write docs/reproductions.md: published results of scheduling."),
]


def register(app: typer.Typer) -> None:
    """Add ``capsim validate`` to the application."""
    app.command("validate")(validate)


def validate(out: Out = None, shared: Shared = None, reproductions: Reproductions = False) -> None:
    """Measure the models against the truth tables; write every validation table with versions and digests.

    A ``scheduling.md`` beside the file gets the table of effective training time too.
    """
    if reproductions:
        from capsim.report.reproductions import reproductions_text

        text = reproductions_text(shared)
    else:
        from capsim.report.validation import validation_text

        text = validation_text(shared)
    path = out or Path("docs") / ("reproductions.md" if reproductions else "validation.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    typer.echo(f"written to {path}")
    page = path.with_name("scheduling.md")
    if page.is_file() and not reproductions:
        from capsim.report.reliability import with_ettr_table

        page.write_text(with_ettr_table(page.read_text(encoding="utf-8")), encoding="utf-8")
        typer.echo(f"table of effective training time written to {page}")
