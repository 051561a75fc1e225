"""How many chips can be rented on demand, by system and date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR, Calendar
from capsim.spec.offers import Offer


def rented_systems(offer: Offer) -> list[str]:
    """Systems that an on-demand offer has room for: those with a depth, else its first."""
    return list(offer.depth) if offer.depth is not None else list(offer.chips)[:1]


def on_demand_depth(offer: Offer, system: str, calendar: Calendar, hours: int) -> NDArray[np.float64]:
    """Chips of a system that can be had in each hour, shape (hours,): none before the first date."""
    if offer.depth is None:
        return np.full(hours, float(offer.depth_per_quarter or 0.0))
    depth = np.zeros(hours)
    for day, chips in sorted(offer.depth[system].items()):
        depth[max(calendar.ms(day) // MS_HOUR, 0) :] = float(chips)
    return depth
