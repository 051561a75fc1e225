"""``capsim calibrate``: own measurements as a calibration that a study includes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SHOWN_ROWS = 8

Table = Annotated[
    Path, typer.Argument(metavar="FILE.csv", help="Measurements of training, or of serving (with isl, osl).")
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="CAL.yaml", help="Where to write; a study includes this file.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is not a calibration.")]


def register(app: typer.Typer) -> None:
    """Add ``capsim calibrate`` to the application."""
    app.command("calibrate")(calibrate)


def calibrate(file: Table, out: Out, force: Force = False) -> None:
    """Turn a table of measurements into a calibration; `include: CAL.yaml` in a study uses it."""
    from capsim.errors import InputError
    from capsim.workload.calibration import is_calibration, write_calibration
    from capsim.workload.fidelity import calibration_of

    if out.exists() and not force and not is_calibration(out):
        raise InputError(f"{out} exists and is not a calibration; choose another name or add --force")
    section, left, kind = calibration_of(file)
    write_calibration(out, section, file.name)
    for item in left[:SHOWN_ROWS]:
        typer.echo(f"line {item.line}: {item.model} on {item.chip} not used: {item.reason}", err=True)
    if len(left) > SHOWN_ROWS:
        typer.echo(f"... and {len(left) - SHOWN_ROWS} more rows not used", err=True)
    typer.echo(f"{len(section['calibration'][kind])} {kind} measurements written to {out}")
    typer.echo(f"next: add `include: [{out.name}]` to a study beside it")
