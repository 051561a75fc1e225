"""``capsim compare``: every strategy in every case and run on common random numbers, ranked, with reasons."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from capsim.cli.comparing import Out, Resume, Runs, Wide
from capsim.cli.options import AsOf, Json, Quiet, Seed, Sets, StudyFile, Workers

Cases = Annotated[str | None, typer.Option("--cases", metavar="A,B", help="Cases (default: the study's).")]
Strategies = Annotated[
    str | None, typer.Option("--strategies", metavar="A,B", help="Strategies (default: all).")
]
FlipPath = Annotated[
    str | None,
    typer.Option("--flip", metavar="PATH", help="The value of a number at which two strategies swap."),
]
Sensitivity = Annotated[
    bool, typer.Option("--sensitivity", help="Which weak inputs move the answer most, by simulation.")
]
BridgeOf = Annotated[
    str | None,
    typer.Option("--bridge", metavar="A,B", help="From strategy A to B, line by line: cost and work."),
]
Between = Annotated[
    str | None,
    typer.Option("--between", metavar="A,B", help="The two of --flip (default: the first two)."),
]
Low = Annotated[str | None, typer.Option("--low", metavar="VALUE", help="Where --flip starts, e.g. '$2/h'.")]
High = Annotated[str | None, typer.Option("--high", metavar="VALUE", help="Where --flip ends.")]
Against = Annotated[str | None, typer.Option("--against", metavar="S", help="The strategy to compare with.")]


def register(app: typer.Typer) -> None:
    """Add ``capsim compare`` to the application."""
    app.command("compare")(compare)


def compare(
    study: StudyFile,
    runs: Runs = None,
    cases: Cases = None,
    strategies: Strategies = None,
    against: Against = None,
    workers: Workers = None,
    seed: Seed = None,
    sets: Sets = None,
    as_of: AsOf = None,
    as_json: Json = False,
    wide: Wide = False,
    quiet: Quiet = False,
    out: Out = None,
    resume: Resume = False,
    sensitivity: Sensitivity = False,
    bridge: BridgeOf = None,
    flip: FlipPath = None,
    between: Between = None,
    low: Low = None,
    high: High = None,
) -> None:
    """Compare sourcing strategies: which costs least in all, by how much, how surely, and why.

    With --bridge A,B: two of them side by side, from a run folder too. With --flip PATH: at which value of
    one number two of them swap.
    """
    from capsim.cli import comparing
    from capsim.errors import InputError
    from capsim.report.comparison import comparison_report
    from capsim.report.jsonout import comparison_json
    from capsim.study.session import perform
    from capsim.study.setup import Request

    shown: dict[str, Any] = {"as_json": as_json, "quiet": quiet, "workers": workers}
    kept: dict[str, Any] = {**shown, "out": out, "resume": resume}
    comparing.whole_workers(workers)
    if flip is None and (between is not None or low is not None or high is not None):
        raise InputError("--between, --low and --high belong to --flip PATH")
    two = comparing.names(between)
    if bridge is not None:
        ends = comparing.pair("--bridge", bridge)
        if comparing.bridge_of_folder(study, ends, cases, as_json=as_json):
            return
    chosen = comparing.names(strategies) or two
    base = against if against is not None or not two else two[0]
    request = Request(study, tuple(sets or ()), as_of, comparing.names(cases), chosen, base, runs, seed)
    setup = comparing.prepared(request, quiet)
    if bridge is not None:
        comparing.report_bridge(setup, ends, **kept)
    elif sensitivity:
        comparing.report_sensitivity(setup, wide=wide, **kept)
    elif flip is not None:
        comparing.report_flip(setup, flip, two, (low, high), **shown)
    else:
        comparing.perform_and_report(perform, setup, comparison_report, comparison_json, wide=wide, **kept)
