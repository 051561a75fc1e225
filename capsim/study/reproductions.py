"""Published scheduling results repeated: what is expected, by whom, and what capsim gives.

Each function returns one table; ``capsim validate --reproductions`` writes them all to docs/reproductions.md.
What is said there about the figures is tested on the figures (tests/study/test_reproductions.py).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from capsim.engine.queue_options import QueueOptions
from capsim.engine.replay import Machine, Schedule, measure, replay_trace, with_estimates
from capsim.engine.replay_policies import POLICIES
from capsim.engine.replay_types import Types, types_of
from capsim.engine.same_instant import ORDERS as INSTANT_ORDERS
from capsim.randomness import generator
from capsim.spec.chip_types import ChipTypes
from capsim.study.replays import compare_schedules
from capsim.workload.traces import JobTrace, RawJobs, clean, read_jobs

TRACES = ("sdsc_sp2_5k", "curie_5k", "nasa_full", "lublin_10k", "lublin2_10k")
MODEL = "lublin_10k"
ESTIMATES = ("exact", "factor:1.5", "factor:2", "factor:3", "factor:5", "factor:10", "factor:100")
COARSE_MINUTES = 10
PHILLY_CHIPS = (512, 640)
FINER = (1, 10, 100)
"""Thresholds of least attained service in chip-hours, one more than by default."""
HOUR, DAY = 3600.0, 86_400.0

TWO_WEEKS = (56.0, 70.0)
"""Days of the Philly trace whose jobs are replayed on two chip types."""
TYPED_CHIPS = ((192, 384),)
SLOW_SPEEDS = {"a": 0.25, "b": 0.5, "c": 0.8}
"""Speed of three equally frequent classes on the slow type over the fast one (assumed)."""
MOST_STRETCHED = 64
"""Chips that an elastic job may have at most (assumed)."""
RESTART_S = 30
"""Time of a restart: the default of Sia's artifact, which measured 25 to 250 s by model."""
TYPED_POLICIES = {
    "gavel-throughput": ("gavel-throughput", None),
    "gavel-max-min": ("gavel-max-min", None),
    "sia, rigid jobs": ("sia", None),
    "sia, elastic, 5 % serial": ("sia", 0.05),
    "sia, elastic, 20 % serial": ("sia", 0.2),
    "las": ("las", None),
    "fcfs": ("fcfs", None),
}
"""Rows of the table: policy, and the part of elastic jobs' work that does not scale (assumed)."""

RACK, GANG, RACKS, BLOCK = 72, 64, 64, 8
"""A fleet of 64 racks of 72 chips in blocks of 8; gangs take 64 chips of a rack."""
LOCALITY = 0.85
"""Speed per doubling of the blocks that a gang spans (assumed)."""
LOADS = (0.5, 0.6, 0.7, 0.8, 0.9)
MACHINES = {
    "no segments": Machine(RACK),
    "64 of 72, locality off": Machine(RACK, 0, GANG),
    "64 of 72, locality on": Machine(RACK, BLOCK, GANG, LOCALITY),
}
GANG_JOBS = 30_000


