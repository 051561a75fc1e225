"""How many chips can be rented on demand, by system and date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR, Calendar
from capsim.spec.offers import Offer
from capsim.spec.study import Overflow, Study


def rented_systems(offer: Offer) -> list[str]:
    """Systems that an on-demand offer has room for: those with a depth, else its first."""
    return list(offer.depth) if offer.depth is not None else list(offer.chips)[:1]


def may_rent(rule: Overflow) -> bool:
    """Whether a rule of `overflow` can rent at all: research without `after` is not sent out."""
    return "inference" in rule.workloads or rule.after is not None


def overflow_systems(study: Study) -> set[str]:
    """Systems that the study's rules of `overflow` can rent."""
    return {s for rule in study.overflow if may_rent(rule) for s in rented_systems(study.offers[rule.offer])}


def on_demand_depth(offer: Offer, system: str, calendar: Calendar, hours: int) -> NDArray[np.float64]:
    """Chips of a system that can be had in each hour, shape (hours,): none before the first date."""
    if offer.depth is None:
        return np.full(hours, float(offer.depth_per_quarter or 0.0))
    depth = np.zeros(hours)
    for day, chips in sorted(offer.depth[system].items()):
        depth[max(calendar.ms(day) // MS_HOUR, 0) :] = float(chips)
    return depth
