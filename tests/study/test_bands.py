"""The bands that worlds draw from: the models' own errors, one factor a system and kind for all strategies."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from capsim.control.world import Draws
from capsim.engine.build import Run
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate_built
from capsim.spec.loader import Loaded, load_study
from capsim.study.bands import Band, bands


def load(root: Path, *sets: str) -> Loaded:
    return load_study(root / "configs" / "quickstart.yaml", sets=sets)


def test_without_a_figure_the_models_own_errors_are_drawn(root: Path) -> None:
    loaded = load(root)
    prepared = prepare(loaded, "big-cloud")
    draws = [Draws(loaded.study, prepared.calendar, run) for run in range(400)]
    logs = np.array([math.log(d.rate_error("gb200_nvl72", "training", 0.3)) for d in draws])
    assert logs.mean() == pytest.approx(0.0, abs=0.05) and logs.std() == pytest.approx(0.3, rel=0.1)
    # the same world has the same score whatever the band, another for another kind or system
    one = draws[0]
    assert math.log(one.rate_error("gb200_nvl72", "training", 0.6)) == pytest.approx(2 * logs[0])
    assert one.rate_error("gb200_nvl72", "inference", 0.3) != one.rate_error("gb200_nvl72", "training", 0.3)
    fixed = load(root, "uncertainty.rates=0%").study
    assert Draws(fixed, prepared.calendar, 0).rate_error("gb200_nvl72", "training", 0.3) == 1.0


def test_strategies_share_the_errors_of_a_world(root: Path) -> None:
    loaded = load(root)

    def speed(strategy: str) -> dict[str, tuple[float, float]]:
        run: Run = simulate_built(prepare(loaded, strategy), 1)[0]
        found = {}
        for p, place in enumerate(run.ctx.places()):
            nominal = run.ctx.prepared.rates.services["chat", place.system].tokens
            found[place.system] = (run.ctx.research_speed[p], float(run.tokens[0, p]) / nominal)
        return found

    first, second = speed("big-cloud"), speed("new-cloud")
    for system in first.keys() & second.keys():
        assert first[system] == pytest.approx(second[system])
        assert first[system][1] != 1.0


def test_bands_name_the_widest_system(root: Path) -> None:
    loaded = load(root)
    rates = [prepare(loaded, strategy).rates for strategy in loaded.study.strategies]
    training, serving = bands(loaded.study, rates)
    widest = max(rate.log_error for one in rates for rate in one.services.values())
    assert (serving.kind, serving.most, serving.given) == ("serving", widest, False)
    assert training.least <= training.most and not training.given
    assert serving.words().startswith("serving rates ±")
    assert "leave-one-out; widest" in serving.words()
    replaced = bands(load(root, "uncertainty.rates=15%").study, rates)
    assert replaced[0] == Band("training", 0.15, 0.15, training.system, True)
    assert replaced[0].words() == "training rates ±16 % (uncertainty.rates), drawn in every world"