@dataclass(frozen=True)
class Table:
    """A heading and rows of cells; numbers are kept beside them in ``values`` for the tests."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: dict[str, float]


def exact_starts(truth: Path, traces: Sequence[str] = TRACES) -> Table:
    """Starts that equal those of three independent implementations, by trace and policy."""
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for name in traces:
        trace = read_jobs(truth / f"{name}.swf.gz")
        with gzip.open(truth / f"{name}.truth.csv.gz", "rt", encoding="utf-8", newline="") as file:
            known = list(csv.DictReader(file))
        cells = [name, f"{trace.chips:,}", f"{len(known):,}"]
        for policy in POLICIES:
            schedule = replay_trace(trace, policy=policy)
            starts = dict(zip(schedule.job.tolist(), (schedule.start // 1000).tolist(), strict=True))
            equal = sum(starts[int(row["job"])] == int(row[f"start_{policy}"]) for row in known)
            cells.append(f"{equal:,}")
            values[f"{name} {policy}"] = equal / len(known)
        rows.append(tuple(cells))
    return Table(("trace", "chips", "jobs", *POLICIES), tuple(rows), values)


def estimates(truth: Path) -> Table:
    """EASY and conservative backfilling with run times multiplied into estimates."""
    trace = read_jobs(truth / f"{MODEL}.swf.gz")
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for estimate in ESTIMATES:
        cells = [estimate.removeprefix("factor:").replace("exact", "1") + " × run"]
        for policy in ("easy", "conservative"):
            found = measure(replay_trace(with_estimates(trace, estimate), policy=policy))
            wait, slowdown = found["wait_s"], found["bounded_slowdown"]
            cells += [
                f"{wait['mean'] / HOUR:.1f}",
                f"{wait['by_chip_time']['mean'] / HOUR:.1f}",
                f"{slowdown['mean']:.0f}",
                f"{slowdown['p50']:.1f}",
            ]
            values[f"{policy} {estimate} wait"] = wait["mean"]
            values[f"{policy} {estimate} wait by chip-time"] = wait["by_chip_time"]["mean"]
            values[f"{policy} {estimate} slowdown"] = slowdown["mean"]
            values[f"{policy} {estimate} median slowdown"] = slowdown["p50"]
        rows.append(tuple(cells))
    heading = ["estimate"]
    for policy in ("EASY", "conservative"):
        heading += [f"{policy} wait, h", "by chip-time, h", "slowdown", "its p50"]
    return Table(tuple(heading), tuple(rows), values)


def by_metric(truth: Path) -> Table:
    """EASY against conservative, figure by figure, with the interval of the difference."""
    trace = read_jobs(truth / f"{MODEL}.swf.gz")
    schedules = [replay_trace(trace, policy=policy) for policy in ("easy", "conservative")]
    easy, conservative = compare_schedules(schedules)["policies"]
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for name, title, unit in (
        ("wait_s", "mean wait, h", HOUR),
        ("completion_s", "mean completion time, h", HOUR),
        ("bounded_slowdown", "mean bounded slowdown", 1.0),
        ("finish_time_fairness", "mean ρ", 1.0),
    ):
        for way in ("jobs", "chip-time"):
            first, second = (
                row[name] if way == "jobs" else row[name]["by_chip_time"] for row in (easy, conservative)
            )
            difference = {key: value / unit for key, value in second["vs_first"].items()}
            clear = not difference["low"] <= 0 <= difference["high"]
            better = ("EASY" if difference["value"] > 0 else "conservative") if clear else "neither"
            rows.append(
                (
                    f"{title}, by {way}",
                    f"{first['mean'] / unit:,.2f}",
                    f"{second['mean'] / unit:,.2f}",
                    f"{difference['low']:+,.2f} .. {difference['high']:+,.2f}",
                    better,
                )
            )
            values[f"{name} by {way}"] = difference["value"] if clear else 0.0
    heading = ("figure", "EASY", "conservative", "difference, 95 % interval", "better")
    return Table(heading, tuple(rows), values)


def coarser(trace: JobTrace, minutes: int) -> JobTrace:
    """The trace on a clock that ticks every so many minutes: submissions rounded down, durations up."""
    tick = 60_000 * minutes
    return replace(
        trace,
        submit=trace.submit // tick * tick,
        run=-(-trace.run // tick) * tick,
        requested=-(-trace.requested // tick) * tick,
    )


def same_instant(truth: Path, traces: Sequence[str] = TRACES) -> Table:
    """EASY with other orders of what happens at one instant, on the traces' clock and on a coarser one."""
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for name in traces:
        fine = read_jobs(truth / f"{name}.swf.gz")
        for clock, trace in (("1 s", fine), (f"{COARSE_MINUTES} min", coarser(fine, COARSE_MINUTES))):
            own = replay_trace(trace, policy="easy")
            cells = [name, clock]
            for order in INSTANT_ORDERS[1:]:
                other = replay_trace(trace, policy="easy", same_instant=order)
                moved = float((other.start != own.start).mean())
                change = float(other.wait.mean() / own.wait.mean()) - 1 if own.wait.any() else 0.0
                cells.append(f"{100 * moved:.1f} % moved, wait {100 * change:+.1f} %")
                values[f"{name} {clock} {order} moved"] = moved
                values[f"{name} {clock} {order} wait"] = change
            rows.append(tuple(cells))
    return Table(("trace", "clock", *INSTANT_ORDERS[1:]), tuple(rows), values)


