"""What became of the research campaigns: their waits, and the work that they did month by month."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.control.world import DemandWorld
from capsim.engine.build import Run
from capsim.engine.campaign_lives import fill_lives

SIZE_CLASSES = ((1, 8), (9, 64), (65, 512), (513, 4096), (4097, 32768), (32769, 1 << 30))
SHORTEST = 10_000  # ms; a shorter campaign counts as one of ten seconds in the bounded slowdown


@dataclass(frozen=True)
class Offered:
    """What a world's campaigns ask for, the same for every strategy.

    Attributes:
        work: reference chip-hours, shape (campaigns,).
        by_month: the same by month of submission, shape (months,).
        sizes: indices of the campaigns of each class of SIZE_CLASSES.
    """

    work: NDArray[np.float64]
    by_month: NDArray[np.float64]
    sizes: tuple[NDArray[np.int64], ...]


@lru_cache(maxsize=1)
def offered(world: DemandWorld, edges: tuple[int, ...]) -> Offered:
    """What the campaigns of `world` ask for; kept for its other strategies. `edges`: of months, ms."""
    c = world.campaigns
    assert c is not None
    work = c["chips"].astype(np.float64) * c["run"] / MS_HOUR
    by_month = np.bincount(_month(edges, c["submit"]), weights=work, minlength=len(edges) - 1)
    sizes = tuple(np.flatnonzero((c["chips"] >= low) & (c["chips"] <= high)) for low, high in SIZE_CLASSES)
    return Offered(work, by_month.astype(np.float64), sizes)


def _month(edges: tuple[int, ...], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Month of each instant. Months begin with a day, so that a table of days finds them."""
    days = np.arange(-(-edges[-1] // MS_DAY), dtype=np.int64) * MS_DAY
    month_of_day = np.searchsorted(np.array(edges[:-1]), days, side="right") - 1
    found: NDArray[np.int64] = month_of_day[np.minimum(at // MS_DAY, len(days) - 1)]
    return found


@dataclass(frozen=True)
class Campaigns:
    """The life of every campaign of a run; shapes are (campaigns,).

    Attributes:
        wait: ms from submission to the first start; of a campaign that never started, to the instant at which
            it was given up or, if it still waits, to the horizon's end.
        slowdown: bounded slowdown, max(1, (wait + run) / max(run, 10 s)) (Feitelson and Rudolph 1998); `run`
            is the time without failures where it started, at the reference speed for one that never did.
        started: whether it started.
        finished: whether it finished.
        part: share of its work that was done.
        ended: ms at which it finished; one that did not: just before the horizon's end.
        done: reference chip-hours of the work done, by month of its end (what is unfinished at the horizon's
            end counts there), shape (months,).
        useful: share of the finished work that did not belong to failed campaigns.
    """

    offered: Offered
    wait: NDArray[np.int64]
    slowdown: NDArray[np.float64]
    started: NDArray[np.bool_]
    finished: NDArray[np.bool_]
    part: NDArray[np.float64]
    ended: NDArray[np.int64]
    done: NDArray[np.float64]
    useful: float


def campaigns(run: Run, edges: tuple[int, ...]) -> Campaigns | None:
    """The campaigns of a finished run, None where the study has none. `edges`: of months, ms."""
    world, end = run.ctx.demand, run.ctx.end
    if not run.campaigns or world.campaigns is None:
        return None
    asked = offered(world, edges)
    n, rented = run.campaigns, run.research.rented
    wait, ended = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    slowdown, part = np.empty(n), np.empty(n)
    started, finished = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)
    fill_lives(
        run.ctx.cluster.runs[:n], world.campaigns["submit"], world.campaigns["run"], run.research.given_up,
        np.empty((2, 0), dtype=np.int64) if rented is None else rented, end, SHORTEST,
        wait, slowdown, started, finished, part, ended,
    )  # fmt: skip
    done = np.bincount(_month(edges, ended), weights=asked.work * part, minlength=len(edges) - 1)
    total = float(asked.work[finished].sum())
    failed = float(asked.work[finished & (world.campaigns["fate"] == 1)].sum())
    useful = 1.0 - failed / total if total else 1.0
    return Campaigns(asked, wait, slowdown, started, finished, part, ended, done.astype(np.float64), useful)


def percentiles(values: NDArray[np.int64], wanted: tuple[float, ...]) -> list[float]:
    """Percentiles of `values` (not empty), linear between neighbours; sorting is quicker than selecting."""
    ordered = np.sort(values)
    at = np.array(wanted) / 100.0 * (len(ordered) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(ordered) - 1)
    found: list[float] = (ordered[low] + (ordered[high] - ordered[low]) * (at - low)).tolist()
    return found
