"""What a request trace says of a service: lengths of its requests, how they arrive, the shape of a day."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capsim.errors import InputError
from capsim.workload.traces import RequestTrace, read_requests

HOUR_MS = 3_600_000
HOURS = 24
# Fewest requests whose lengths and gaps are taken for a mix (assumed: a 95th percentile has twenty above it).
FEWEST = 400


@dataclass(frozen=True)
class RequestMix:
    """Requests in their order; equal where their content is.

    Attributes:
        digest: sha256 of the arrays.
        gaps: times between arrivals over their mean, shape (n,).
        inputs, outputs: tokens of each request, at least one, shape (n,).
        daily: tokens by hour of the day over their mean, shape (24,); None where the trace has no whole day.
    """

    digest: str
    gaps: NDArray[np.float64] = field(compare=False, repr=False)
    inputs: NDArray[np.float64] = field(compare=False, repr=False)
    outputs: NDArray[np.float64] = field(compare=False, repr=False)
    daily: NDArray[np.float64] | None = field(compare=False, repr=False)

    @property
    def mean_input(self) -> float:
        """Mean tokens of a prompt."""
        return float(self.inputs.mean())

    @property
    def mean_output(self) -> float:
        """Mean tokens of an answer."""
        return float(self.outputs.mean())

    @property
    def input_spread(self) -> float:
        """Coefficient of variation of the prompts."""
        return float(self.inputs.std() / self.inputs.mean())

    @property
    def output_spread(self) -> float:
        """Coefficient of variation of the answers."""
        return float(self.outputs.std() / self.outputs.mean())

    @property
    def burstiness(self) -> float:
        """Coefficient of variation of the gaps; 1 for Poisson arrivals."""
        return float(self.gaps.std() / self.gaps.mean())


@lru_cache(maxsize=8)
def mix_of(path: str, sha256: str | None) -> RequestMix:
    """The mix of a request trace file; read once a process and content.

    Raises InputError for a file that is no request trace or too short for one.
    """
    return mix_from(read_requests(Path(path)))


def mix_from(trace: RequestTrace) -> RequestMix:
    """The mix of a request trace."""
    if len(trace) < FEWEST:
        raise InputError(
            f"{trace.source}: {len(trace):,} requests say too little of their lengths; "
            f"give a trace of at least {FEWEST}"
        )
    span = int(trace.arrival[-1] - trace.arrival[0])
    if span <= 0:
        raise InputError(f"{trace.source}: all requests arrive at one instant; give a trace with times")
    gaps = np.diff(trace.arrival, append=trace.arrival[-1] + span / (len(trace) - 1)).astype(np.float64)
    inputs = np.maximum(trace.input_tokens, 1).astype(np.float64)
    outputs = np.maximum(trace.output_tokens, 1).astype(np.float64)
    content = hashlib.sha256(gaps.tobytes() + inputs.tobytes() + outputs.tobytes()).hexdigest()
    return RequestMix(content[:32], gaps / gaps.mean(), inputs, outputs, _daily(trace))


def _daily(trace: RequestTrace) -> NDArray[np.float64] | None:
    """Tokens by hour of the day over their mean, from the whole days of the trace."""
    days = int(trace.arrival[-1] - trace.arrival[0]) // (HOURS * HOUR_MS)
    if days < 1:
        return None
    whole = trace.arrival < trace.arrival[0] + days * HOURS * HOUR_MS
    found = re.search(r"since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", trace.clock)
    offset = datetime.fromisoformat(found[1]) if found else None
    first = offset.hour * HOUR_MS + offset.minute * 60_000 + offset.second * 1000 if offset else 0
    hour = (trace.arrival[whole] + first) // HOUR_MS % HOURS
    tokens = (trace.input_tokens + trace.output_tokens)[whole].astype(np.float64)
    by_hour = np.bincount(hour, weights=tokens, minlength=HOURS)
    return by_hour / by_hour.mean() if by_hour.mean() > 0 else None
