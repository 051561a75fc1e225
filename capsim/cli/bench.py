"""``capsim bench``: how fast the scheduler is on this machine."""

from __future__ import annotations

import json
import shutil
from typing import Annotated

import typer

from capsim.cli.options import Json, Quiet


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="524,160 chips at load .9 only; under a minute."),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1000, help="Jobs a case (default: 1,000,000; --quick: 200,000).")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each case; the fastest counts.")] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Schedule generated jobs: policy, fleet, load, topology, failures; memory; simpy on the same jobs."""
    from capsim.bench.session import run
    from capsim.bench.table import text

    def say(what: str) -> None:
        if not quiet:
            typer.echo(what, err=True)

    count = jobs or (200_000 if quick else 1_000_000)
    found = run(count, repeats, short=quick, say=say)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        typer.echo(text(found, count, shutil.get_terminal_size().columns))
