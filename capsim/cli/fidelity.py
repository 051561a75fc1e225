"""``capsim fidelity``: how well the workload models predict a table of measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsim.cli.options import Json

if TYPE_CHECKING:
    from capsim.workload.fidelity import Kind

Table = Annotated[
    Path, typer.Argument(metavar="FILE.csv", help="Measurements, one a row; columns as in docs/models.md.")
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration", metavar="CAL.yaml", help="Add a calibration written by `capsim calibrate`."
    ),
]

fidelity_app = typer.Typer(
    help="Predict every row of a table of measurements and show the errors.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add ``capsim fidelity`` to the application."""
    app.add_typer(fidelity_app, name="fidelity")


@fidelity_app.command("training")
def training(file: Table, calibration: CalibrationFile = None, as_json: Json = False) -> None:
    """Training: achieved TFLOP/s per chip, each (group, model) predicted from all others."""
    _report("training", file, calibration, as_json)


@fidelity_app.command("inference")
def inference(file: Table, calibration: CalibrationFile = None, as_json: Json = False) -> None:
    """Serving: tokens/s, TTFT and TPOT, each (group, model) predicted from all others."""
    _report("inference", file, calibration, as_json)


def _report(kind: Kind, file: Path, calibration: Path | None, as_json: bool) -> None:
    from capsim.workload.calibration import read_calibration, shipped
    from capsim.workload.fidelity import fidelity

    points = shipped() if calibration is None else shipped().extended(read_calibration(calibration))
    found = fidelity(kind, file, points)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console

    from capsim.report.fidelity import lines, tables

    console = Console(highlight=False)
    for table in tables(found):
        console.print(table)
    for line in lines(found):
        typer.echo(line)
