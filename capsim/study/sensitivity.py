"""Which weak inputs move the answer most: one at a time, on common random numbers.

The answer is the lead of the first strategy over the runner-up. Prices of lost work, of offers and the
discount rate act on the results alone and are re-weighted exactly; every other input that is a range, assumed
or recalled is simulated at both ends: first all of them in one world, then those that moved most in several.
What a simulated input does is its change in the same worlds, added to the comparison's own figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from capsim.compile.prepare import Prepared
from capsim.results.reading import Results
from capsim.spec.knobs import SERIES, Knob, quantity_at
from capsim.spec.loader import Loaded
from capsim.spec.paths import join_path
from capsim.spec.provenance import STATED, Sourced, used_values
from capsim.spec.study import Study
from capsim.spec.values import Value, Whole
from capsim.study.context import Context
from capsim.study.figures import table as figures_of
from capsim.study.reweighting import weakest
from capsim.study.setup import Setup
from capsim.study.statistics import mean, moved_mean
from capsim.study.trials import Trial, Trials
from capsim.study.valid_range import ValidRange

Reals = NDArray[np.float64]

#: how far an input without a range is moved, as a share of it, by its confidence.
UNRANGED = {"assumed": 0.25, "recalled": 0.10}
#: worlds of the first look, most worlds of the second, and how many inputs get a second.
SCREEN_RUNS, MOST_RUNS, SECOND_LOOK = 1, 8, 8
#: what is left out: a model's architecture is what it is, and shares that sum to 1 do not move one at a time.
LEFT_OUT_ROOTS = ("models", "compare", "cases", "cross_check", "base_fleet", "strategies")
#: where the same number of several entries is one assumption.
SEVERAL = (("offers",), ("systems",), ("chips",), ("demand", "training_runs"), ("demand", "inference"))
SUMMING = ("p", "share", "chips")
#: inputs that are re-weighted exactly, by the last name of their path.
EXACT = (
    "slip_cost", "value_lost", "price", "per_chip_hour", "total", "per_chip", "per_kw_month", "discount_rate",
)  # fmt: skip


@dataclass(frozen=True)
class Movement:
    """What an input does at its low and at its high end; USD, discounted.

    Attributes:
        shown: the ends in words.
        ranged: whether the study gives the ends.
        total: change of the first strategy's mean total cost at both ends.
        lead: mean total of the runner-up less that of the first at both ends (negative: the order turns).
        lead_half: half widths of its 95 % intervals; nan from one world.
        half: half widths of the 95 % intervals of the changes of the lead; nan from one world or where exact.
        runs: worlds that were simulated; 0 where it is exact by re-weighting.
    """

    label: str
    shown: str
    ranged: bool
    total: tuple[float, float]
    lead: tuple[float, float]
    lead_half: tuple[float, float]
    half: tuple[float, float]
    runs: int

    @property
    def sure(self) -> bool:
        """Whether it was more than a first look."""
        return self.runs != SCREEN_RUNS

    @property
    def turns(self) -> bool:
        """Whether the order turns at an end, by the mean."""
        return min(self.lead) < 0

    @property
    def turns_clearly(self) -> bool:
        """Whether the whole interval of the lead is on the other side at an end."""
        return any(lead + half < 0 for lead, half in zip(self.lead, self.lead_half, strict=True))

    @property
    def blurs(self) -> bool:
        """Whether the interval of the lead holds 0 at an end: the two cannot be told apart there."""
        return any(abs(lead) <= half for lead, half in zip(self.lead, self.lead_half, strict=True))

    @property
    def span(self) -> float:
        """How far the lead moves from one end to the other."""
        return abs(self.lead[1] - self.lead[0])


@dataclass(frozen=True)
class Sensitivity:
    """Movements of all weak inputs, widest first. `lead` is that of the study as it is, `half` the half width
    of its 95 % interval (nan from one run).

    `screened` counts the inputs that were simulated, `looked` those of them in more than one world.
    """

    first: str
    second: str
    case: str
    lead: float
    half: float
    movements: tuple[Movement, ...]
    screened: int
    looked: int
    simulated: int


def sensitivity(
    setup: Setup, results: Results, trials: Trials, announce: Callable[[str], None] = lambda text: None
) -> Sensitivity:
    """Move every weak input of the plan's first case to both of its ends; `results` has all strategies.

    Args:
        announce: told how much will be simulated before it is.
    """
    case = setup.plan.cases[0]
    rows = figures_of(results, case).rows
    first, second = rows[0].strategy, rows[1].strategy
    leads = results.metric("total_npv", second, case) - results.metric("total_npv", first, case)
    lead = mean(leads)
    held = [setup.prepared[name, case] for name in (first, second)]
    loaded = setup.loaded[case]
    inputs = [_valid(loaded, one) for one in weak_inputs(loaded.study, held)]
    look = _Look(trials, first, second, leads)
    runs = min(setup.plan.runs, MOST_RUNS)
    each = float(np.mean([results.metric("seconds", name, case) for name in (first, second)]))
    announce(_plan(look, inputs, runs, each / trials.workers))
    seen = look.at(inputs, SCREEN_RUNS)
    order = sorted(range(len(inputs)), key=lambda i: (-seen[i].span, inputs[i].knob.path))
    chosen = [i for i in order[:SECOND_LOOK] if seen[i].span > 0]
    if runs > SCREEN_RUNS:
        for i, movement in zip(chosen, look.at([inputs[i] for i in chosen], runs), strict=True):
            seen[i] = movement
    found = [*_exact(results, setup.context, first, second, case, leads), *seen]
    found.sort(key=lambda movement: -movement.span)
    counts = len(inputs), len(chosen), trials.simulated
    return Sensitivity(first, second, case, lead.value, lead.half, tuple(found), *counts)


def _plan(look: _Look, inputs: Sequence[Input], runs: int, seconds: float) -> str:
    """How many runs are to be simulated, and how long that takes at so many `seconds` a run, in words."""
    lacking = look.lacking(inputs, SCREEN_RUNS)
    kept = 4 * len(inputs) + 2 - lacking
    text = f"{len(inputs)} weak inputs at both ends: {lacking:,} runs to simulate"
    text += f", {kept:,} kept from before" if kept else ""
    more = 0
    if runs > SCREEN_RUNS:
        chosen = min(SECOND_LOOK, len(inputs))
        more = (4 * chosen + 2) * (runs - SCREEN_RUNS)
        text += f"; then up to {more:,} for the {chosen} that move most"
    return f"{text}; about {_length((lacking + more) * seconds)} in all, as fast as the comparison"


def _length(seconds: float) -> str:
    """Seconds as people say them."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


