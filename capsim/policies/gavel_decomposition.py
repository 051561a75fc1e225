"""Gavel's programs for thousands of different jobs: Dantzig-Wolfe decomposition over the chip types.

Only the types' capacities tie jobs together. For prices p of a chip-second of each type the best response
of every job is found at once by array operations, and a small master program, solved by HiGHS, mixes the
responses seen so far and sets new prices. The jobs are in a few parts, each with responses of its own. The
Lagrangian p·chips + Σ best responses bounds the optimum, so the gap at which it stops is proved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from capsim.errors import CapsimError
from capsim.policies.gavel_program import Program, highs, new_solver, solve
from capsim.workload.traces.model import Floats, Ints

PARTS = 5
"""Parts of the jobs with responses of their own: more take fewer but dearer steps (5: fastest of 1 to 50)."""

MOST_STEPS = 500

TINY = 1e-12


class Response(NamedTuple):
    """What a part does at some prices: its yield (a level for max-min, else a sum), chips used, shares."""

    yielded: float
    usage: Floats
    shares: Floats


@dataclass
class Master:
    """The program over the responses seen so far: rows are capacities, levels of parts, mixtures of parts."""

    chips: Floats
    fair: bool
    parts: int
    solver: Any = field(default_factory=new_solver)

    def __post_init__(self) -> None:
        highspy = highs()
        infinity = highspy.kHighsInf
        none, empty = np.array([], dtype=np.int32), np.array([])
        self.solver.setOptionValue("presolve", "off")  # it would throw away the basis of the step before
        self.solver.addCol(-1.0 if self.fair else 0.0, 0.0, infinity, 0, none, empty)
        for chips in self.chips:
            self.solver.addRow(-infinity, float(chips), 0, none, empty)
        first = np.array([0], dtype=np.int32)
        for _ in range(self.parts):
            self.solver.addRow(-infinity, 0.0, 1, first, np.ones(1))
        for _ in range(self.parts):
            self.solver.addRow(1.0, 1.0, 0, none, empty)
        idle = Response(0.0, np.zeros(len(self.chips)), np.empty(0))
        for part in range(self.parts):
            self.add(part, idle)

    def add(self, part: int, response: Response) -> None:
        """Let the part mix in another response."""
        highspy = highs()
        types = len(self.chips)
        rows = np.append(np.arange(types), [types + part, types + self.parts + part]).astype(np.int32)
        level = -response.yielded if self.fair else 0.0
        cost = 0.0 if self.fair else -response.yielded
        values = np.concatenate([response.usage, [level, 1.0]])
        self.solver.addCol(cost, 0.0, highspy.kHighsInf, len(rows), rows, values)

    def step(self) -> tuple[float, Floats, Floats, Floats]:
        """Value, mixture (one entry a response, as added), prices by type, weights of the levels."""
        value, columns, dual = solve(self.solver)
        types = len(self.chips)
        levels = np.maximum(-dual[types : types + self.parts], 0.0)
        return -value, columns[1:], np.maximum(-dual[:types], 0.0), levels


def solve_by_parts(program: Program, gap: float) -> tuple[Floats, float, float]:
    """Shares [class, type], value, bound with bound − value ≤ gap × bound; else CapsimError."""
    classes, types = program.gain.shape
    parts = min(PARTS, classes)
    members = [np.arange(part, classes, parts) for part in range(parts)]
    master = Master(program.chips, program.fair, parts)
    seen: list[tuple[int, Response]] = []
    prices, levels = first_prices(program), np.full(parts, 1.0 / parts)
    value, bound = 0.0, np.inf
    mixture = np.ones(parts)
    for _ in range(MOST_STEPS):
        limit = float(prices @ program.chips)
        for part, rows in enumerate(members):
            response = respond(program, rows, prices, float(levels[part]))
            weight = float(levels[part]) if program.fair else 1.0
            limit += weight * response.yielded - float(prices @ response.usage)
            master.add(part, response)
            seen.append((part, response))
        bound = min(bound, limit)
        value, mixture, prices, levels = master.step()
        if bound - value <= gap * bound:
            return mix(seen, mixture[parts:], members, (classes, types)), value, bound
    raise CapsimError(
        f"an allocation of {classes:,} classes of jobs is still {1 - value / bound:.1e} from its bound after"
        f" {MOST_STEPS} steps; allow a larger gap than {gap:g}"
    )


def first_prices(program: Program) -> Floats:
    """Prices at which the machine's chips cost together what they yield at most."""
    if program.fair:
        return np.asarray(1.0 / (program.chips * len(program.chips)))
    best = float(np.max(program.gain / program.size[:, None]))
    return np.full(len(program.chips), 0.5 * best)


