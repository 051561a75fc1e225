"""What is paid by use beside a contract's capacity: chips rented by the hour, tokens of other regions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.engine.build import Run
from capsim.engine.egress import served_away
from capsim.engine.tokens import TokenAccounts

Reals = NDArray[np.float64]


class Metered(NamedTuple):
    """A quantity at one price a month under an offer, by month, shape (months,); USD.

    `of` is the system that is rented, or the service whose tokens are served.
    """

    offer: str
    line: str
    of: str
    quantity: Reals
    unit: str
    usd: Reals


def metered(run: Run, accounts: TokenAccounts, edges: NDArray[np.int64]) -> Iterator[Metered]:
    """What a run paid by use, each system and service apart; `edges` are those of months, ms."""
    for account in run.rentals:
        for system, chips in account.of_system.items():
            usd = by_month(chips * account.market.price[system], edges)
            yield Metered(account.rule.offer, "on_demand", system, by_month(chips, edges), "chip-hours", usd)
    for away in served_away(run, accounts):
        mtok = by_month(away.mtok, edges)
        yield Metered(away.offer, "egress", away.service, mtok, "Mtok", mtok * away.price)


def by_month(hourly: Reals, edges: NDArray[np.int64]) -> Reals:
    """Sum an hourly series into months, shape (months,)."""
    starts = (edges[:-1] // MS_HOUR).astype(np.int64)
    found: Reals = np.add.reduceat(hourly, np.minimum(starts, len(hourly) - 1))
    return found
