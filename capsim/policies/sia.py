"""Sia's choice of chips for each job in a round (Jayaram Subramanya et al., SOSP 2023).

A *configuration* is a number of chips of one type: a power of two within a node, or whole nodes. With G[j, c]
the goodput of job j there, divided by its least over c and times the chips of that least one, a round solves

    minimise  Σ_j ( Σ_c x[j, c] (r_j G[j, c])^p  +  λ (1 − Σ_c x[j, c]) )      (p < 0; maximise for p > 0)

with x 0 or 1, at most one configuration a job, and no more chips of a type than there are. r_j is 1 in the
configuration that the job holds, else ``restart_factor``. p trades fairness for the sum; λ is what a job that
gets nothing costs. Formula and r as recalled from the paper, compared with the authors' published artifact
(github.com/siasosp23/artifacts, commits 37c68be7 and 87ab9610, read 2026-11-22: policy/mip.py, and the
defaults of its simulator).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.policies.sia_program import Program, choose_counts
from capsim.workload.traces.model import Floats, Ints

POWER = -0.5
"""p; the artifact's default, and the paper's."""

QUEUED = 1.1
"""λ; the artifact's default for p < 0. Up to 1 a job's least configuration would be worth nothing."""

KEPT = 0.01
"""Gain of a job that keeps its configuration: the artifact's cluster scheduler charges it for each change."""


def restart_factor(age: Ints, restarts: Ints, cost: int | Ints) -> Floats:
    """r: the share of its age that a job would have worked if it restarted once more; ages and cost in ms.

    (age − restarts × cost) / (age + cost), at least 0, and 1 for a job younger than one restart: from Pollux
    (Qiao et al., OSDI 2021, recalled), as the artifact has it.
    """
    worked = np.maximum(age - restarts * cost, 0)
    return np.where((age < cost) | (np.asarray(cost) == 0), 1.0, worked / np.maximum(age + cost, 1))


def configurations(chips: int, node: int) -> Ints:
    """Sizes that a job may have on a type of ``chips``: powers of two below a node, then whole nodes."""
    most = min(chips, node)
    powers = 2 ** np.arange(max(node - 1, 0).bit_length(), dtype=np.int64)
    return np.concatenate([powers[powers <= most], np.arange(node, chips + 1, node, dtype=np.int64)])


def speed_up(chips: Ints, serial: float) -> Floats:
    """Speed on so many chips over that on one, where the part ``serial`` does not scale (Amdahl 1967)."""
    return np.asarray(1.0 / (serial + (1.0 - serial) / chips))


@dataclass(frozen=True)
class Options:
    """What a kind of jobs may have: arrays [option], by type and then by chips.

    ``rate`` is the speed relative to the one for which the jobs' run times hold, ``goodput`` is G.
    """

    type: Ints
    chips: Ints
    rate: Floats
    goodput: Floats


def options_of(
    size: int, speed: Floats, chips: Ints, node: Ints, scaling: tuple[int, int, float] | None
) -> Options:
    """The options of jobs that ask for ``size`` chips and run at ``speed`` [type] on them (0: not at all).

    ``chips`` and ``node`` by type. ``scaling``: least and most chips and serial part of an elastic job, which
    may have its own size too; None: the size is fixed. A size that a type cannot hold is no option there.
    """
    kinds, sizes = list[Ints](), list[Ints]()
    for kind in np.flatnonzero(speed > 0).tolist():
        found = np.array([size], dtype=np.int64)
        if scaling is not None:
            least, most, _ = scaling
            known = configurations(min(int(chips[kind]), most), int(node[kind]))
            found = np.union1d(found, known[known >= least])
        found = found[found <= chips[kind]]
        sizes.append(found)
        kinds.append(np.full(len(found), kind, dtype=np.int64))
    kind_of, held = np.concatenate(kinds), np.concatenate(sizes)
    rate = speed[kind_of]
    if scaling is not None:
        own = float(speed_up(np.array([size]), scaling[2])[0])
        rate = rate * speed_up(held, scaling[2]) / own
    worst = int(np.argmin(rate))
    return Options(kind_of, held, rate, rate / rate[worst] * held[worst])


def gains(
    goodput: Floats, factor: Floats, current: Ints, power: float = POWER, queued: float = QUEUED
) -> Floats:
    """What each option is worth beyond getting nothing; arrays [job, option] and [job].

    ``goodput`` 0 is no option (−inf). ``current``: the option that a job holds, −1 if none; ``factor`` counts
    in all others. The program maximises the sum of the gains of the options that are taken.
    """
    here = np.arange(goodput.shape[1])[None, :] == current[:, None]
    with np.errstate(divide="ignore"):
        scaled = np.where(here, goodput, goodput * factor[:, None]) ** power
    worth = queued - scaled if power < 0 else queued + scaled
    return np.where(goodput > 0, worth + KEPT * here, -np.inf)


@dataclass(frozen=True)
class Choice:
    """``option`` [job] taken, −1 for none; ``value``, the sum of gains, and ``bound`` that none exceeds."""

    option: Ints
    value: float
    bound: float


def choose(
    gain: Floats, chips_used: Ints, type_used: Ints, chips: Ints, member: Ints | None = None
) -> Choice:
    """The options with the greatest sum of ``gain`` [class, option] that fit on ``chips`` [type].

    ``chips_used`` and ``type_used`` [class, option]; what has no positive gain is not taken. ``member``: the
    class of each job (default: one each); jobs of a class are served in their order, the best option first.
    """
    members = np.arange(len(gain)) if member is None else member
    count = np.bincount(members, minlength=len(gain)).astype(np.int64)
    counts, value, bound = choose_counts(Program(gain, chips_used, type_used, count, chips))
    option = np.full(len(members), -1, dtype=np.int64)
    ranked = np.argsort(-gain, axis=1, kind="stable")
    order = np.argsort(members, kind="stable")
    first = np.concatenate([[0], np.cumsum(count)])
    for row in np.flatnonzero(counts.any(axis=1)).tolist():
        taken = np.repeat(ranked[row], counts[row, ranked[row]])
        option[order[first[row] : first[row] + len(taken)]] = taken
    return Choice(option, value, bound)


def padded(options: list[Options]) -> tuple[Ints, Ints, Floats, Floats]:
    """Type, chips, rate, goodput [kind, option] of all kinds of jobs; goodput 0: no such option."""
    width = max((len(row.chips) for row in options), default=0)
    shape = (len(options), width)
    kind, held = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    rate, goodput = np.zeros(shape), np.zeros(shape)
    for index, row in enumerate(options):
        there: NDArray[np.bool_] = np.arange(width) < len(row.chips)
        kind[index, there], held[index, there] = row.type, row.chips
        rate[index, there], goodput[index, there] = row.rate, row.goodput
    return kind, held, rate, goodput
