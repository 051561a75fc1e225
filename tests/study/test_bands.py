"""The bands that worlds draw from: the models' own errors, one factor a system and kind for all strategies."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import permutations
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from capsim.control.world import Draws, RateKind
from capsim.engine.build import Run
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate_built
from capsim.spec.loader import Loaded, load_study
from capsim.study.bands import Band, bands
from capsim.workload.fidelity import fidelity
from capsim.workload.measurements import read_table


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
    assert one.rate_error("gb200_nvl72", "serving", 0.3) != one.rate_error("gb200_nvl72", "training", 0.3)
    fixed = load(root, "uncertainty.rates=0%").study
    assert Draws(fixed, prepared.calendar, 0).rate_error("gb200_nvl72", "training", 0.3) == 1.0


def test_errors_of_two_systems_share_a_part(root: Path) -> None:
    """The correlation is the study's, by kind; the variance stays that of the band."""
    calendar = prepare(load(root), "big-cloud").calendar

    def logs(kind: RateKind, *sets: str) -> NDArray[np.float64]:
        study = load(root, *sets).study
        draws = [Draws(study, calendar, run) for run in range(2000)]
        systems = ("gb200_nvl72", "trn2_ultraserver")
        return np.array([[math.log(d.rate_error(s, kind, 0.3)) for d in draws] for s in systems])

    for kind, expected in (("training", 0.56), ("serving", 0.11)):
        found = logs(kind)
        assert np.corrcoef(found)[0, 1] == pytest.approx(expected, abs=0.06)
        assert found.std(axis=1) == pytest.approx(0.3, rel=0.05)
    same = logs("serving", "uncertainty.rate_correlation.serving=100%")
    assert np.array_equal(same[0], same[1])


@pytest.mark.shared
def test_the_correlation_is_that_of_the_leave_one_out_errors(shared: Path, root: Path) -> None:
    """Intraclass correlation: of the mean log errors of a publisher's model on two chips."""
    spec = load(root).study.uncertainty.rate_correlation
    assert shared_error("training", shared / "truth" / "training.csv", "tflops_chip") == pytest.approx(
        float(spec.training), abs=0.05
    )
    assert shared_error(
        "inference", shared / "truth" / "inference_measured.csv", "out_tok_s_chip"
    ) == pytest.approx(float(spec.serving), abs=0.05)


def shared_error(kind: Literal["training", "inference"], table: Path, measure: str) -> float:
    """Mean product of the errors of pairs of chips in a (publisher, model), over the mean square."""
    rows = {row.number: row for row in read_table(table)}
    errors: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for p in fidelity(kind, table)["predictions"]:
        if p["measure"] == measure:
            row = rows[p["line"]]
            key = (row.text("group") or row.text("source").split("@")[0].split(" ")[0], row.text("model"))
            errors[key][row.text("chip")].append(math.log(p["predicted"] / p["measured"]))
    means = [[float(np.mean(e)) for e in chips.values()] for chips in errors.values() if len(chips) > 1]
    pairs = [(x * y, 1 / (len(m) - 1)) for m in means for x, y in permutations(m, 2)]
    together = np.average([p for p, _ in pairs], weights=[w for _, w in pairs])
    return float(together / np.mean([x * x for m in means for x in m]))


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
    assert replaced[0] == Band("training", 0.15, 0.15, training.system, True, 0.56)
    told = "training rates ±16 % (uncertainty.rates), drawn in every world, correlation of systems 0.56"
    assert replaced[0].words() == told