@dataclass(frozen=True)
class Input:
    """A weak input, one number or the same one of several systems or offers, and the ends it is moved to."""

    knob: Knob
    low: float
    high: float
    ranged: bool
    confidence: str


def weak_inputs(study: Study, held: Sequence[Prepared]) -> Iterator[Input]:
    """Ranges and assumed or recalled numbers that must be simulated; of offers and chips, those of `held`."""
    offers = {lot.offer for one in held for lot in one.portfolio.lots}
    offers |= {shell.offer for one in held for shell in one.portfolio.shells}
    offers |= {rule.offer for rule in study.overflow}
    places = [place for one in held for place in one.places]
    systems = {place.system for place in places}
    known = {
        "offers": offers,
        "systems": systems,
        "chips": {study.systems[system].chip for system in systems},
        "porting": {place.family for place in places},
    }
    groups: dict[tuple[object, ...], list[Sourced]] = {}
    for found in used_values(study):
        path, value = found
        names = tuple(str(name) for name in path)
        if isinstance(value, Value | Whole) and _simulated(study, names, value, known):
            key: tuple[object, ...] = (
                _alike(names), float(value), value.low, value.high, value.confidence,
            )  # fmt: skip
            if _in_series(names) and not value.ranged:
                key = (names[:-1], value.confidence)
            groups.setdefault(key, []).append(Sourced(names, value))
    for members in groups.values():
        yield _input(study, members)


def _alike(names: tuple[str, ...]) -> tuple[str, ...]:
    """The path with `*` for the name of an offer, system, chip, training run or service.

    The same number of several of them is one assumption.
    """
    for head in SEVERAL:
        if names[: len(head)] == head and len(names) > len(head) + 1:
            return (*head, "*", *names[len(head) + 1 :])
    return names


def _in_series(names: tuple[str, ...]) -> bool:
    """Whether it is a point of a path by date, which moves as a whole."""
    return len(names) > 1 and names[-2] in SERIES


def _simulated(
    study: Study, names: tuple[str, ...], value: Value | Whole, known: Mapping[str, set[str]]
) -> bool:
    if not (value.ranged or value.confidence in UNRANGED) or names[0] in LEFT_OUT_ROOTS:
        return False
    if names[-1] in SUMMING or set(names) & set(EXACT) or "chips" in names[2:]:
        return False
    if names[0] in known and names[1] not in known[names[0]]:
        return False
    quantity = quantity_at(study, names)
    counted = quantity is None or (quantity.form.whole and quantity.form.suffix != " ms")
    return not counted and (value.ranged or float(value) != 0)


