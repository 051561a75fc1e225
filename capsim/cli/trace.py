"""``capsim trace``: look at, convert and replay real job traces."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capsim.cli.options import Json, Quiet

if TYPE_CHECKING:
    from capsim.engine.replay import Schedule

File = Annotated[Path, typer.Argument(help="SWF, Philly CSV, job table (CSV or Parquet), .gz as well")]
Format = Annotated[str | None, typer.Option("--format", help="swf, philly, jobs, azure or requests")]

trace_app = typer.Typer(
    help="Look at, convert and replay real job traces.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add ``capsim trace`` to the application."""
    app.add_typer(trace_app, name="trace")


@trace_app.command("replay")
def replay_command(
    file: File,
    chips: Annotated[int | None, typer.Option("--chips", help="Machine size (default: MaxProcs)")] = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="A,B", help="fcfs, easy, conservative, sjf, sjf+easy, ...")
    ] = "easy",
    depth: Annotated[
        int | None, typer.Option("--depth", help="Jobs that hold a reservation under conservative")
    ] = None,
    domain: Annotated[int, typer.Option("--domain", help="Chips of a scale-up domain (0: no topology)")] = 0,
    block_domains: Annotated[int, typer.Option("--block-domains", help="Domains of a block")] = 0,
    segment: Annotated[int, typer.Option("--segment", help="Chips a gang uses of each domain")] = 0,
    locality: Annotated[
        float, typer.Option("--locality", help="Factor on a gang's speed per doubling of its blocks")
    ] = 1.0,
    types: Annotated[
        Path | None, typer.Option("--types", metavar="FILE.yaml", help="Chip types and speeds of jobs there")
    ] = None,
    estimate: Annotated[
        str, typer.Option("--estimate", help="requested, exact, factor:F or requested:F")
    ] = "requested",
    tenants_from: Annotated[
        str, typer.Option("--tenants-from", help="Tenants of an SWF: user, group or queue")
    ] = "user",
    same_instant: Annotated[
        str,
        typer.Option(
            "--same-instant", help="together, ends-first, submissions-first or one-by-one (fcfs, easy)"
        ),
    ] = "together",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write job,start: .csv, .csv.gz, .parquet")
    ] = None,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.svg", help="Draw the wait by job size")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the intervals' draws and of the jobs' classes")
    ] = 0,
    format: Format = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Schedule the jobs of a trace by one policy or several, and compare their figures.

    Starts are in seconds on the trace's own clock, under the trace's own job numbers.
    """
    from capsim.engine.replay import Machine, replay_trace, with_estimates
    from capsim.engine.replay_policies import parse_policies
    from capsim.engine.replay_types import types_of
    from capsim.spec.chip_types import read_chip_types
    from capsim.study.replays import compare_schedules
    from capsim.workload.traces import read_jobs
    from capsim.workload.traces.writing import check_name

    if out is not None:
        check_name(out)
    policies = parse_policies(policy, depth)
    began = time.perf_counter()
    trace = with_estimates(read_jobs(file, format, tenants_from), estimate)
    read = time.perf_counter()
    machine = Machine(domain, block_domains, segment, locality)
    kinds = types_of(read_chip_types(types), trace, seed) if types else None
    schedules = [
        replay_trace(trace, policy=name, chips=chips, machine=machine, types=kinds, same_instant=same_instant)
        for name in policies
    ]
    done = time.perf_counter()
    if out is not None:
        write_starts(out, schedules)
    found = compare_schedules(schedules, seed)
    if not quiet:
        timing = f"read in {read - began:.2f} s, scheduled in {done - read:.2f} s (kernel loading included)"
        typer.echo(f"{len(trace):,} jobs: {timing}", err=True)
    show_replay(found, trace.cleaning.sentences(), chart, as_json)


def write_starts(out: Path, schedules: Sequence[Schedule]) -> None:
    """``job,start``; with several policies ``job,start_NAME,...``, empty where a policy left a job out."""
    from capsim.workload.traces import write_table
    from capsim.workload.traces.writing import seconds

    names = ["start"] if len(schedules) == 1 else [f"start_{schedule.policy}" for schedule in schedules]
    starts = {name: seconds(schedule.start) for name, schedule in zip(names, schedules, strict=True)}
    write_table(out, {"job": schedules[0].job, **starts})


def show_replay(found: dict[str, Any], cleaning: list[str], chart: Path | None, as_json: bool) -> None:
    """Print a comparison of policies, as JSON or as text, and draw it where that is asked for."""
    from capsim.report.replays import replay_report
    from capsim.report.terminal import width_of, write
    from capsim.report.wait_svg import wait_svg
    from capsim.workload.traces.writing import replace_file

    rows = found["policies"]
    if chart is not None and rows[0]["jobs"]:
        replace_file(chart, wait_svg(rows).encode())
    if as_json:
        single = {key: value for key, value in found.items() if key != "policies"} | rows[0]
        typer.echo(json.dumps(single if len(rows) == 1 else found, indent=2))
    else:
        write(replay_report(found, cleaning, width_of(sys.stdout)), sys.stdout)


@trace_app.command("info")
def info_command(
    file: File,
    chips: Annotated[int | None, typer.Option("--chips", min=1, help="Machine size for the load")] = None,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Jobs or requests, load, quantiles of size and duration, histograms."""
    from capsim.workload.traces import RequestTrace, read_trace, summarise_jobs, summarise_requests

    trace = read_trace(file, format)
    if isinstance(trace, RequestTrace):
        figures = summarise_requests(trace)
    else:
        figures = summarise_jobs(trace, chips)
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    lines = requests_text(figures) if isinstance(trace, RequestTrace) else jobs_text(figures)
    notes = [f"  {sentence}" for sentence in trace.cleaning.sentences()]
    typer.echo("\n".join([*lines[:2], *notes, *lines[2:]]))


