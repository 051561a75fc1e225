"""How a gang's work advances: durations, checkpoints, what a stop keeps (docs/scheduling.md, "Duration")."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How fast an attempt works and what its checkpoints cost.

    ``rate``: work per ms of progress; ``interval``: ms of progress between checkpoints, 0 where they are
    continuous or never; ``stall``: ms per checkpoint; ``keeps``: whether a stop keeps all work (free,
    continuous checkpoints).
    """

    rate: float
    interval: int
    stall: int
    keeps: bool


@dataclass(frozen=True)
class Stop:
    """What an attempt was worth: work kept (ms of work), and the ms of wall time by what they were."""

    kept_work: int
    useful: int
    redone: int
    overhead: int


def progress_time(work: int, rate: float) -> int:
    """Milliseconds that work takes without checkpoints: exact at rate 1."""
    return work if rate == 1.0 else math.ceil(work / rate)


def wall_time(work: int, pace: Pace) -> int:
    """Milliseconds that work takes with a stall for each full interval strictly before the end."""
    time = progress_time(work, pace.rate)
    if pace.interval > 0:
        time += pace.stall * ((time - 1) // pace.interval)
    return time


def locality_factor(locality: float, blocks: int, oversubscription: float) -> float:
    """Speed factor of a gang over several blocks: one factor per doubling, the worst oversubscription."""
    if blocks == 1:
        return 1.0
    return float(locality ** (math.log2(blocks) * oversubscription))


def young_interval(stall: int, failure_rate: float) -> int:
    """Young's checkpoint interval sqrt(2 · stall / rate of failures), at least 1 ms."""
    return max(1, int(math.sqrt(2.0 * stall / failure_rate)))


def stop(elapsed: int, restart: int, pace: Pace) -> Stop:
    """What ``elapsed`` ms since the beginning of a segment were, when it is stopped by surprise."""
    overhead = min(elapsed, restart)
    elapsed -= overhead
    if pace.keeps:
        return Stop(kept(elapsed, pace.rate), elapsed, 0, overhead)
    if pace.interval == 0:
        return Stop(0, 0, elapsed, overhead)
    cycles, rest = divmod(elapsed, pace.interval + pace.stall)
    useful, redone = cycles * pace.interval, min(rest, pace.interval)
    return Stop(kept(useful, pace.rate), useful, redone, overhead + elapsed - useful - redone)


def saved_stop(elapsed: int, restart: int, pace: Pace, stall: int) -> Stop:
    """What ``elapsed`` ms were when the last ``stall`` of them wrote a checkpoint: nothing is redone."""
    plain = stop(max(elapsed - stall, 0), restart, pace)
    useful = plain.useful + plain.redone
    return Stop(kept(useful, pace.rate), useful, 0, elapsed - useful)


def kept(progress: int, rate: float) -> int:
    """Whole ms of work that progress is worth."""
    return progress if rate == 1.0 else math.floor(progress * rate)
