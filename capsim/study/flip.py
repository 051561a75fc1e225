"""The value of one number at which two strategies cost the same, found by simulating both at each trial.

Both strategies face the same worlds at every value (common random numbers). The mean paired difference is
followed by bisection until the bracket is narrower than what the runs can tell apart; the root is the line
through the bracket's ends, and is simulated too. The 95 % interval is where 0 lies inside the band of the
paired difference (Student t over runs), between trials along straight lines.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.errors import InputError
from capsim.spec.knobs import Knob, knob
from capsim.study.setup import Setup
from capsim.study.statistics import mean
from capsim.study.trials import Trial, Trials
from capsim.study.valid_range import Limit, ValidRange

Reals = NDArray[np.float64]

Evaluate = Callable[[Sequence[float]], Sequence[Reals]]
"""Paired differences of total cost at each value, USD: the first strategy less the second, one a run."""

#: factors on the study's value that are tried, one after the other, where no bracket is given.
WIDER = (1.25, 1.6, 2.5, 4.0)
#: most trials inside a bracket.
MOST_STEPS = 12
#: how far from the root, in widths of its interval, trials look for the interval's ends.
REACHES = (0.65, 1.3)
#: a bracket narrower than this share of its greater end is a point.
POINT = 1e-3
#: a step stays this share of the bracket away from its ends, as a bisection would by one half.
MARGIN = 0.2


@dataclass(frozen=True)
class Point:
    """A trial: the mean paired difference at a value and the half width of its 95 % interval, USD."""

    value: float
    difference: float
    half: float


@dataclass(frozen=True)
class Flip:
    """Where the order of two strategies changes.

    Attributes:
        points: all trials, by value.
        root: None where the difference keeps its sign over the whole bracket.
        low, high: 95 % interval of the root, inf where the trials do not bound it; nan with one run.
        bracket: the last bracket; without a root, the range that was searched.
        matters: whether the difference changes at all with the value.
        jumps: the difference is not 0 at the root, it jumps over it within the bracket.
    """

    points: tuple[Point, ...]
    root: float | None
    low: float
    high: float
    bracket: tuple[float, float]
    matters: bool
    jumps: bool


class _Search:
    def __init__(self, evaluate: Evaluate) -> None:
        self.evaluate = evaluate
        self.points: dict[float, Point] = {}

    def at(self, *values: float) -> None:
        """Try values that have not been tried."""
        new = [value for value in dict.fromkeys(values) if value not in self.points]
        for value, found in zip(new, self.evaluate(new) if new else [], strict=True):
            interval = mean(found)
            self.points[value] = Point(value, interval.value, interval.half)

    @property
    def ordered(self) -> tuple[Point, ...]:
        return tuple(self.points[value] for value in sorted(self.points))

    def crossing(self, near: float) -> tuple[Point, Point] | None:
        """Neighbouring trials of different sign, the nearest to `near`."""
        pairs = itertools.pairwise(self.ordered)
        found = [
            (a, b) for a, b in pairs if a.difference * b.difference <= 0 and a.difference != b.difference
        ]
        return min(found, key=lambda ends: min(abs(end.value - near) for end in ends), default=None)


def find_flip(
    evaluate: Evaluate,
    value: float,
    low: float | None,
    high: float | None,
    within: Callable[[float], float] = lambda number: number,
    around: Callable[[float], tuple[float, float]] | None = None,
    finest: float = 0.0,
) -> Flip:
    """Search for the flip nearest to `value`, in [low, high] or in ever wider brackets around `value`.

    Args:
        value: the study's own.
        low, high: ends of the bracket; None for `value` divided and multiplied by up to 4.
        within: the nearest value that is allowed.
        around: values below and above `value` for a factor; divided and multiplied by it where absent.
        finest: width of a bracket that counts as a point.
    """
    search = _Search(evaluate)
    wider = around if around is not None else lambda factor: (within(value / factor), within(value * factor))
    _open(search, value, low, high, wider)
    ends = search.crossing(value)
    differences = {point.difference for point in search.points.values()}
    if ends is None:
        points = search.ordered
        span = (points[0].value, points[-1].value)
        return Flip(points, None, math.nan, math.nan, span, len(differences) > 1, False)
    for _ in range(MOST_STEPS):
        a, b = ends
        point = finest if finest > 0 else POINT * max(abs(a.value), abs(b.value))
        if b.value - a.value <= max(_noise(a, b), point):
            break
        margin = MARGIN * (b.value - a.value)
        search.at(within(min(max(_zero(a, b), a.value + margin), b.value - margin)))
        ends = search.crossing(_zero(a, b)) or ends
    a, b = ends
    root = within(_zero(a, b))
    search.at(root)
    checked = search.points[root]
    ends = search.crossing(root) or ends
    bracket = (ends[0].value, ends[1].value)
    jumps = abs(checked.difference) > (checked.half if math.isfinite(checked.half) else math.inf)
    jumps = jumps and abs(checked.difference) > 0.5 * min(abs(a.difference), abs(b.difference))
    near, far = sorted(wider(WIDER[-1]))
    lowest = min(near, search.ordered[0].value) if low is None else low
    highest = max(far, search.ordered[-1].value) if high is None else high
    _bound(search, root, lowest, highest, within)
    return Flip(search.ordered, root, *interval(search.ordered, root), bracket, True, jumps)


def _bound(
    search: _Search,
    root: float,
    lowest: float,
    highest: float,
    within: Callable[[float], float],
) -> None:
    """Try values beyond the ends of the interval where no trial is there yet, from `lowest` to `highest`."""
    for reach in REACHES:
        left, right = interval(search.ordered, root)
        further = reach * _noise(search.ordered[0], search.ordered[-1])
        down, up = within(root - further), within(root + further)
        tried = [max(down, lowest)] if left == -math.inf else []
        tried += [min(up, highest)] if right == math.inf else []
        if not tried:
            return
        search.at(*tried)


def _open(
    search: _Search,
    value: float,
    low: float | None,
    high: float | None,
    wider: Callable[[float], tuple[float, float]],
) -> None:
    """Try the given ends, or widen around the study's value until the sign changes."""
    if low is not None and high is not None:
        search.at(low, high, *([value] if low < value < high else []))
        return
    search.at(value)
    for factor in WIDER:
        down, up = wider(factor)
        search.at(down if low is None else low, up if high is None else high)
        if search.crossing(value) is not None:
            return


