"""Demand in reference chips (GB200e) on its central path: what would be busy if nothing had to wait.

Training runs are spread evenly from their earliest date to their target, RL included; research is the study's
capacity; a service needs its tokens over what a reference chip serves within the objectives. Draws (growth,
breaks, bursts) have a median factor of 1 and are left out; so are services that the reference cannot run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY, Calendar
from capsim.compile.rates import Rates
from capsim.spec.demand import TracedResearch
from capsim.spec.study import Study
from capsim.workload.demand import log_linear
from capsim.workload.traced_demand import offered_chips

SECONDS_DAY = 86_400.0


def central_demand(study: Study, rates: Rates) -> dict[str, float]:
    """Mean reference chips needed in each month of the horizon, by month `YYYY-MM`."""
    calendar = Calendar(study.horizon.start, study.horizon.end, float(study.money.discount_rate))
    edges = np.array(calendar.months(), dtype=np.int64)
    middle = (edges[:-1] + edges[1:]) // 2
    chips = _training(study, rates, calendar, edges)
    scale = float(study.demand.scale)
    research = study.demand.research
    if isinstance(research, TracedResearch):
        chips += offered_chips(research, edges, scale)
    elif research is not None:
        capacity = {day: float(count) for day, count in research.capacity.items()}
        chips += scale * log_linear(capacity, study.horizon.start, middle)
    for service in study.demand.inference:
        rate = rates.services.get((service.name, study.reference))
        if rate is not None and rate.tokens > 0:
            tokens = {day: float(count) for day, count in service.tokens.items()}
            daily = scale * log_linear(tokens, study.horizon.start, middle)
            chips += daily / SECONDS_DAY * rate.chips / rate.tokens
    return dict(zip(calendar.month_labels(), chips.tolist(), strict=True))


def _training(
    study: Study, rates: Rates, calendar: Calendar, edges: NDArray[np.int64]
) -> NDArray[np.float64]:
    chips = np.zeros(len(edges) - 1)
    for run in study.demand.training_runs:
        begin, end = calendar.ms(run.earliest), calendar.ms(run.target)
        if end <= begin:
            continue
        chip_seconds = float(run.flops) / rates.reference
        gangs = rates.rl.get((run.name, study.reference))
        if gangs is not None:
            chip_seconds += rates.rl_work[run.name] / gangs.split()[1]
        elif run.rl is not None:
            chip_seconds += float(run.rl.share) * float(run.flops) / rates.reference
        needed = chip_seconds / ((end - begin) / MS_DAY * SECONDS_DAY)
        inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin)
        chips += needed * np.maximum(inside, 0) / np.diff(edges)
    return chips