def jobs_text(figures: dict[str, Any]) -> list[str]:
    """The figures of a job trace as lines of text."""
    chips = f"{figures['chips']:,} chips" if figures["chips"] else "machine size not stated"
    load = f", load {figures['load']:.3f}" if figures["load"] is not None else ""
    lines = [
        f"{figures['file']} ({figures['format']}, {figures['clock']})",
        f"  {figures['jobs']:,} jobs, {chips}{load}, {figures['span_s'] / 86400:,.1f} days of submissions,"
        f" {figures['work_chip_hours']:,.0f} chip-hours, {figures['tenants']:,} tenants",
    ]
    rows = {
        "size, chips": figures["size"],
        "run time, s": figures["run_s"],
        "requested ÷ run": figures["requested_over_run"],
        "gap, s": figures["gap_s"],
    }
    lines += quantile_lines(rows)
    lines += histogram_lines("size, chips", figures["size_histogram"])
    lines += histogram_lines("run time", figures["run_histogram"])
    if figures["largest_tenants"]:
        shares = (f"{row['tenant']} {row['share']:.1%}" for row in figures["largest_tenants"][:5])
        lines.append("  most work: " + ", ".join(shares))
    return lines


def requests_text(figures: dict[str, Any]) -> list[str]:
    """The figures of a request trace as lines of text."""
    rate = figures["requests_per_s"]
    shown = f"{rate:.2f} a second" if rate is not None else "no rate"
    lines = [
        f"{figures['file']} ({figures['format']}, {figures['clock']}): {figures['requests']:,} requests",
        f"  {figures['span_s'] / 60:,.1f} minutes, {shown}",
    ]
    lines += quantile_lines(
        {"input tokens": figures["input_tokens"], "output tokens": figures["output_tokens"]}
    )
    lines += histogram_lines("input tokens", figures["input_histogram"])
    lines += histogram_lines("output tokens", figures["output_histogram"])
    return lines


def quantile_lines(rows: dict[str, dict[str, float]]) -> list[str]:
    """A small table of quantiles, one row a quantity."""
    named = {name: values for name, values in rows.items() if values}
    if not named:
        return []
    columns = list(next(iter(named.values())))
    lines = ["  " + f"{'':<16}" + "".join(f"{c:>11}" for c in columns)]
    for name, values in named.items():
        cells = "".join(f"{values[c]:>11,.1f}" for c in columns)
        lines.append("  " + f"{name:<16}" + cells)
    return lines


def histogram_lines(title: str, rows: list[dict[str, Any]], width: int = 40) -> list[str]:
    """A text histogram; the longest bar is ``width`` characters."""
    if not rows:
        return []
    most = max(row["count"] for row in rows)
    total = sum(row["count"] for row in rows)
    lines = [f"  {title}"]
    for row in rows:
        bar = "█" * round(width * row["count"] / most)
        lines.append(f"    {row['range']:>17} {row['count']:>9,} {row['count'] / total:>6.1%} {bar}")
    return lines


@trace_app.command("convert")
def convert_command(
    file: File,
    out: Annotated[Path, typer.Argument(help="The table to write: .csv, .csv.gz or .parquet")],
    format: Format = None,
    quiet: Quiet = False,
) -> None:
    """Write a trace, cleaned, as capsim's own job (or request) table."""
    from capsim.workload.traces import RequestTrace, read_trace, write_jobs, write_requests
    from capsim.workload.traces.writing import check_name

    check_name(out)
    trace = read_trace(file, format)
    if isinstance(trace, RequestTrace):
        write_requests(trace, out)
    else:
        write_jobs(trace, out)
    if not quiet:
        typer.echo(f"{len(trace):,} records written to {out}", err=True)
        for sentence in trace.cleaning.sentences():
            typer.echo(f"  {sentence}", err=True)
