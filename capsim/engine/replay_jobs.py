"""What is replayed on what: the jobs' columns, their estimates, the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from capsim.errors import InputError
from capsim.workload.traces.model import Ints, JobTrace


class Columns(NamedTuple):
    """Jobs sorted by submission, the first at 0; ms and chips, one entry a job."""

    submit: Ints
    size: Ints
    run: Ints
    requested: Ints


REASONS = ("no_demand", "reserved", "too_few", "scattered")


class Done(NamedTuple):
    """What a scheduler did with each job (ms from the first submission, chip-ms), and what stood free.

    ``start`` is -1 for a job that was cancelled before it started. ``eligible``: instants from which jobs
    wait, where that is not their submission for all. ``reserved``: of each reservation its domains, their
    chip-ms, of these used by jobs, and idle. ``quotas``: of tenants with quotas by chip type, by index, and
    type: quota and chip-ms of the jobs that were admitted there. ``spent``: chip-ms of each job, in all
    attempts; ``failed``: of these, of attempts that failed, but the last one, without work done again; None
    without fates.
    """

    start: Ints
    end: Ints
    wait: Ints
    preemptions: Ints
    lost: Ints
    unused: dict[str, float]
    eligible: Ints | None = None
    reserved: Sequence[dict[str, int]] = ()
    quotas: Sequence[dict[str, Any]] = ()
    spent: Ints | None = None
    failed: Ints | None = None


@dataclass(frozen=True)
class Machine:
    """What the jobs are placed on. ``domain`` = 0: interchangeable chips.

    ``domain``: chips of a scale-up domain; ``block_domains``: domains of a block (0: one block);
    ``segment``: chips that a gang larger than a domain uses of each (0: all); ``locality``: factor on a
    gang's speed for each doubling of the blocks that it spans.
    """

    domain: int = 0
    block_domains: int = 0
    segment: int = 0
    locality: float = 1.0

    def check(self, chips: int) -> None:
        """Raise InputError, with all problems, for what cannot be laid out on ``chips`` chips."""
        problems = []
        if self.domain < 0 or self.domain > chips:
            problems.append(f"--domain is {self.domain}; write 1 to {chips:,} chips")
        elif self.domain and chips % self.domain:
            fitting = max(chips // self.domain, 1) * self.domain
            problems.append(
                f"--chips {chips:,} is not a multiple of --domain {self.domain}; write {fitting:,}"
            )
        if not self.domain and (self.block_domains or self.segment or self.locality != 1.0):
            problems.append("--block-domains, --segment and --locality need --domain, the chips of a domain")
        if self.block_domains < 0:
            problems.append(f"--block-domains is {self.block_domains}; write 0 (one block) or more")
        if self.domain and not 0 <= self.segment <= self.domain:
            problems.append(f"--segment is {self.segment}; write 1 to {self.domain}, the chips of a domain")
        if not 0.0 < self.locality <= 1.0:
            problems.append(f"--locality is {self.locality}; write a factor above 0 and up to 1")
        if problems:
            raise InputError("\n".join(problems))

    def fits(self, size: Ints, chips: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which jobs the empty machine can hold."""
        if not self.domain:
            return np.asarray(size <= chips)
        used = self.segment or self.domain
        return np.asarray((size <= self.domain) | (-(-size // used) <= chips // self.domain))


def with_estimates(trace: JobTrace, estimate: str) -> JobTrace:
    """The trace with other requested times: ``exact``, ``requested``, ``factor:F`` or ``requested:F``.

    ``exact`` is the run time, ``factor:F`` F times the run time, ``requested:F`` F times the requested time
    (F of at least 1, rounded up to a ms). Raises InputError for anything else.
    """
    kind, _, number = estimate.partition(":")
    if estimate == "requested":
        return trace
    if estimate == "exact":
        return replace(trace, requested=trace.run)
    try:
        factor = float(number) if kind in ("factor", "requested") else 0.0
    except ValueError:
        factor = 0.0
    if not 1.0 <= factor <= 1e6:
        raise InputError(
            f"--estimate is {estimate!r}; write exact, requested, factor:F or requested:F, F from 1 to 1e6"
        )
    base = trace.run if kind == "factor" else trace.requested
    return replace(trace, requested=np.ceil(base * factor).astype(np.int64))