def _zero(a: Point, b: Point) -> float:
    """Where the line through two points is 0."""
    return a.value - a.difference * (b.value - a.value) / (b.difference - a.difference)


def _noise(a: Point, b: Point) -> float:
    """Width of the root's interval, from the band and the slope of two points; 0 with one run."""
    half = max(a.half, b.half)
    slope = abs(b.difference - a.difference) / (b.value - a.value)
    return 0.0 if math.isnan(half) or slope == 0 else 2 * half / slope


def interval(points: Sequence[Point], root: float) -> tuple[float, float]:
    """The values around `root` at which 0 lies inside the band; inf where no trial bounds them."""
    if any(math.isnan(point.half) for point in points):
        return math.nan, math.nan
    left = [point for point in points if point.value <= root][::-1]
    right = [point for point in points if point.value >= root]
    return _edge(left, -math.inf), _edge(right, math.inf)


def _edge(points: Sequence[Point], beyond: float) -> float:
    """The first value, walking away from the root, at which the band leaves 0."""
    for inner, outer in itertools.pairwise(points):
        if outer.half < abs(outer.difference):  # the band does not hold 0 at the outer point
            sign = math.copysign(1.0, outer.difference)
            first, last = sign * inner.difference - inner.half, sign * outer.difference - outer.half
            if first >= 0:
                return inner.value
            return inner.value + (outer.value - inner.value) * -first / (last - first)
    return beyond


@dataclass(frozen=True)
class FlipAnswer:
    """What was found for one number of a study: `first` and `second` swap where `flip` says.

    `simulated` counts the runs that were simulated for it, `runs` are the worlds of each trial, `limits` say
    beyond which values the study would not be valid, where the search met such.
    """

    knob: Knob
    first: str
    second: str
    case: str
    runs: int
    flip: Flip
    simulated: int
    limits: tuple[Limit, ...] = ()


def ask_flip(
    setup: Setup,
    trials: Trials,
    path: str,
    between: tuple[str, ...] = (),
    low: str | None = None,
    high: str | None = None,
) -> FlipAnswer:
    """Where the first and the second strategy of the plan's first case, or the two of `between`, swap.

    Args:
        path: to a number of the study, or to prices by system, which move together.
        low, high: the bracket as a study would write it; what would not be a valid study is left out.

    Raises:
        InputError: for what cannot be searched.
    """
    case, runs = setup.plan.cases[0], setup.plan.runs
    moved = knob(setup.loaded[case].study, path)
    if len(between) not in (0, 2) or len(set(between)) != len(between):
        raise InputError(f"--between {','.join(between)}: write two strategies, A,B")
    if len(setup.plan.strategies) < 2:
        raise InputError("--flip needs two strategies to compare")
    low_end = None if low is None else moved.read(low, "--low")
    high_end = None if high is None else moved.read(high, "--high")
    if moved.value == 0 and (low_end is None or high_end is None):
        raise InputError(f"--flip {path}: the study has 0 there; say where to look with --low and --high")
    first_value = moved.value if low_end is None else low_end
    last_value = moved.value if high_end is None else high_end
    if first_value > last_value or low_end == last_value:
        raise InputError(f"--low and --high leave no range; the study has {moved.show(moved.value)}")
    valid = ValidRange(setup.loaded[case], moved)
    low_end, high_end = (None if end is None else valid.clamp(end) for end in (low_end, high_end))
    if low_end is not None and low_end == high_end:
        raise InputError(f"--flip {path}: {'; '.join(limit.why for limit in valid.limits.values())}")
    if not between:
        totals = trials.totals([Trial.of(s, {}) for s in setup.plan.strategies], runs)
        ordered = sorted(totals.items(), key=lambda item: float(item[1].mean()))
        between = (ordered[0][0].strategy, ordered[1][0].strategy)
    first, second = between

    def evaluate(values: Sequence[float]) -> Sequence[Reals]:
        changed = [{} if value == moved.value else moved.changes(value) for value in values]
        pairs = [(Trial.of(first, change), Trial.of(second, change)) for change in changed]
        found = trials.totals([trial for pair in pairs for trial in pair], runs)
        return [found[a] - found[b] for a, b in pairs]

    flip = find_flip(
        evaluate,
        moved.value,
        low_end,
        high_end,
        lambda value: valid.clamp(moved.within(value)),
        lambda factor: tuple(map(valid.clamp, moved.around(factor))),  # type: ignore[arg-type,return-value]
        moved.finest,
    )
    limits = tuple(valid.limits[above] for above in sorted(valid.limits))
    return FlipAnswer(moved, first, second, case, runs, flip, trials.simulated, limits)
