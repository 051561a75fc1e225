"""What a trace is once it is read, and the rules that clean the jobs of a raw one."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from capsim.errors import InputError
from capsim.workload.traces.terms import JobTerms

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MILLISECONDS = 1000.0
"""Milliseconds in a second: trace files write seconds, capsim counts int64 milliseconds."""

LATEST_SECONDS = 1e12
"""Clock readings and durations beyond this (some 31,700 years) are taken for damage."""

LARGEST_SIZE = 2**40
"""More processors than this in one job are taken for damage; any real size is far below."""

CLOCK_LIMIT = 2**62
"""Milliseconds, and chip-milliseconds, that a whole schedule may reach: half of what int64 holds."""


@dataclass(frozen=True)
class Cleaning:
    """Counts of what cleaning found, in the order in which it is reported."""

    records: int = 0
    dropped_no_run_time: int = 0
    dropped_no_size: int = 0
    dropped_no_submission: int = 0
    cut_at_requested: int = 0
    filled_requested: int = 0
    filled_size: int = 0
    out_of_order: int = 0
    before_zero: int = 0
    duplicate_numbers: int = 0
    kept: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def sentences(self) -> list[str]:
        """One sentence for each count that is not zero (records and kept always)."""
        said = [
            (self.dropped_no_run_time, "dropped: run time ≤ 0 or unknown"),
            (self.dropped_no_size, "dropped: no processors requested or allocated"),
            (self.dropped_no_submission, "dropped: no submission time"),
            (self.cut_at_requested, "run time cut at the requested time"),
            (self.filled_requested, "without a requested time: the run time is taken"),
            (self.filled_size, "without requested processors: the allocated ones are taken"),
            (self.out_of_order, "out of order in the file: sorted by (submission, file order)"),
            (self.before_zero, "submitted before the clock's zero: kept as they are"),
            (self.duplicate_numbers, "with a job number already used: kept, rows stay apart"),
        ]
        return [f"{count:,} {text}" for count, text in said if count]


@dataclass(frozen=True)
class RawJobs:
    """Jobs as a file states them, in file order; every array has one entry a record.

    ``size`` and ``requested`` are ≤ 0 where the file does not say; ``allocated`` stands in for a
    missing ``size``. ``submit``, ``run`` and ``requested`` are seconds; NaN is unknown. In ``terms`` jobs
    wait for job numbers.
    """

    job: Ints
    submit: Floats
    run: Floats
    size: Ints
    allocated: Ints
    requested: Floats
    tenant: NDArray[np.int32]
    tenants: tuple[str, ...]
    job_class: NDArray[np.int32] | None = None
    job_classes: tuple[str, ...] = ()
    terms: JobTerms = field(default_factory=JobTerms)


@dataclass(frozen=True)
class JobTrace:
    """Cleaned jobs, ordered by (submission, file order). Arrays have one entry a job.

    ``job`` is the trace's own job number, ``submit`` int64 ms on the trace's own clock, ``size`` chips,
    ``run`` and ``requested`` int64 ms with ``run`` ≤ ``requested``, ``tenant`` an index into ``tenants``,
    ``job_class`` one into ``job_classes`` where the trace names classes, ``terms`` what else it says of them.
    ``chips`` is the machine size that the file's header states, if any.
    """

    source: str
    format: str
    job: Ints
    submit: Ints
    size: Ints
    run: Ints
    requested: Ints
    tenant: NDArray[np.int32]
    tenants: tuple[str, ...]
    cleaning: Cleaning
    chips: int | None = None
    clock: str = "seconds"
    notes: tuple[str, ...] = field(default=())
    job_class: NDArray[np.int32] | None = None
    job_classes: tuple[str, ...] = ()
    terms: JobTerms = field(default_factory=JobTerms)

    def __len__(self) -> int:
        return len(self.job)


@dataclass(frozen=True)
class RequestTrace:
    """Requests to an LLM service, ordered by (arrival, file order).

    ``arrival`` is int64 ms since the first request, ``input_tokens`` and ``output_tokens`` int64.
    """

    source: str
    format: str
    arrival: Ints
    input_tokens: Ints
    output_tokens: Ints
    clock: str
    cleaning: Cleaning

    def __len__(self) -> int:
        return len(self.arrival)


def to_milliseconds(seconds: Floats) -> Ints:
    """Seconds to the nearest int64 millisecond."""
    return np.rint(seconds * MILLISECONDS).astype(np.int64)


def first_use(values: Ints) -> int:
    """How many entries repeat a value that an earlier entry already has."""
    return len(values) - len(np.unique(values))


def clean(
    raw: RawJobs,
    *,
    source: str,
    format: str,
    chips: int | None = None,
    clock: str = "seconds",
    notes: tuple[str, ...] = (),
) -> JobTrace:
    """Apply the cleaning rules and count what they did.

    The size is the requested one if > 0, else the allocated one. Jobs without a positive run time, a
    positive size or a submission time are dropped. A missing requested time is the run time; the run
    time is cut at the requested time. Every status is kept. The order is (submission, file order).
    These rules reproduce the inputs of the exact schedules that the scheduler is tested against.

    Raises InputError if the whole schedule could leave the int64 millisecond clock.
    """
    size = np.where(raw.size > 0, raw.size, raw.allocated)
    run_known = raw.run > 0
    submit_known = np.isfinite(raw.submit)
    kept = run_known & (size > 0) & submit_known
    submit = to_milliseconds(np.where(submit_known, raw.submit, 0.0))[kept]
    run = np.maximum(to_milliseconds(raw.run[kept]), 1)
    stated = raw.requested[kept] > 0
    asked = to_milliseconds(np.where(stated, raw.requested[kept], 0.0))
    requested = np.where(stated, np.maximum(asked, 1), run)
    order = np.argsort(submit, kind="stable")
    counts = Cleaning(
        records=len(raw.job),
        dropped_no_run_time=int(np.count_nonzero(~run_known)),
        dropped_no_size=int(np.count_nonzero(run_known & (size <= 0))),
        dropped_no_submission=int(np.count_nonzero(run_known & (size > 0) & ~submit_known)),
        cut_at_requested=int(np.count_nonzero(run > requested)),
        filled_requested=int(np.count_nonzero(~stated)),
        filled_size=int(np.count_nonzero(kept & (raw.size <= 0))),
        out_of_order=int(np.count_nonzero(np.diff(submit) < 0)),
        before_zero=int(np.count_nonzero(submit < 0)),
        duplicate_numbers=first_use(raw.job[kept]),
        kept=int(np.count_nonzero(kept)),
    )
    run = np.minimum(run, requested)
    check_clock(source, submit, run, requested, size[kept])
    return JobTrace(
        source=source,
        format=format,
        job=raw.job[kept][order],
        submit=submit[order],
        size=size[kept][order],
        run=run[order],
        requested=requested[order],
        tenant=raw.tenant[kept][order],
        tenants=raw.tenants,
        cleaning=counts,
        chips=chips,
        clock=clock,
        notes=notes,
        job_class=None if raw.job_class is None else raw.job_class[kept][order],
        job_classes=raw.job_classes,
        terms=raw.terms.of_rows(np.flatnonzero(kept)[order], raw.job),
    )


def check_clock(source: str, submit: Ints, run: Ints, requested: Ints, size: Ints) -> None:
    """Refuse a trace whose schedule could overflow int64 milliseconds or chip-milliseconds.

    The last end cannot be later than the last submission plus all requested times, one after another.
    """
    if len(submit) == 0:
        return
    latest = float(np.abs(submit).max()) + float(requested.sum(dtype=np.float64))
    work = float((size.astype(np.float64) * run).sum())
    if latest > CLOCK_LIMIT:
        raise InputError(
            f"{source}: the jobs' requested times add up to {latest / 3.15576e10:.3g} years, beyond the "
            "millisecond clock; check the unit (seconds) and cut the trace"
        )
    if work > CLOCK_LIMIT:
        raise InputError(
            f"{source}: the jobs' work adds up to {work:.3g} chip-milliseconds, beyond 2^62; "
            "check sizes and run times, or cut the trace"
        )
