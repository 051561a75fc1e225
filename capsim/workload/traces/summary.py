"""What a trace holds: counts, load, quantiles and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from capsim.workload.traces.model import Ints, JobTrace, RequestTrace

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TENANTS_SHOWN = 10
RUN_EDGES_SECONDS = (0, 10, 60, 600, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)


def quantiles(values: Any) -> dict[str, float]:
    """Least, mean, greatest and the QUANTILES of the values; empty for none."""
    if len(values) == 0:
        return {}
    found = {f"p{round(100 * q)}": float(np.quantile(values, q)) for q in QUANTILES}
    return {"min": float(values.min()), **found, "max": float(values.max()), "mean": float(values.mean())}


def summarise_jobs(trace: JobTrace, chips: int | None = None) -> dict[str, Any]:
    """Figures of a job trace as plain numbers: times in seconds, sizes in chips, work in chip-hours.

    ``load`` is offered work ÷ (chips × span of submissions); it needs ``chips``, or the header's.
    """
    machine = chips or trace.chips
    span = float(trace.submit[-1] - trace.submit[0]) / 1000 if len(trace) else 0.0
    work = float(np.dot(trace.size.astype(np.float64), trace.run / 1000))
    return {
        "file": trace.source,
        "format": trace.format,
        "clock": trace.clock,
        "jobs": len(trace),
        "chips": machine,
        "span_s": span,
        "work_chip_hours": work / 3600,
        "load": work / (machine * span) if machine and span > 0 else None,
        "cleaning": trace.cleaning.as_dict(),
        "size": quantiles(trace.size),
        "run_s": quantiles(trace.run / 1000),
        "requested_over_run": quantiles(trace.requested / trace.run),
        "gap_s": quantiles(np.diff(trace.submit) / 1000),
        "size_histogram": size_histogram(trace.size),
        "run_histogram": run_histogram(trace.run),
        "tenants": len(np.unique(trace.tenant)),
        "largest_tenants": largest_tenants(trace),
    }


def size_histogram(size: Ints) -> list[dict[str, Any]]:
    """Jobs by size in powers of two: 1, 2–3, 4–7, …"""
    if len(size) == 0:
        return []
    power = np.floor(np.log2(size)).astype(np.int64)
    counts = np.bincount(power)
    rows = []
    for k, count in enumerate(counts.tolist()):
        label = "1" if k == 0 else f"{2**k:,}–{2 ** (k + 1) - 1:,}"
        rows.append({"range": label, "count": count})
    return rows


def run_histogram(run: Ints) -> list[dict[str, Any]]:
    """Jobs by run time, in ranges that people use."""
    if len(run) == 0:
        return []
    labels = ("< 10 s", "10 s–1 min", "1–10 min", "10–60 min", "1–4 h", "4–24 h", "1–7 d", "≥ 7 d")
    edges = np.array([edge * 1000 for edge in RUN_EDGES_SECONDS[1:]])
    counts = np.bincount(np.searchsorted(edges, run, side="right"), minlength=len(labels))
    return [{"range": label, "count": int(count)} for label, count in zip(labels, counts, strict=True)]


def largest_tenants(trace: JobTrace) -> list[dict[str, Any]]:
    """The tenants with most work, with their share of it."""
    work = np.bincount(trace.tenant, weights=trace.size * (trace.run / 1000), minlength=len(trace.tenants))
    total = float(work.sum())
    order = np.argsort(-work, kind="stable")[:TENANTS_SHOWN]
    return [
        {"tenant": trace.tenants[index], "share": float(work[index]) / total}
        for index in order.tolist()
        if work[index] > 0
    ]


def summarise_requests(trace: RequestTrace) -> dict[str, Any]:
    """Figures of a request trace: rate per second, tokens in and out."""
    span = float(trace.arrival[-1] - trace.arrival[0]) / 1000 if len(trace) else 0.0
    return {
        "file": trace.source,
        "format": trace.format,
        "clock": trace.clock,
        "requests": len(trace),
        "span_s": span,
        "requests_per_s": len(trace) / span if span > 0 else None,
        "input_tokens": quantiles(trace.input_tokens),
        "output_tokens": quantiles(trace.output_tokens),
        "input_histogram": size_histogram(np.maximum(trace.input_tokens, 1)),
        "output_histogram": size_histogram(np.maximum(trace.output_tokens, 1)),
        "cleaning": trace.cleaning.as_dict(),
    }
