"""Job and request tables: capsim's own, Microsoft's Philly jobs, Azure's LLM requests."""

from __future__ import annotations

import numpy as np

from capsim.workload.traces.columns import Column, Columns
from capsim.workload.traces.model import (
    LARGEST_SIZE,
    Cleaning,
    Ints,
    JobTrace,
    RawJobs,
    RequestTrace,
    clean,
    to_milliseconds,
)
from capsim.workload.traces.terms import JobTerms, arrays_of_text, fates_of_text, waits_of_text

LARGEST_TOKENS = 1e9
"""More tokens than this in one request are taken for damage."""

JOBS = {
    "job": Column("whole", low=-(2.0**53), high=2.0**53),
    "submit": Column("number"),
    "size": Column("whole", aliases=("procs", "chips"), high=float(LARGEST_SIZE)),
    "run": Column("number", aliases=("runtime",)),
    "requested": Column("number", optional=True),
    "tenant": Column("text", optional=True),
    "class": Column("text", optional=True),
    "priority": Column("whole", optional=True, low=-1e6, high=1e6),
    "deadline": Column("number", optional=True),
    "after": Column("text", optional=True),
    "fate": Column("text", optional=True),
    "retries": Column("whole", optional=True, low=0, high=1000),
    "array": Column("text", optional=True),
    "array_limit": Column("whole", optional=True, low=-1, high=1e9),
}
"""capsim's own job table: seconds on any clock; ``requested``, ``size`` and ``array_limit`` ≤ 0 where
unknown, ``deadline`` negative where there is none."""

PHILLY = {
    "timestamp": Column("time"),
    "duration": Column("number"),
    "num_gpus": Column("whole", high=float(LARGEST_SIZE)),
    "cluster": Column("text"),
}
"""Philly: submission time, run time in seconds, GPUs, virtual cluster (used as the tenant)."""

REQUESTS = {
    "arrival": Column("number"),
    "input_tokens": Column("whole", low=0, high=LARGEST_TOKENS),
    "output_tokens": Column("whole", low=0, high=LARGEST_TOKENS),
}
"""capsim's own request table: seconds on any clock, tokens of prompt and answer."""

AZURE = {
    "TIMESTAMP": Column("time"),
    "ContextTokens": Column("whole", low=0, high=LARGEST_TOKENS),
    "GeneratedTokens": Column("whole", low=0, high=LARGEST_TOKENS),
}
"""Azure LLM inference traces of 2023 and 2024."""


def codes(names: list[str]) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], tuple[str, ...]]:
    """Each name's index into the sorted tuple of distinct names."""
    distinct = tuple(sorted(set(names)))
    place = {name: index for index, name in enumerate(distinct)}
    return np.array([place[name] for name in names], dtype=np.int32), distinct


def jobs_of_table(columns: Columns, source: str) -> JobTrace:
    """Clean the rows of capsim's own job table."""
    count = len(columns["job"])
    tenant, tenants = codes(columns.get("tenant", ["all"] * count))
    job_class, job_classes = codes(columns["class"]) if "class" in columns else (None, ())
    raw = RawJobs(
        job=columns["job"].astype(np.int64),
        submit=columns["submit"],
        run=columns["run"],
        size=columns["size"].astype(np.int64),
        allocated=np.zeros(count, dtype=np.int64),
        requested=columns.get("requested", np.full(count, -1.0)),
        tenant=tenant,
        tenants=tenants,
        job_class=job_class,
        job_classes=job_classes,
        terms=terms_of(columns),
    )
    return clean(raw, source=source, format="jobs", clock="seconds of the table")


def terms_of(columns: Columns) -> JobTerms:
    """What the further columns of capsim's own job table say."""

    def whole(name: str) -> Ints | None:
        return columns[name].astype(np.int64) if name in columns else None

    array: Ints | None = None
    arrays: tuple[str, ...] = ()
    limits: tuple[int, ...] = ()
    if "array" in columns:
        array, arrays, limits = arrays_of_text(columns["array"], columns.get("array_limit"))
    return JobTerms(
        waits=waits_of_text(columns["after"]) if "after" in columns else None,
        fate=fates_of_text(columns["fate"]) if "fate" in columns else None,
        retries=whole("retries"),
        priority=whole("priority"),
        deadline=to_milliseconds(columns["deadline"]) if "deadline" in columns else None,
        array=array,
        arrays=arrays,
        array_limits=limits,
    )


def jobs_of_philly(columns: Columns, source: str) -> JobTrace:
    """Clean Philly's rows: jobs are numbered by row from 1, the clock starts at the first submission."""
    count = len(columns["timestamp"])
    tenant, tenants = codes(columns["cluster"])
    seconds, clock = from_first(columns["timestamp"])
    raw = RawJobs(
        job=np.arange(1, count + 1, dtype=np.int64),
        submit=seconds,
        run=columns["duration"],
        size=columns["num_gpus"].astype(np.int64),
        allocated=np.zeros(count, dtype=np.int64),
        requested=np.full(count, -1.0),
        tenant=tenant,
        tenants=tenants,
    )
    return clean(raw, source=source, format="philly", clock=clock)


def from_first(nanoseconds: Ints) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], str]:
    """Seconds since the earliest of the times, and the name of that clock."""
    if len(nanoseconds) == 0:
        return np.empty(0), "seconds since the first record"
    first = int(nanoseconds.min())
    moment = np.datetime64(first // 10**9, "s")
    return (nanoseconds - first) / 1e9, f"seconds since {str(moment).replace('T', ' ')}"


def requests_of_azure(columns: Columns, source: str) -> RequestTrace:
    """Azure's rows on a clock that starts at the first request."""
    seconds, clock = from_first(columns["TIMESTAMP"])
    tokens = columns["ContextTokens"], columns["GeneratedTokens"]
    return ordered_requests(to_milliseconds(seconds), *tokens, source, "azure", clock)


def requests_of_table(columns: Columns, source: str) -> RequestTrace:
    """The rows of capsim's own request table, shifted to a clock that starts at the first request."""
    arrival = to_milliseconds(columns["arrival"])
    arrival = arrival - (arrival.min() if len(arrival) else 0)
    tokens = columns["input_tokens"], columns["output_tokens"]
    return ordered_requests(arrival, *tokens, source, "requests", "seconds since the first request")


def ordered_requests(
    arrival: Ints,
    input_tokens: np.ndarray[tuple[int], np.dtype[np.float64]],
    output_tokens: np.ndarray[tuple[int], np.dtype[np.float64]],
    source: str,
    format: str,
    clock: str,
) -> RequestTrace:
    """Sort by (arrival, file order) and count what was out of order."""
    order = np.argsort(arrival, kind="stable")
    counts = Cleaning(
        records=len(arrival), out_of_order=int(np.count_nonzero(np.diff(arrival) < 0)), kept=len(arrival)
    )
    return RequestTrace(
        source=source,
        format=format,
        arrival=arrival[order],
        input_tokens=input_tokens[order].astype(np.int64),
        output_tokens=output_tokens[order].astype(np.int64),
        clock=clock,
        cleaning=counts,
    )
