"""Figures of a study of the news as recorded beside its README, and words whose choice follows from them."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from capsim.results.reading import Reals
from capsim.study.statistics import LEVEL, mean

BILLION = 1e9
Key = tuple[str, str]
"""Case and strategy."""


@dataclass(frozen=True)
class FlipFound:
    """A search for the value of one number at which two strategies cost the same (`capsim compare --flip`).

    Numbers are in the units of the schema, `*_shown` as a study would have them.

    Attributes:
        ends: of the search, where they were asked for.
        root: None where one strategy stays cheaper over the whole range that was searched.
        low, high: 95 % interval of the root; infinite where the trials do not bound it.
        below: the strategy that is cheaper below the root, or everywhere.
        first_world: the total of `first` less that of `second` at the root (the study's value without one) in
            the first world, USD.
    """

    path: str
    case: str
    first: str
    second: str
    runs: int
    value: float
    value_shown: str
    root: float | None
    root_shown: str
    low: float
    high: float
    low_shown: str
    high_shown: str
    ends: tuple[str | None, str | None]
    searched: tuple[float, float]
    searched_shown: tuple[str, str]
    below: str
    first_world: float


@dataclass(frozen=True)
class Figures:
    """What came out of a study, without the simulations: plain numbers that sentences are made of.

    Attributes:
        values: figures by (case, strategy), then name, one value a run.
        shares: the slice of their holdings that strategies simulate, where not all.
        worlds: other predictions by name, one value a run (the backtest).
    """

    values: Mapping[Key, Mapping[str, Reals]]
    flips: tuple[FlipFound, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    worlds: Mapping[str, Reals] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Worlds that each strategy was simulated in."""
        return len(next(iter(next(iter(self.values.values())).values())))

    def runs(self, metric: str, strategy: str, case: str = "base") -> Reals:
        """One figure in each run."""
        return self.values[case, strategy][metric]

    def mean(self, metric: str, strategy: str, case: str = "base") -> float:
        """Mean over runs of a figure; runs in which it does not exist are left out."""
        values = self.runs(metric, strategy, case)
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    def billions(self, metric: str, strategy: str, case: str = "base") -> float:
        """Mean over runs of a figure in dollars, in billions."""
        return self.mean(metric, strategy, case) / BILLION

    def less(
        self, first: str, second: str, case: str = "base", metric: str = "total_npv"
    ) -> tuple[float, float]:
        """By how much `first` costs less than `second`, $B, and half of its 95 % interval (paired)."""
        return paired(self.runs(metric, first, case), self.runs(metric, second, case))

    def effect(self, strategy: str, case: str, than: str = "base") -> tuple[float, float]:
        """By how much a strategy costs less in a case than in another, $B, and half of its 95 % interval."""
        return paired(self.runs("total_npv", strategy, case), self.runs("total_npv", strategy, than))

    def saved(self, strategy: str, case: str, than: str = "base") -> Reals:
        """By how much a strategy costs less in a case than in another, $B, one value a world."""
        less = self.runs("total_npv", strategy, than) - self.runs("total_npv", strategy, case)
        return np.asarray(less / BILLION)

    def lost(self, strategy: str, case: str = "base") -> float:
        """Work lost and slip, $B."""
        parts = ("lost_tokens_npv", "lost_research_npv", "slip_npv")
        return sum(self.billions(part, strategy, case) for part in parts)

    def flip(self, path: str, case: str | None = None) -> FlipFound:
        """The recorded search over one number."""
        return next(f for f in self.flips if f.path == path and case in (None, f.case))


def paired(first: Reals, second: Reals) -> tuple[float, float]:
    """Mean of `second` less `first` over the same runs, $B, and half of its 95 % interval."""
    found = mean((second - first) / BILLION)
    return found.value, found.half


def write_figures(path: Path, figures: Figures) -> None:
    """Write figures as JSON, a run a line, seven digits each (nan and infinite as null)."""
    columns = sorted(next(iter(figures.values.values())))
    rows = [
        [case, strategy, run, *(_kept(found[name][run]) for name in columns)]
        for (case, strategy), found in figures.values.items()
        for run in range(figures.count)
    ]
    record: dict[str, Any] = {
        "columns": columns,
        "rows": rows,
        "flips": [{name: _kept(value) for name, value in asdict(flip).items()} for flip in figures.flips],
        "shares": dict(figures.shares),
        "worlds": {name: [_kept(value) for value in found] for name, found in figures.worlds.items()},
    }
    lines = [f"{json.dumps(name)}: {_lines(value)}" for name, value in record.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read_figures(path: Path) -> Figures:
    """Read figures that `write_figures` wrote."""
    record = json.loads(path.read_text())
    values: dict[Key, dict[str, list[float]]] = {}
    for case, strategy, _, *row in record["rows"]:
        found = values.setdefault((case, strategy), {name: [] for name in record["columns"]})
        for name, value in zip(record["columns"], row, strict=True):
            found[name].append(math.nan if value is None else value)
    flips = []
    for flip in record["flips"]:
        ends = {"low": flip["low"], "high": flip["high"]}
        known = {name: math.inf if end is None else end for name, end in ends.items()}
        pairs = {name: tuple(flip[name]) for name in ("ends", "searched", "searched_shown")}
        flips.append(FlipFound(**{**flip, **known, **pairs}))
    return Figures(
        {key: {name: np.array(column) for name, column in found.items()} for key, found in values.items()},
        tuple(flips),
        record["shares"],
        {name: np.array(found, dtype=float) for name, found in record["worlds"].items()},
    )


def _kept(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    if not isinstance(value, float | np.floating):
        return value
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n]"
    return json.dumps(value)


def money(billions: float) -> str:
    """Billions of dollars in words: $7.4B, $230M."""
    size = abs(billions)
    sign = "-" if billions < 0 else ""
    return f"{sign}${size:.1f}B" if size >= 1 else f"{sign}${size * 1000:.0f}M"


def change(billions: float) -> str:
    """A signed amount: +$2.0B."""
    return f"{'-' if billions < 0 else '+'}{money(abs(billions))}"


def told(less: tuple[float, float]) -> bool:
    """Whether a paired difference stands out of the noise of the runs."""
    return abs(less[0]) > less[1]


def gain(less: tuple[float, float]) -> str:
    """A paired difference with its interval; the word follows its sign, and noise is called so."""
    value, half = less
    low, high = sorted((abs(value) - half, abs(value) + half))
    unit, factor, digits = ("B", 1.0, 1) if high >= 1 else ("M", 1000.0, 0)
    signed = "+" if low < 0 else ""
    span = f"{low * factor:{signed}.{digits}f} to {high * factor:{signed}.{digits}f} {unit}"
    noise = "" if told(less) else ", within the noise of these runs"
    return f"{money(abs(value))} {'less' if value >= 0 else 'more'} ({span}{noise})"


def consistent(differences: Reals) -> bool:
    """Whether so many worlds have the sign of the median by chance with at most 5 % (two-sided sign test)."""
    signs = np.sign(differences[differences != 0])
    most = max(int((signs > 0).sum()), int((signs < 0).sum()))
    tail = sum(math.comb(len(signs), k) for k in range(most, len(signs) + 1)) / 2.0 ** len(signs)
    return bool(2 * tail <= 1 - LEVEL) if len(signs) else False


def typical(differences: Reals) -> str:
    """The median of savings ($B, one a world) in words, and in how many worlds they have its sign."""
    middle = float(np.median(differences))
    word = "less" if middle >= 0 else "more"
    same = int((differences * (1 if middle >= 0 else -1) > 0).sum())
    return f"{money(abs(middle))} {word} in the median world ({word} in {same} of {len(differences)})"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def capital(text: str) -> str:
    """With its first letter in upper case."""
    return text[:1].upper() + text[1:]


def flip_words(study: str, flip: FlipFound) -> str:
    """Where two strategies swap, how surely, and the command that finds it; or that they do not."""
    above = flip.second if flip.below == flip.first else flip.first
    number = f"`{flip.path}`"
    if flip.root is None:
        ends = " to ".join(flip.searched_shown)
        text = f"No {number} from {ends} makes `{above}` cheaper than `{flip.below}`"
    else:
        low, high = flip_interval(flip)
        text = (
            f"`{flip.first}` and `{flip.second}` swap at {number} {flip.root_shown} ({low} to {high}): below "
            f"it `{flip.below}` is cheaper, above it `{above}`"
        )
    return f"{text}; the study has {flip.value_shown} ({flip_command(study, flip)})."


def flip_interval(flip: FlipFound) -> tuple[str, str]:
    """The ends of the root's interval in words."""
    ends = ((flip.low, flip.low_shown), (flip.high, flip.high_shown))
    low, high = (shown if math.isfinite(end) else "not bounded" for end, shown in ends)
    return low, high


def flip_command(study: str, flip: FlipFound) -> str:
    """The command that finds a flip."""
    cases = "" if flip.case == "base" else f" --cases {flip.case}"
    asked = zip(("--low", "--high"), flip.ends, strict=True)
    ends = "".join(f" {option} {shlex.quote(end)}" for option, end in asked if end is not None)
    return (
        f"`capsim compare news/{study} --flip {flip.path} --between {flip.first},{flip.second}{cases} "
        f"--runs {flip.runs}{ends}`"
    )
