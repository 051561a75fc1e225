"""What ``capsim bench`` prints: plain text, for 80 columns or wider."""

from __future__ import annotations

from itertools import groupby
from textwrap import fill

from capsim.bench.cases import OWN, Case
from capsim.bench.measure import Figures
from capsim.bench.session import Session, about

WIDE = 110
"""From this many columns on, memory and failures of every case are shown."""

Column = tuple[str, int]


def text(session: Session, jobs: int, width: int) -> str:
    """All tables."""
    facts = about()
    head = [
        f"{jobs:,} jobs a case, first mix; one core, compiled code loaded; "
        "jobs a second of the loop alone (processor time)",
        ", ".join([facts["system"], *(f"{k} {v}" for k, v in facts.items() if k != "system")]),
    ]
    parts = [wrapped(head, width), grid_table(session.grid, wide=width >= WIDE)]
    if session.named:
        parts.append(named_table(session, wide=width >= WIDE))
    notes = ["queue: longest; backf.: share of the jobs backfilled"]
    if width >= WIDE:
        notes[0] += "; failures, resident bytes a job (fleet included), most resident memory: of the easy run"
    parts.append(wrapped([*notes, *references(session)], width))
    return "\n\n".join(parts)


def wrapped(lines: list[str], width: int) -> str:
    """Lines broken at spaces."""
    return "\n".join(fill(line, width) for line in lines)


def line(columns: list[Column], cells: list[str]) -> str:
    """One row: the first cell to the left, the others to the right."""
    first, *others = [(name, width, cell) for (name, width), cell in zip(columns, cells, strict=True)]
    return f"{first[2]:<{first[1]}}" + "".join(f"{cell:>{width}}" for _, width, cell in others)


def grid_table(rows: list[tuple[Case, Figures]], *, wide: bool) -> str:
    """Fleet × topology × load, FCFS beside EASY."""
    columns: list[Column] = [("chips", 10), ("placed on", 17), ("load", 5)]
    columns += [("fcfs/s", 12), ("queue", 8), ("easy/s", 12), ("backf.", 7), ("queue", 7)]
    if wide:
        columns += [("failures", 9), ("B/job", 6), ("peak MB", 8)]
    out = [line(columns, [name for name, _ in columns])]
    keyed = groupby(rows, key=lambda row: (row[0].chips, row[0].places, row[0].load))
    for (chips, places, load), group in keyed:
        by = {case.policy: figures for case, figures in group}
        fcfs, easy = by["fcfs"], by["easy"]
        cells = [f"{chips:,}", places, f"{load:g}", f"{fcfs.jobs_per_s:,.0f}", f"{fcfs.longest_queue:,}"]
        cells += [f"{easy.jobs_per_s:,.0f}", f"{easy.backfilled / easy.jobs:.1%}", f"{easy.longest_queue:,}"]
        if wide:
            cells += memory(easy)
        out.append(line(columns, cells))
    return "\n".join(out)


def named_table(session: Session, *, wide: bool) -> str:
    """The single cases, one a row."""
    columns: list[Column] = [("case", 33), ("jobs", 11), ("jobs/s", 11), ("backf.", 7), ("queue", 8)]
    if wide:
        columns += [("stopped", 9), ("failures", 9), ("B/job", 7), ("peak MB", 8)]
    out = [line(columns, [name for name, _ in columns])]
    for name, case, found in session.named:
        cells = [name, f"{case.jobs:,}", f"{found.jobs_per_s:,.0f}"]
        cells += [f"{found.backfilled / found.jobs:.1%}", f"{found.longest_queue:,}"]
        if wide:
            cells += [f"{found.preemptions:,}", *memory(found)]
        out.append(line(columns, cells))
    return "\n".join(out)


def memory(figures: Figures) -> list[str]:
    """Failures and memory as cells."""
    per_job = figures.resident_bytes / figures.jobs
    return [f"{figures.failures:,}", f"{per_job:,.0f}", f"{figures.peak_mb:,.0f}"]


def references(session: Session) -> list[str]:
    """The plain simpy model on the same jobs, and the costs that do not depend on the jobs."""
    out = []
    for policy, jobs, ours, theirs in session.simpy:
        rates = f"{jobs / ours:,.0f} jobs/s, a plain simpy model {jobs / theirs:,.0f}"
        out.append(f"{policy}, the same {jobs:,} jobs: {rates}: {theirs / ours:,.0f} times")
    speed = {name: figures.jobs_per_s for name, _, figures in session.named}
    for own, built_in in OWN.items():
        if own in speed:
            out.append(f"{own}: {100 * (speed[own] / speed[built_in] - 1):+.0f} % against {built_in}")
    for name, seconds in session.costs.items():
        value = f"{1e6 * seconds:.1f} µs" if seconds < 0.001 else f"{seconds:.1f} s"
        out.append(f"{name}: {value}")
    return out
