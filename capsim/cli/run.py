"""``capsim run``: one strategy in depth."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from capsim.cli.comparing import Out, Resume, Runs, Wide
from capsim.cli.options import AsOf, Case, Json, Quiet, Seed, Sets, StudyFile, Workers

if TYPE_CHECKING:
    from capsim.study.setup import Setup

OfferName = Annotated[
    str | None,
    typer.Option(
        "--statement",
        metavar="OFFER",
        help="What the strategy pays under a contract (or `all`, `porting`) in one run, line by line.",
    ),
]
RunNumber = Annotated[
    int | None, typer.Option("--run", metavar="N", help="The run of the statement (default: 0).")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print the statement's lines as CSV.")]
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
    statement: OfferName = None,
    run_number: RunNumber = None,
    as_csv: Csv = False,
) -> None:
    """Look at one strategy: capacity and work over time, who ran where, contracts, events.

    With --statement OFFER: one contract in one run, to be checked by hand.

    The runs are those of `capsim compare`; where that is finished for the same study and seed, they are read.
    """
    from capsim.cli import comparing
    from capsim.errors import InputError
    from capsim.report.depth import depth_report
    from capsim.report.jsonout import run_json
    from capsim.study.session import perform_one
    from capsim.study.setup import Request

    comparing.whole_workers(workers)
    if statement is None and (run_number is not None or as_csv):
        raise InputError("--run and --csv belong to --statement OFFER")
    cases = (case,) if case is not None else ("base",)
    request = Request(study, tuple(sets or ()), as_of, cases, (strategy,), strategy, runs, seed)
    setup = comparing.prepared(request, quiet)
    if statement is not None:
        _print_statement(setup, statement, run_number or 0, as_json=as_json, as_csv=as_csv)
        return
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


def _print_statement(setup: Setup, offer: str, number: int, *, as_json: bool, as_csv: bool) -> None:
    from capsim.engine.statement import ALL, simulated_statements
    from capsim.errors import InputError
    from capsim.report.statement import statement_csv, statement_json, statement_report
    from capsim.report.terminal import width_of, write

    if number < 0:
        raise InputError(f"--run {number}: write a whole number from 0 on")
    strategy, case = setup.plan.strategies[0], setup.plan.cases[0]
    found = simulated_statements(setup.prepared[strategy, case], number, offer)
    every = offer == ALL and found[0].offer != ALL
    context = setup.context
    if as_json:
        head = {"study": context.name, "digest": context.digest, "seed": context.seed, "strategy": strategy}
        typer.echo(statement_json(found, {**head, "case": case, "run": number}, every=every))
    elif as_csv:
        typer.echo(statement_csv(found, every=every), nl=False)
    else:
        title = f"capsim run {context.name} -s {strategy} --statement {offer}"
        case_text = f"  case {case}" if case != "base" else ""
        heading = f"{title}   run {number}, seed {context.seed}{case_text}   study {context.digest[:6]}"
        write(statement_report(found, heading, width_of(sys.stdout)), sys.stdout)
