"""``capsim run``: one strategy in depth."""

from __future__ import annotations

from typing import Annotated

import typer

from capsim.cli.comparing import Out, Resume, Runs, Wide
from capsim.cli.options import AsOf, Case, Json, Quiet, Seed, Sets, StudyFile, Workers

Strategy = Annotated[str, typer.Option("--strategy", "-s", metavar="S", help="The strategy to look at.")]


def register(app: typer.Typer) -> None:
    """Add ``capsim run`` to the application."""
    app.command("run")(run)


def run(
    study: StudyFile,
    strategy: Strategy,
    runs: Runs = None,
    case: Case = None,
    workers: Workers = None,
    seed: Seed = None,
    sets: Sets = None,
    as_of: AsOf = None,
    as_json: Json = False,
    wide: Wide = False,
    quiet: Quiet = False,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Look at one strategy: capacity and work over time, who ran where, contracts, events.

    The runs are those of `capsim compare`; where that is finished for the same study and seed, they are read.
    """
    from capsim.cli import comparing
    from capsim.report.depth import depth_report
    from capsim.report.jsonout import run_json
    from capsim.study.session import perform_one
    from capsim.study.setup import Request

    comparing.whole_workers(workers)
    cases = (case,) if case is not None else ("base",)
    request = Request(study, tuple(sets or ()), as_of, cases, (strategy,), strategy, runs, seed)
    setup = comparing.prepared(request, quiet)
    comparing.perform_and_report(
        perform_one,
        setup,
        depth_report,
        run_json,
        as_json=as_json,
        wide=wide,
        quiet=quiet,
        out=out,
        resume=resume,
        workers=workers,
    )
