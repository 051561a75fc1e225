"""``capsim trace``: look at, convert and replay real job traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from capsim.cli.options import Json, Quiet
from capsim.cli.replay import File, Format, replay

trace_app = typer.Typer(
    help="Look at, convert and replay real job traces.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
trace_app.command("replay")(replay)


def register(app: typer.Typer) -> None:
    """Add ``capsim trace`` to the application."""
    app.add_typer(trace_app, name="trace")


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
    jobs, tenants = (
        f"{figures[key]:,} {key.removesuffix('s') if figures[key] == 1 else key}"
        for key in ("jobs", "tenants")
    )
    lines = [
        f"{figures['file']} ({figures['format']}, {figures['clock']})",
        f"  {jobs}, {chips}{load}, {figures['span_s'] / 86400:,.1f} days of submissions,"
        f" {figures['work_chip_hours']:,.0f} chip-hours, {tenants}",
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
    wide = max(11, *(len(f" {values[c]:,.1f}") for values in named.values() for c in columns))
    lines = ["  " + f"{'':<16}" + "".join(f"{c:>{wide}}" for c in columns)]
    for name, values in named.items():
        cells = "".join(f"{values[c]:>{wide},.1f}" for c in columns)
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
