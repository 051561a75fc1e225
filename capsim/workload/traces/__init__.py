"""Readers of real job and request traces: SWF 2.2, Philly, capsim's own job table, Azure LLM requests.

``read_jobs`` gives cleaned jobs ready to schedule, ``read_requests`` the requests of an LLM service.
The formats and the cleaning rules are described in ``docs/traces.md``.
"""

from __future__ import annotations

from capsim.workload.traces.model import Cleaning, JobTrace, RawJobs, RequestTrace, clean
from capsim.workload.traces.reading import FORMATS, read_jobs, read_requests, read_trace
from capsim.workload.traces.summary import summarise_jobs, summarise_requests
from capsim.workload.traces.writing import write_jobs, write_requests, write_table

__all__ = [
    "FORMATS",
    "Cleaning",
    "JobTrace",
    "RawJobs",
    "RequestTrace",
    "clean",
    "read_jobs",
    "read_requests",
    "read_trace",
    "summarise_jobs",
    "summarise_requests",
    "write_jobs",
    "write_requests",
    "write_table",
]
