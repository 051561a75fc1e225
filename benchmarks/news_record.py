"""From finished simulations to the figures that are recorded beside a README of the news."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from news_backtest import predictions
from news_figures import Figures, FlipFound

from capsim.results.reading import Results
from capsim.spec.loader import load_study

#: figures of METRICS that sentences use.
METRICS = (
    "total_npv",
    "cash_npv",
    "lost_tokens_npv",
    "lost_research_npv",
    "slip_npv",
    "equity",
    "headline",
    "binding",
    "stranded",
    "paid_idle_share",
    "hhi_provider",
    "runs_on_time",
    "runs_total",
)
#: lines of cash that sentences use.
LINES = ("commitment",)
#: what a simulation of the same world may differ by, as a share and in the figure's own unit.
CLOSE, LEAST = 1e-5, 1e-6


def figures_of(name: str, results: Results, flips: tuple[FlipFound, ...] = ()) -> Figures:
    """What the sentences of a study need of its finished comparison."""
    plan = results.plan
    strategies = load_study(f"news/{name}").study.strategies
    shares = {s: float(strategies[s].share or 1.0) for s in plan.strategies if strategies[s].share}
    values = {
        (case, s): {
            **{metric: results.metric(metric, s, case) for metric in METRICS},
            **{line: results.cash(line, s, case) for line in LINES},
        }
        for case in plan.cases
        for s in plan.strategies
    }
    worlds = predictions(results, shares["announced"]) if name == "backtest-2025" else {}
    return Figures(values, flips, shares, worlds)


def differences(recorded: Figures, simulated: Figures) -> Iterator[str]:
    """What differs in the worlds that both have, one line each."""
    for (case, strategy), columns in simulated.values.items():
        before = recorded.values.get((case, strategy))
        if before is None:
            yield f"{strategy} in case {case} is not recorded"
            continue
        for name, values in columns.items():
            if name not in before:
                yield f"`{name}` is not recorded"
            for run, value in enumerate(values):
                if name in before and not _same(float(before[name][run]), float(value)):
                    yield (
                        f"{strategy}, case {case}, run {run}: {name} was {before[name][run]:.7g} and is "
                        f"{value:.7g}"
                    )


def _same(before: float, now: float) -> bool:
    both = math.isnan(before) and math.isnan(now)
    return both or bool(np.isclose(now, before, rtol=CLOSE, atol=LEAST))
