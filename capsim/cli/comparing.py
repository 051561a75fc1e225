"""Options that `capsim compare` and `capsim run` share, how they begin and how they end."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from capsim.report.layout import Line
    from capsim.results.reading import Results
    from capsim.study.context import Context
    from capsim.study.session import Performed, Progress
    from capsim.study.setup import Request, Setup

    Report = Callable[[Results, Context, int, bool], Sequence[Line]]

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


def perform_and_report(
    how: Callable[..., Performed],
    setup: Setup,
    text: Report,
    json: Callable[[Results, Context], str],
    *,
    as_json: bool,
    wide: bool,
    quiet: bool,
    out: Path | None,
    resume: bool,
    workers: int | None,
) -> None:
    """Simulate what is missing and print what was found, as text for this terminal or as JSON.

    Parts that were found damaged are named on stderr; they are never passed over in silence, unless --quiet.
    """
    performed = how(
        setup, command=command_line(), progress=progress_of(quiet), out=out, resume=resume, workers=workers
    )
    if not quiet:
        for name in performed.damaged:
            typer.echo(f"{name} was damaged (its sha256 differs): its runs were simulated again", err=True)
    results, context = performed.results, setup.context
    _show(as_json, lambda: json(results, context), lambda width: text(results, context, width, wide))


def _show(as_json: bool, json: Callable[[], str], lines: Callable[[int], Sequence[Line]]) -> None:
    """Print JSON, or lines as wide as the terminal."""
    from capsim.report.terminal import width_of, write

    if as_json:
        typer.echo(json())
    else:
        write(lines(width_of(sys.stdout)), sys.stdout)


def pair(option: str, text: str) -> tuple[str, str]:
    """Two names separated by a comma. Raises InputError for anything else."""
    from capsim.errors import InputError

    found = names(text)
    if len(found) != 2 or found[0] == found[1]:
        raise InputError(f"{option} {text}: write two strategies, A,B")
    return found[0], found[1]


def bridge_of_folder(study: str, ends: tuple[str, str], cases: str | None, *, as_json: bool) -> bool:
    """Print the bridge between two strategies of a run folder; False where `study` is none."""
    from capsim.study.between import is_run_folder, read_comparison

    if not is_run_folder(study):
        return False
    results, context = read_comparison(Path(study), ends, next(iter(names(cases)), None))
    _print_bridge(results, context, ends, as_json)
    return True


def report_bridge(
    setup: Setup,
    ends: tuple[str, str],
    *,
    as_json: bool,
    quiet: bool,
    out: Path | None,
    resume: bool,
    workers: int | None,
) -> None:
    """Print the bridge between two strategies, from a finished comparison of the study where there is one."""
    from capsim.errors import InputError
    from capsim.spec.quantities import did_you_mean

    for name in ends:
        if name not in setup.plan.strategies:
            raise InputError(f"--bridge: there is no {name!r}; {did_you_mean(name, setup.plan.strategies)}")
    results = _found_or_simulated(setup, quiet=quiet, out=out, resume=resume, workers=workers)
    _print_bridge(results, setup.context, ends, as_json)


def report_sensitivity(
    setup: Setup,
    *,
    as_json: bool,
    wide: bool,
    quiet: bool,
    out: Path | None,
    resume: bool,
    workers: int | None,
) -> None:
    """Move the weak inputs of a comparison one at a time, and print which move its answer most."""
    from capsim.errors import InputError
    from capsim.report.sensitivity import sensitivity_json, sensitivity_report
    from capsim.study.sensitivity import sensitivity
    from capsim.study.trials import Trials

    if len(setup.plan.strategies) < 2:
        raise InputError("--sensitivity needs two strategies to compare")
    results = _found_or_simulated(setup, quiet=quiet, out=out, resume=resume, workers=workers)
    trials = Trials.of(setup, workers, progress_of(quiet))
    found = sensitivity(setup, results, trials, lambda text: None if quiet else print(text, file=sys.stderr))
    context = setup.context
    _show(
        as_json,
        lambda: sensitivity_json(found, context),
        lambda width: sensitivity_report(found, context, width, wide),
    )


def _found_or_simulated(
    setup: Setup, *, quiet: bool, out: Path | None, resume: bool, workers: int | None
) -> Results:
    """Results of the comparison from its finished run folder, simulated where there is none."""
    from capsim.results.folder import read_results
    from capsim.study.session import RUNS, perform

    command = command_line()
    path = out if out is not None else RUNS / setup.folder_name
    results = read_results(path, setup.head(command), setup.plan)
    if results is not None:
        return results
    progress = progress_of(quiet)
    return perform(setup, command=command, progress=progress, out=out, resume=resume, workers=workers).results


def _print_bridge(results: Results, context: Context, ends: tuple[str, str], as_json: bool) -> None:
    from capsim.report.between import between_json, between_report
    from capsim.study.between import between

    case = results.plan.cases[0]
    found = between(results, context, *ends, case)
    start, goal = (float(results.metric("total_npv", name, case).mean()) for name in ends)
    _show(
        as_json,
        lambda: between_json(found, (start, goal), context),
        lambda width: between_report(found, (start, goal), context, width),
    )


def report_flip(
    setup: Setup,
    path: str,
    between: tuple[str, ...],
    ends: tuple[str | None, str | None],
    *,
    as_json: bool,
    quiet: bool,
    workers: int | None,
) -> None:
    """Search for the value at which two strategies swap, and print what was found."""
    from capsim.report.flip import flip_json, flip_report
    from capsim.study.flip import ask_flip
    from capsim.study.trials import Trials

    trials = Trials.of(setup, workers, progress_of(quiet))
    answer = ask_flip(setup, trials, path, between, *ends)
    context = setup.context
    _show(as_json, lambda: flip_json(answer, context), lambda width: flip_report(answer, context, width))


def command_line() -> str:
    """The command as the user typed it."""
    return " ".join(["capsim", *sys.argv[1:]])