def _input(study: Study, members: list[Sourced]) -> Input:
    names, value = members[0]
    assert isinstance(value, Value | Whole)
    quantity = quantity_at(study, names)
    assert quantity is not None
    path = tuple(str(name) for name in names)
    label = path
    if len(members) > 1:
        label = path[:-1] if _in_series(path) else _alike(path)
    leaves = {join_path(one.path): float(value) for one in members}
    moved = Knob(join_path(label), float(value), leaves, quantity)
    confidence = value.confidence or STATED
    if value.low is not None and value.high is not None:
        return Input(moved, float(value.low), float(value.high), True, confidence)
    step = UNRANGED[confidence] * abs(float(value))
    low, high = moved.within(float(value) - step), moved.within(float(value) + step)
    return Input(moved, low, high, False, confidence)


def _valid(loaded: Loaded, one: Input) -> Input:
    """The input with its ends no further than the study stays valid."""
    valid = ValidRange(loaded, one.knob)
    return replace(one, low=valid.clamp(one.low), high=valid.clamp(one.high))


class _Look:
    """Simulates inputs at both ends for two strategies; `leads` are theirs in the comparison, USD by run."""

    def __init__(self, trials: Trials, first: str, second: str, leads: Reals) -> None:
        self.trials, self.names, self.leads = trials, (first, second), leads

    def at(self, inputs: Sequence[Input], runs: int) -> list[Movement]:
        """Movements in worlds 0 to `runs` - 1, in the order of the inputs."""
        base, ends = self._trials(inputs)
        known = self.trials.totals([*base, *_flat(ends)], runs)
        found = []
        for one, pairs in zip(inputs, ends, strict=True):
            moved = [
                [known[trial] - known[own] for trial, own in zip(pair, base, strict=True)] for pair in pairs
            ]
            changes = [second - first for first, second in moved]
            low, high = (moved_mean(self.leads, change) for change in changes)
            found.append(
                Movement(
                    label=one.knob.path,
                    shown=f"{one.knob.show(one.low)}..{one.knob.show(one.high)} ({one.confidence})",
                    ranged=one.ranged,
                    total=(float(moved[0][0].mean()), float(moved[1][0].mean())),
                    lead=(low.value, high.value),
                    lead_half=(low.half, high.half),
                    half=(mean(changes[0]).half, mean(changes[1]).half),
                    runs=runs,
                )
            )
        return found

    def lacking(self, inputs: Sequence[Input], runs: int) -> int:
        """Runs that `at` would have to simulate."""
        base, ends = self._trials(inputs)
        return self.trials.lacking([*base, *_flat(ends)], runs)

    def _trials(self, inputs: Sequence[Input]) -> tuple[list[Trial], list[list[list[Trial]]]]:
        base = [Trial.of(name, {}) for name in self.names]
        return base, [[self._pair(one, value) for value in (one.low, one.high)] for one in inputs]

    def _pair(self, one: Input, value: float) -> list[Trial]:
        changes = one.knob.changes(value) if one.knob.value else dict.fromkeys(one.knob.leaves, value)
        return [Trial.of(name, changes) for name in self.names]


def _flat(ends: Sequence[Sequence[Sequence[Trial]]]) -> Iterator[Trial]:
    return (trial for pairs in ends for pair in pairs for trial in pair)


def _exact(
    results: Results, context: Context, first: str, second: str, case: str, leads: Reals
) -> Iterator[Movement]:
    """Inputs that act on the results alone, on all runs of the comparison."""
    other = {effect.assumed.label: effect for effect in weakest(results, context, second, case)}
    mine = {effect.assumed.label: effect for effect in weakest(results, context, first, case)}
    nothing = (np.zeros_like(leads), np.zeros_like(leads))
    for label in dict.fromkeys([*mine, *other]):
        effect = mine.get(label) or other[label]
        here = mine[label].changes if label in mine else nothing
        there = other[label].changes if label in other else nothing
        low, high = (mean(leads + there[end] - here[end]) for end in (0, 1))
        yield Movement(
            label=label,
            shown=effect.assumed.shown,
            ranged=effect.given_range,
            total=(float(here[0].mean()), float(here[1].mean())),
            lead=(low.value, high.value),
            lead_half=(low.half, high.half),
            half=(math.nan, math.nan),
            runs=0,
        )
