"""One row a job and policy: what became of it, and its own figures. For ``trace replay --per-job``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from capsim.engine.replay import Schedule
from capsim.workload.traces.terms import FATES
from capsim.workload.traces.writing import seconds


def per_job(schedules: Sequence[Schedule]) -> dict[str, Any]:
    """Columns of the table of all schedules of one trace, one below the other (see docs/traces.md).

    Instants are seconds on the trace's own clock, ``lost_chip_s`` chip-seconds.
    """
    columns: dict[str, Any] = {
        "policy": _text(np.concatenate([np.repeat(s.policy, len(s.index)) for s in schedules])),
        "job": _joined([s.job for s in schedules]),
        "tenant": _text(_joined([_names(s.trace.tenants)[s.trace.tenant[s.index]] for s in schedules])),
    }
    classes = [
        _names(s.trace.job_classes)[s.trace.job_class[s.index]]
        for s in schedules
        if s.trace.job_class is not None
    ]
    if classes:
        columns["class"] = _text(_joined(classes))
    columns |= {
        "size": _joined([s.trace.size[s.index] for s in schedules]),
        "submit": seconds(_joined([s.trace.submit[s.index] for s in schedules])),
    }
    for name in ("eligible", "start", "end", "run", "wait"):
        columns[name] = seconds(_joined([getattr(s, name) for s in schedules]))
    columns |= {
        "bounded_slowdown": _joined([s.outcomes.slowdown for s in schedules]),
        "finish_time_fairness": _joined([s.outcomes.finish_time_fairness for s in schedules]),
        "preemptions": _joined([s.preemptions for s in schedules]),
        "lost_chip_s": _joined([s.lost for s in schedules]) / 1000,
    }
    if any(s.rules.fates for s in schedules):
        columns["fate"] = _text(_joined([_names(FATES)[s.fates] for s in schedules]))
    return columns


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts)


def _names(names: Sequence[str]) -> Any:
    """Names as an array that indices pick from."""
    return np.array(names or ("",), dtype=object)


def _text(values: Any) -> Any:
    return pa.array(values, type=pa.string())