def philly(traces: Path, sizes: Sequence[int] = PHILLY_CHIPS) -> Table:
    """Completion times on the Philly trace by order of the queue."""
    trace = read_jobs(traces / "philly_sia.csv.gz")
    finer = QueueOptions({"las": {"thresholds": tuple(int(hours * HOUR * 1000) for hours in FINER)}})
    policies = {
        "fcfs": ("fcfs", None),
        "easy": ("easy", None),
        "sjf": ("sjf", None),
        "las": ("las", None),
        "las, 3 thresholds": ("las", finer),
    }
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for chips in sizes:
        schedules = [
            replay_trace(trace, policy=policy, chips=chips, options=options)
            for policy, options in policies.values()
        ]
        found = compare_schedules(schedules)["policies"]
        base = found[0]["completion_s"]["mean"]
        for policy, row in zip(policies, found, strict=True):
            completion = row["completion_s"]
            low, high = (value / HOUR for value in completion["interval"]["mean"])
            rows.append(
                (
                    f"{chips}",
                    policy,
                    f"{completion['mean'] / HOUR:.2f} ({low:.1f} .. {high:.1f})",
                    f"{base / completion['mean']:.1f}×",
                    f"{completion['p50'] / HOUR:.2f}",
                    f"{completion['p95'] / HOUR:.1f}",
                    f"{row['preemptions']:,}",
                )
            )
            values[f"{policy} {chips}"] = completion["mean"]
            values[f"{policy} {chips} p50"] = completion["p50"]
    heading = (
        "chips",
        "order",
        "mean JCT, h (95 % interval)",
        "over fcfs",
        "p50, h",
        "p95, h",
        "preemptions",
    )
    return Table(heading, tuple(rows), values)


def submitted_between(trace: JobTrace, first: float, last: float, longest: int | None = None) -> JobTrace:
    """The jobs submitted from the day ``first`` after the first submission, before the day ``last``.

    ``longest``: only jobs of up to so many ms.
    """
    day = (trace.submit - trace.submit[0]) / (1000 * DAY)
    rows = np.flatnonzero((day >= first) & (day < last) & (trace.run <= (longest or trace.run.max())))
    columns = {name: getattr(trace, name)[rows] for name in ("job", "submit", "size", "run", "requested")}
    return replace(trace, tenant=trace.tenant[rows], **columns)


def two_types(trace: JobTrace, fast: int, slow: int, serial: float | None) -> Types:
    """``fast`` and ``slow`` chips, and three classes of jobs that lose differently on the slow ones.

    ``serial``: of elastic jobs; None: jobs keep their sizes.
    """
    elastic = {} if serial is None else {"elastic": {"most": MOST_STRETCHED, "serial": serial}}
    classes = {name: {"speeds": {"fast": 1, "slow": speed}, **elastic} for name, speed in SLOW_SPEEDS.items()}
    given = ChipTypes.model_validate(
        {
            "types": {"fast": {"chips": fast}, "slow": {"chips": slow}},
            "classes": classes,
            "restart": f"{RESTART_S} s",
        }
    )
    return types_of(given, trace, seed=0)


