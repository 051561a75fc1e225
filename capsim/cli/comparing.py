"""Options that `capsim compare` and `capsim run` share, and how they begin."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from capsim.study.session import Performed, Progress
    from capsim.study.setup import Request, Setup

Runs = Annotated[
    int | None, typer.Option("--runs", metavar="N", help="Worlds to simulate (default: the study's).")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The run folder (default: runs/DIGEST-SEED).")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Finish an interrupted comparison; keep what is done.")
]
Wide = Annotated[bool, typer.Option("--wide", help="Every row and figure.")]


def whole_workers(workers: int | None) -> None:
    """Raises InputError for a number of workers that makes no sense."""
    from capsim.errors import InputError

    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: write a whole number from 1 on")


def names(text: str | None) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def prepared(request: Request, quiet: bool) -> Setup:
    """Load and compile; notes for the user go to stderr."""
    from capsim.study.setup import set_up

    setup = set_up(request)
    if not quiet:
        for text in setup.warnings:
            typer.echo(f"note: {text}", err=True)
    return setup


def progress_of(quiet: bool) -> Progress:
    """A progress bar for a terminal."""
    from capsim.report.progress import progress_bar

    return functools.partial(progress_bar, quiet=quiet)


def tell_damage(performed: Performed, quiet: bool) -> None:
    """Name parts that were found damaged; they are never passed over in silence, unless --quiet."""
    if not quiet:
        for name in performed.damaged:
            typer.echo(f"{name} was damaged (its sha256 differs): its runs were simulated again", err=True)


def command_line() -> str:
    """The command as the user typed it."""
    return " ".join(["capsim", *sys.argv[1:]])