def mix(
    seen: list[tuple[int, Response]], mixture: Floats, members: list[Ints], shape: tuple[int, int]
) -> Floats:
    """The shares that the master's mixture of responses stands for."""
    shares = np.zeros(shape)
    for share, (part, response) in zip(mixture, seen, strict=True):
        if share > TINY:
            shares[members[part]] += share * response.shares
    return shares


def respond(program: Program, rows: Ints, prices: Floats, level_weight: float) -> Response:
    """The best response of the classes ``rows`` to prices."""
    gain = program.gain[rows]
    cost = program.size[rows, None] * prices[None, :]
    count = program.count[rows]
    if program.fair:
        level, shares = best_level(gain, cost, count, level_weight)
        yielded = level
    else:
        profit = np.where(gain > 0, gain - cost, -np.inf)
        best = np.argmax(profit, axis=1)
        every = np.arange(len(rows))
        shares = np.zeros_like(gain)
        shares[every, best] = profit[every, best] > 0
        yielded = float(np.dot(count, (gain * shares).sum(axis=1)))
    return Response(yielded, (count * program.size[rows]) @ shares, shares)


def cheapest_paths(gain: Floats, cost: Floats) -> tuple[Floats, Floats, Ints]:
    """The lower convex hull of (0, 0) and (gain, cost) of each row, from the origin to the greatest gain.

    Returns the gain at each vertex [vertex, row], the slope of each edge (inf past the end), and the type of
    each vertex (−1: idle). It says what a level of service costs at least, by mixing two types.
    """
    count, types = gain.shape
    every = np.arange(count)
    at, paid = np.zeros(count), np.zeros(count)
    vertices, slopes, kinds = [at], list[Floats](), [np.full(count, -1)]
    for _ in range(types):
        ahead = gain - at[:, None]
        further = ahead > TINY * gain
        slope = np.where(further, (cost - paid[:, None]) / np.where(further, ahead, 1.0), np.inf)
        kind = np.argmin(slope, axis=1)
        edge = slope[every, kind]
        found = np.isfinite(edge)
        at = np.where(found, gain[every, kind], at)
        paid = np.where(found, cost[every, kind], paid)
        vertices.append(at)
        slopes.append(edge)
        kinds.append(np.where(found, kind, kinds[-1]))
        if not found.any():
            break
    return np.array(vertices), np.array(slopes), np.array(kinds)


def best_level(gain: Floats, cost: Floats, count: Floats, weight: float) -> tuple[float, Floats]:
    """The level t that maximises weight × t − Σ count × least cost of t, and the shares that reach it.

    The cost is piecewise linear and convex in t, so its kinks, sorted, are all there is to look at.
    """
    vertices, slopes, kinds = cheapest_paths(gain, cost)
    highest = float(vertices[-1].min())
    real = np.isfinite(slopes[1:])
    rise = np.where(real, slopes[1:] - np.where(real, slopes[:-1], 0.0), 0.0) * count
    kinks = vertices[1:-1].ravel()
    order = np.argsort(kinks, kind="stable")
    marginal = float(np.dot(count, slopes[0])) + np.cumsum(rise.ravel()[order])
    if float(np.dot(count, slopes[0])) >= weight:
        level = 0.0
    else:
        stop = int(np.searchsorted(marginal, weight))
        level = min(float(kinks[order[stop]]), highest) if stop < len(order) else highest
    every = np.arange(len(gain))
    edge = np.minimum((vertices[1:] < level).sum(axis=0), len(vertices) - 2)
    low, high = vertices[edge, every], vertices[edge + 1, every]
    part = np.where(high > low, (level - low) / np.where(high > low, high - low, 1.0), 0.0)
    shares = np.zeros_like(gain)
    for kind, share in ((kinds[edge, every], 1.0 - part), (kinds[edge + 1, every], part)):
        held = kind >= 0
        shares[every[held], kind[held]] += share[held]
    return level, shares