def elastic_jobs(
    traces: Path,
    machines: Sequence[tuple[int, int]] = TYPED_CHIPS,
    names: Sequence[str] = tuple(TYPED_POLICIES),
) -> Table:
    """Sia against Gavel and queues on two chip types; differences are to Gavel's first policy."""
    trace = submitted_between(read_jobs(traces / "philly_sia.csv.gz"), *TWO_WEEKS)
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for fast, slow in machines:
        schedules = [
            replay_trace(trace, policy=policy, types=two_types(trace, fast, slow, serial))
            for policy, serial in (TYPED_POLICIES[name] for name in names)
        ]
        for name, row in zip(names, compare_schedules(schedules)["policies"], strict=True):
            completion, difference = row["completion_s"], row["completion_s"].get("vs_first")
            low, high = (value / HOUR for value in completion["interval"]["mean"])
            held = row["utilisation"] * row["chips"] * row["makespan_s"] / HOUR
            ends = [difference[end] / HOUR for end in ("low", "high")] if difference else []
            rows.append(
                (
                    f"{fast} + {slow}",
                    name,
                    f"{completion['mean'] / HOUR:.2f} ({low:.1f} .. {high:.1f})",
                    " .. ".join(f"{end:+.1f}" for end in ends),
                    f"{completion['p99'] / HOUR:.1f}",
                    f"{row['makespan_s'] / DAY:.1f}",
                    f"{held / 1000:.0f}",
                    f"{row['finish_time_fairness']['mean']:.1f}",
                    f"{row['preemptions']:,}",
                )
            )
            key = f"{name} {fast}"
            values |= {key: completion["mean"], f"{key} p99": completion["p99"], f"{key} held": held}
            values[f"{key} rho"] = row["finish_time_fairness"]["mean"]
    heading = ("chips", "policy", "mean JCT, h (95 % interval)", "difference, h", "p99, h", "makespan, d")
    return Table((*heading, "1,000 chip-hours held", "mean ρ", "preemptions"), tuple(rows), values)


def gang_trace(load: float, jobs: int = GANG_JOBS) -> JobTrace:
    """Poisson jobs for 4,608 chips: nine in ten of 1 .. 32 chips, the rest gangs of 64 .. 1,024.

    Sizes are powers of two, run times lognormal (median 4 h, σ 1, 10 min .. 2 d) and known. ``load`` is
    work ÷ (chips × span of the submissions). The same jobs at every load, closer together.
    """
    draws = generator("gangs of 64", 1)
    small = draws.random(jobs) < 0.9
    size = np.where(small, 2 ** draws.integers(0, 6, jobs), GANG * 2 ** draws.integers(0, 5, jobs))
    run = np.clip(draws.lognormal(np.log(4 * HOUR), 1.0, jobs), 600.0, 2 * DAY)
    submit = np.cumsum(draws.exponential(1.0, jobs))
    submit *= float((size * run).sum()) / (load * RACK * RACKS) / submit[-1]
    nobody = np.zeros(jobs, dtype=np.int32)
    raw = RawJobs(np.arange(1, jobs + 1), submit, run, size, size, run, nobody, ("all",))
    return clean(raw, source="gangs", format="jobs", chips=RACK * RACKS)


def expected_spare(schedule: Schedule) -> float:
    """Share of the fleet held beside segments if nothing slows down: an eighth of the larger gangs' work."""
    outcomes = schedule.outcomes
    beside = (RACK - GANG) / GANG * float(outcomes.work[outcomes.size > RACK].sum())
    return beside / (outcomes.chips * float(outcomes.makespan))


def fragmentation(loads: Sequence[float] = LOADS, jobs: int = GANG_JOBS) -> Table:
    """Waits and unused chips by load, for gangs of whole racks and of 64 of 72, locality off and on."""
    rows, values = list[tuple[str, ...]](), dict[str, float]()
    for load in loads:
        trace = gang_trace(load, jobs)
        for name, machine in MACHINES.items():
            schedule = replay_trace(trace, policy="easy", machine=machine)
            found: dict[str, Any] = measure(schedule)
            unused = found["unused"]
            expected = expected_spare(schedule) if machine.segment else 0.0
            rows.append(
                (
                    f"{load:.1f}",
                    name,
                    f"{found['wait_s']['mean'] / HOUR:.2f}",
                    f"{found['wait_s']['by_chip_time']['mean'] / HOUR:.2f}",
                    f"{100 * found['utilisation']:.1f}",
                    f"{100 * unused['spare']:.2f} ({100 * expected:.2f})",
                    f"{100 * found['fragmentation']:.1f}",
                    f"{100 * unused['scattered']:.1f}",
                )
            )
            values[f"{name} {load} wait"] = found["wait_s"]["by_chip_time"]["mean"]
            values[f"{name} {load} spare"] = unused["spare"]
            values[f"{name} {load} expected spare"] = expected
            values[f"{name} {load} fragmentation"] = found["fragmentation"]
    heading = ("load", "machine", "wait, h", "by chip-time, h", "used, %", "spare, % (expected)")
    return Table((*heading, "free while wanted, %", "of it scattered, %"), tuple(rows), values)
