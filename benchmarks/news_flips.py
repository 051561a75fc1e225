"""The numbers whose flip the READMEs of the news print, and the search for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from news_figures import FlipFound

from capsim.engine.simulate import simulate
from capsim.results.reading import Reals
from capsim.spec.knobs import Knob, knob
from capsim.spec.paths import split_path
from capsim.spec.study import Study
from capsim.study.flip import FlipAnswer, ask_flip
from capsim.study.session import Progress
from capsim.study.setup import Request, Setup, set_up
from capsim.study.trials import Trial, Trials


@dataclass(frozen=True)
class Asked:
    """A flip to search: the path of a number, two strategies, a case, and where to look."""

    path: str
    first: str
    second: str
    runs: int
    case: str = "base"
    low: str | None = None
    high: str | None = None


#: training efficiency of Trainium: the second row of `calibration.training`, 10 to 90 % of the peak.
EFFICIENCY = "calibration.training.1.tflops_chip"
TALKS = "offers.openai-amazon-talks-2025.price"
PORTINGS = ("port6", "port15", "port24")

FLIPS: dict[str, tuple[Asked, ...]] = {
    "aws-38b": (Asked("offers.openai-aws-2025.price", "existing-230k", "new-500k", 6),),
    "first-refusal": (Asked("offers.openai-aws-2025.price", "aws", "azure", 8),),
    "headline-or-binding": (Asked("offers.neocloud-block.price", "binding", "binding-and-overflow", 6),),
    "neocloud-prepayment": (Asked("offers.iren-like.price", "neocloud", "hyperscaler", 8),),
    "power-first-300mw": (
        Asked("offers.cipher-like-shell.price", "power-first", "rent", 8),
        Asked("offers.chip-purchase.price", "power-first", "rent", 8),
    ),
    "three-stacks": (
        Asked("offers.anthropic-google-2025.price", "tpu-only", "nvidia-only", 6),
        Asked("offers.openai-amazon-talks-2025.price", "trainium-only", "nvidia-only", 6),
    ),
    "trainium-for-investment": (
        *(Asked(EFFICIENCY, "trainium", "more-nvidia", 8, case, "251.7", "2265") for case in PORTINGS),
        *(Asked(TALKS, "trainium", "more-nvidia", 8, case, "$0.05/h", "$1.50/h") for case in PORTINGS),
    ),
}


class Sparing(Trials):
    """Trials that do not simulate a strategy again for a term of an offer that it never holds."""

    def totals(self, trials: Sequence[Trial], runs: int) -> dict[Trial, Reals]:
        """As `Trials`; a strategy that a change does not concern is simulated once."""
        same = {trial: _concerned(self.loaded.study, trial) for trial in trials}
        found = super().totals(list(same.values()), runs)
        return {trial: found[other] for trial, other in same.items()}


def _concerned(study: Study, trial: Trial) -> Trial:
    """The trial, or the study as it is where all changes are of offers that the strategy cannot hold."""
    plan = study.strategies[trial.strategy]
    may_hold = {*plan.hold, *(rule.offer for rule in study.overflow)}
    offers = [names[1] for path, _ in trial.changes if (names := split_path(path))[0] == "offers"]
    decides = plan.rules or plan.ramp or plan.python
    if decides or len(offers) < len(trial.changes) or may_hold & set(offers):
        return trial
    return Trial.of(trial.strategy, {})


def search(name: str, asked: Asked, workers: int, progress: Progress, folder: Path) -> FlipFound:
    """Simulate until the flip is found; trials are kept in `folder`."""
    setup = _set_up(name, asked.first, asked.second, asked.case, asked.runs)
    trials = Sparing(setup.loaded[asked.case], simulate, workers, progress, folder)
    answer = ask_flip(setup, trials, asked.path, (asked.first, asked.second), asked.low, asked.high)
    at = answer.knob.value if answer.flip.root is None else answer.flip.root
    return recorded(
        answer, (asked.low, asked.high), _first_world(trials, answer.knob, asked.first, asked.second, at)
    )


def difference_now(name: str, flip: FlipFound, workers: int, progress: Progress, folder: Path) -> float:
    """What `first_world` of a recorded flip is now."""
    setup = _set_up(name, flip.first, flip.second, flip.case, 1)
    loaded = setup.loaded[flip.case]
    trials = Sparing(loaded, simulate, workers, progress, folder)
    at = flip.value if flip.root is None else flip.root
    return _first_world(trials, knob(loaded.study, flip.path), flip.first, flip.second, at)


def _set_up(name: str, first: str, second: str, case: str, runs: int) -> Setup:
    request = Request(f"news/{name}", cases=(case,), strategies=(first, second), against=first, runs=runs)
    return set_up(request)


def _first_world(trials: Trials, number: Knob, first: str, second: str, value: float) -> float:
    """The difference of both totals in the first world at a value, USD."""
    kept = float(f"{value:.7g}")  # as it is recorded
    changes = {} if math.isclose(kept, number.value, rel_tol=1e-6) else number.changes(kept)
    pair = Trial.of(first, changes), Trial.of(second, changes)
    found = trials.totals(pair, 1)
    return float(found[pair[0]][0] - found[pair[1]][0])


def recorded(answer: FlipAnswer, ends: tuple[str | None, str | None], difference: float) -> FlipFound:
    """The answer as plain numbers and text."""
    flip, show = answer.flip, answer.knob.show
    root, low, high = flip.root, flip.low, flip.high
    below = [p for p in flip.points if p.value <= flip.bracket[0]][-1]
    return FlipFound(
        answer.knob.path,
        answer.case,
        answer.first,
        answer.second,
        answer.runs,
        answer.knob.value,
        show(answer.knob.value),
        root,
        "" if root is None else show(root),
        low,
        high,
        "" if root is None or low == float("-inf") else show(low),
        "" if root is None or high == float("inf") else show(high),
        ends,
        flip.bracket,
        (show(flip.bracket[0]), show(flip.bracket[1])),
        answer.first if below.difference < 0 else answer.second,
        difference,
    )
