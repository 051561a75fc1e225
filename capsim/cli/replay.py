"""``capsim trace replay``: schedule the jobs of a trace by one policy or several, side by side."""

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
    from capsim.engine.replay import ReplayRules, Schedule
    from capsim.engine.replay_policies import ReplayPolicy
    from capsim.workload.traces import JobTrace

File = Annotated[Path, typer.Argument(help="SWF, Philly CSV, job table (CSV or Parquet), .gz as well")]
Format = Annotated[str | None, typer.Option("--format", help="swf, philly, jobs, azure or requests")]
Chips = Annotated[int | None, typer.Option("--chips", help="Machine size (default: MaxProcs)")]
Policies = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="A,B",
        help="fcfs, easy, conservative, sjf+easy, las, easy+spread, own.py:function+easy, ...",
    ),
]
Depth = Annotated[int | None, typer.Option("--depth", help="Jobs that hold a reservation under conservative")]
Domain = Annotated[int, typer.Option("--domain", help="Chips of a scale-up domain (0: no topology)")]
Blocks = Annotated[int, typer.Option("--block-domains", help="Domains of a block")]
Segment = Annotated[int, typer.Option("--segment", help="Chips a gang uses of each domain")]
Locality = Annotated[
    float, typer.Option("--locality", help="Factor on a gang's speed per doubling of its blocks")
]
Types = Annotated[
    Path | None, typer.Option("--types", metavar="FILE.yaml", help="Chip types and speeds of jobs there")
]
Estimates = Annotated[str, typer.Option("--estimate", help="requested, exact, factor:F or requested:F")]
TenantsFrom = Annotated[str, typer.Option("--tenants-from", help="Tenants of an SWF: user, group or queue")]
ClassesFrom = Annotated[
    str, typer.Option("--classes-from", help="Classes of an SWF: queue, partition, executable, user or group")
]
Tenants = Annotated[
    Path | None,
    typer.Option("--tenants", metavar="FILE.yaml", help="Tenants' quotas and shares, classes, drains"),
]
Dependencies = Annotated[
    str, typer.Option("--dependencies", help="ignore, after (and arrays), or think (SWF fields 17 and 18)")
]
Fates = Annotated[bool, typer.Option("--fates", help="Jobs fail and are cancelled as the trace says")]
Retry = Annotated[int, typer.Option("--retry", metavar="N", help="Attempts of a failing job before its last")]
Preemption = Annotated[
    str, typer.Option("--preemption", help="none, or priority: a blocked head stops jobs of lower classes")
]
ByClass = Annotated[bool, typer.Option("--by-class", help="Priorities of the jobs go before the order")]
SameInstant = Annotated[
    str,
    typer.Option("--same-instant", help="together, ends-first, submissions-first, one-by-one (fcfs, easy)"),
]
OrderOptions = Annotated[
    list[str] | None,
    typer.Option("--order-option", metavar="ORDER.OPTION=VALUE", help="E.g. las.thresholds=1h,10h"),
]
Shares = Annotated[
    list[str] | None, typer.Option("--share", metavar="TENANT=NUMBER", help="Share of a tenant (1)")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write job,start: .csv, .csv.gz, .parquet")]
PerJob = Annotated[
    Path | None,
    typer.Option("--per-job", help="Write a row a job and policy, with its figures: .csv, .csv.gz, .parquet"),
]
Chart = Annotated[Path | None, typer.Option("--chart", metavar="FILE.svg", help="Draw the wait by job size")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the intervals' draws and of the jobs' classes")]


def replay(
    file: File,
    chips: Chips = None,
    policy: Policies = "easy",
    depth: Depth = None,
    domain: Domain = 0,
    block_domains: Blocks = 0,
    segment: Segment = 0,
    locality: Locality = 1.0,
    types: Types = None,
    estimate: Estimates = "requested",
    tenants_from: TenantsFrom = "user",
    classes_from: ClassesFrom = "",
    tenants: Tenants = None,
    dependencies: Dependencies = "ignore",
    fates: Fates = False,
    retry: Retry = 0,
    preemption: Preemption = "none",
    by_class: ByClass = False,
    same_instant: SameInstant = "together",
    order_option: OrderOptions = None,
    share: Shares = None,
    out: Out = None,
    per_job: PerJob = None,
    chart: Chart = None,
    seed: Seed = 0,
    format: Format = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Schedule the jobs of a trace by one policy or several, and compare their figures."""
    from capsim.engine.queue_options import read_queue_options
    from capsim.engine.replay import Machine, ReplayRules, with_estimates
    from capsim.engine.replay_policies import parse_policies
    from capsim.spec.governance import read_governance
    from capsim.study.replays import compare_schedules
    from capsim.workload.traces import read_jobs

    check_outputs(file, {"--out": out, "--per-job": per_job, "--chart": chart})
    policies = parse_policies(policy, depth)
    options = read_queue_options(order_option or (), share or ())
    governed = None if tenants is None else read_governance(tenants)
    rules = ReplayRules(governed, dependencies, fates, retry, preemption, by_class)
    options.check_used(policies, rules.tenants)
    began = time.perf_counter()
    read = read_jobs(file, format, tenants_from, classes_from, fates or dependencies != "ignore")
    trace = with_estimates(read, estimate)
    loaded = time.perf_counter()
    machine = Machine(domain, block_domains, segment, locality)
    how = {"chips": chips, "machine": machine, "options": options, "same_instant": same_instant}
    schedules = schedule_all(trace, policies, rules, types, seed, how)
    done = time.perf_counter()
    write_tables(schedules, out, per_job)
    if not quiet:
        timing = f"read in {loaded - began:.2f} s, scheduled in {done - loaded:.2f} s"
        typer.echo(
            f"{len(trace):,} job{'' if len(trace) == 1 else 's'}: {timing} (kernel loading included)",
            err=True,
        )
    show_replay(compare_schedules(schedules, seed), trace.cleaning.sentences(), chart, as_json)


def check_outputs(file: Path, outputs: dict[str, Path | None]) -> None:
    """Raise InputError, before anything is scheduled, for files that cannot be written as they are named."""
    from capsim.errors import InputError
    from capsim.workload.traces.writing import check_name

    problems, taken = list[str](), {file.resolve(): "the trace"}
    for option, path in outputs.items():
        if path is None:
            continue
        try:
            if option != "--chart":
                check_name(path)
            elif path.suffix.lower() != ".svg":
                problems.append(f"{path}: the chart is an SVG; end its name in .svg")
        except InputError as error:
            problems.append(str(error))
        if not path.parent.is_dir():
            problems.append(f"{path}: there is no folder {path.parent}; make it, or name another")
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            problems.append(f"{option} {path} would overwrite {other}; name another file")
    if problems:
        raise InputError("\n".join(problems))


def schedule_all(
    trace: JobTrace,
    policies: Sequence[ReplayPolicy],
    rules: ReplayRules,
    types: Path | None,
    seed: int,
    how: dict[str, Any],
) -> list[Schedule]:
    """A schedule by each policy, after a look at what any of them cannot do."""
    from capsim.engine.replay import replay_trace
    from capsim.engine.replay_policies import check_machine
    from capsim.engine.replay_types import types_of
    from capsim.spec.chip_types import read_chip_types

    check_machine(policies, domains=how["machine"].domain > 0, types=types is not None)
    rules.check(trace, policies)
    kinds = types_of(read_chip_types(types), trace, seed) if types else None
    return [replay_trace(trace, policy=policy, types=kinds, rules=rules, **how) for policy in policies]


def write_tables(schedules: Sequence[Schedule], starts: Path | None, jobs: Path | None) -> None:
    """``starts``: ``job,start``, with several policies ``job,start_NAME,...``; ``jobs``: see ``per_job``.

    All policies start the same jobs.
    """
    from capsim.engine.replay_table import per_job
    from capsim.workload.traces import write_table
    from capsim.workload.traces.writing import seconds

    if starts is not None:
        names = ["start"] if len(schedules) == 1 else [f"start_{schedule.policy}" for schedule in schedules]
        columns = {name: seconds(schedule.start) for name, schedule in zip(names, schedules, strict=True)}
        write_table(starts, {"job": schedules[0].job, **columns})
    if jobs is not None:
        write_table(jobs, per_job(schedules))


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
