"""The ``capsim`` command. Each command lives in a module of its own and is registered here.

Command modules import only the standard library and typer at module level, so that
``capsim --help`` stays fast; numpy, numba, pydantic, pyarrow and highspy are imported inside.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Annotated

import typer

from capsim import __version__
from capsim.errors import CapsimError

COMMANDS: tuple[str, ...] = (
    "compare",
    "run",
    "trace",
    "warmup",
    "bench",
    "catalog",
    "check",
    "init",
    "schema",
    "fidelity",
    "calibrate",
    "validate",
)

app = typer.Typer(
    name="capsim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capsim {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Which compute contracts should we sign? Simulate sourcing strategies on real work."""


@cache
def build() -> typer.Typer:
    """Register every command module, once, and return the application."""
    for name in COMMANDS:
        importlib.import_module(f"capsim.cli.{name}").register(app)
    return app


def main() -> None:
    """Entry point of the console script: exit 0 result, 2 wrong input, 1 anything else."""
    try:
        if sys.stdout is None:
            raise CapsimError("standard output is closed; send it to a file or to /dev/null")
        build()(prog_name="capsim")
    except (Exception, KeyboardInterrupt) as error:
        from capsim.cli.failure import report

        sys.exit(report(error))
    sys.exit(0)
