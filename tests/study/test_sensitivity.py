"""Which inputs count as weak, and how their movement is told; trials are made up, results are real."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.report.numbers import scale_for
from capsim.report.sensitivity import sensitivity_json, sensitivity_report, sentence
from capsim.results.reading import Results
from capsim.study.sensitivity import Movement, Sensitivity, sensitivity, weak_inputs
from capsim.study.session import perform
from capsim.study.setup import Request, Setup, set_up
from capsim.study.statistics import mean
from capsim.study.trials import Trial

PAIR = ("big-cloud", "new-cloud")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Setup, Results]:
    setup = set_up(Request("quickstart", strategies=PAIR, runs=3))
    quiet = lambda count: contextlib.nullcontext(lambda done: None)  # noqa: E731
    out = tmp_path_factory.mktemp("runs") / "run"
    return setup, perform(setup, command="", progress=quiet, out=out, resume=False, workers=1).results


class MadeUp:
    """Totals that follow from one input alone: a repair hour costs big-cloud a thousand dollars."""

    def __init__(self, input_name: str, usd: float) -> None:
        self.input_name, self.usd, self.simulated, self.workers = input_name, usd, 0, 2
        self.asked: list[int] = []

    def lacking(self, trials: Sequence[Trial], runs: int) -> int:
        return runs * len(set(trials))

    def totals(self, trials: Sequence[Trial], runs: int) -> dict[Trial, Any]:
        self.asked.append(runs)
        return {trial: self._total(trial) + np.arange(runs, dtype=float) for trial in trials}

    def _total(self, trial: Trial) -> float:
        changes = [value for path, value in trial.changes if path.endswith(self.input_name)]
        return self.usd * changes[0] if changes and trial.strategy == "big-cloud" else 0.0


def found_with(compared: tuple[Setup, Results], usd: float) -> tuple[Sensitivity, MadeUp]:
    setup, results = compared
    made_up = MadeUp("repair_sigma", usd)
    return sensitivity(setup, results, made_up), made_up  # type: ignore[arg-type]


def test_weak_inputs_are_those_that_can_move(compared: tuple[Setup, Results]) -> None:
    setup, _ = compared
    held = [setup.prepared[name, "base"] for name in PAIR]
    found = {one.knob.path: one for one in weak_inputs(setup.loaded["base"].study, held)}
    failures = found["systems.*.reliability.failures_per_1000_chip_days"]
    assert failures.ranged
    assert len(failures.knob.leaves) == 2, "the same number of both systems is one assumption"
    peak = found["demand.inference.chat.shape.peak_hour"]
    assert (peak.low, peak.high) == (15.0, 24.0), "a quarter of 20, as far as a day goes"
    assert not any(path.startswith("models.") for path in found)
    assert not any("slip_cost" in path or "value_lost" in path or path.endswith(".node") for path in found)


def test_a_simulated_input_moves_the_lead_of_the_comparison(compared: tuple[Setup, Results]) -> None:
    found, made_up = found_with(compared, 1e9)
    assert (found.first, found.second) == ("new-cloud", "big-cloud")
    first = found.movements[0]
    assert first.label.endswith("repair_sigma")
    assert first.runs == 3
    # 1.2 is moved by 25 %, to 0.9 and 1.5, at a billion a unit for the runner-up
    assert first.lead == pytest.approx((found.lead + 0.9e9, found.lead + 1.5e9))
    assert first.total == (0.0, 0.0)
    assert first.half == pytest.approx((0.0, 0.0))
    assert made_up.asked == [1, 3]


def test_an_input_moves_no_further_than_the_study_stays_valid(tmp_path: Path) -> None:
    """Credited 50 months after delivery, by 25 % more 62.5: a contract of 60 months has ended by then."""
    change = "offers.new-cloud.prepay.credited_after={value: 50mo, confidence: assumed}"
    setup = set_up(Request("quickstart", sets=(change,), strategies=PAIR, runs=1))
    quiet = lambda count: contextlib.nullcontext(lambda done: None)  # noqa: E731
    out = tmp_path / "run"
    results = perform(setup, command="", progress=quiet, out=out, resume=False, workers=1).results
    found = sensitivity(setup, results, MadeUp("nothing", 0.0))  # type: ignore[arg-type]
    (moved,) = [m for m in found.movements if m.label == "offers.new-cloud.prepay.credited_after"]
    month = 365.25 / 12
    assert moved.shown.startswith(f"{37.5 * month:.4g} d..")
    assert float(moved.shown.partition("..")[2].partition(" d")[0]) == pytest.approx(60 * month, rel=1e-3)


def test_prices_are_exact_and_carry_no_runs(compared: tuple[Setup, Results]) -> None:
    found, _ = found_with(compared, 0.0)
    exact = {movement.label: movement for movement in found.movements if movement.runs == 0}
    price = exact["price of new-cloud"]
    # a quarter more for the first strategy is a quarter less of lead
    assert price.lead[0] - found.lead == pytest.approx(-price.total[0])
    assert price.total[1] == pytest.approx(-price.total[0])
    assert all(movement.span == 0 for movement in found.movements if movement.runs)


@pytest.mark.parametrize("width", [80, 120])
def test_the_sentence_follows_the_movements(compared: tuple[Setup, Results], width: int) -> None:
    context = compared[0].context

    def text(usd: float) -> str:
        lines = sensitivity_report(found_with(compared, usd)[0], context, width, False)
        assert max(len(line.text) for line in lines) <= width
        return " ".join(" ".join(line.text for line in lines).split())

    assert "systems.*.reliability.repair_sigma" in text(1e9)
    assert "turns clearly within the range of" in text(-1e9)
    assert (
        "repair_sigma" in text(-1e9).partition("turns clearly within the range of")[2].partition("input")[0]
    )
    assert "repair_sigma" not in text(1e9).partition("input")[0]


def moved(label: str, lead: tuple[float, float], half: float, runs: int = 0) -> Movement:
    return Movement(label, "", True, (0.0, 0.0), lead, (half, half), (half, half), runs)


@pytest.mark.parametrize(
    ("half", "movements", "said"),
    [
        (2.0, [], "a leads b by $9.0B ±2.0. No weak input turns the order within its range."),
        (math.nan, [moved("p", (-4.0, 9.0), math.nan)], "a leads b by $9.0B (one run: no interval). It turns by the mean alone within the range of p."),
        (
            2.0,
            [moved("p", (-4.0, 9.0), 3.0), moved("q", (9.0, -1.0), 3.0), moved("r", (8.0, 2.0), 2.5), moved("one", (-50.0, 9.0), math.nan, 1)],
            "a leads b by $9.0B ±2.0. The order turns clearly within the range of p. It turns by the mean alone"
            " within the range of q. The two can no longer be told apart within the range of r.",
        ),
        (
            9.5,
            [moved("r", (8.0, 2.0), 9.9)],
            "a leads b by $9.0B ±9.5, which cannot be told from 0. No weak input turns the order within its range.",
        ),
        (2.0, [moved(str(i), (-9.0, 2.5), 1.0) for i in range(7)], "a leads b by $9.0B ±2.0. The order turns clearly within the range of 0, 1, 2, 3, 4 and 2 more."),
    ],
)  # fmt: skip
def test_the_sentence_says_how_surely_the_order_turns(
    half: float, movements: list[Movement], said: str
) -> None:
    in_usd = [
        dataclasses.replace(
            m,
            lead=(1e9 * m.lead[0], 1e9 * m.lead[1]),
            lead_half=(1e9 * m.lead_half[0], 1e9 * m.lead_half[1]),
        )
        for m in movements
    ]
    found = Sensitivity("a", "b", "base", 9e9, 1e9 * half, tuple(in_usd), 0, 0, 0)
    assert sentence(found, scale_for(50e9)) == said


def test_an_exact_lead_has_the_interval_of_its_runs(compared: tuple[Setup, Results]) -> None:
    """A quarter more for new-cloud's chips, in every run: the paired difference of the runs as they would be."""
    found, _ = found_with(compared, 0.0)
    results = compared[1]
    totals = {name: results.metric("total_npv", name, "base") for name in PAIR}
    (price,) = [movement for movement in found.movements if movement.label == "price of new-cloud"]
    cash = results.table("cash", "base", "new-cloud", offer="new-cloud")
    rent = np.bincount(cash["run"], weights=cash["npv"], minlength=3)
    expected = mean(totals["big-cloud"] - totals["new-cloud"] - 0.25 * rent)
    assert (price.lead[1], price.lead_half[1]) == pytest.approx((expected.value, expected.half))
    assert found.half == pytest.approx(mean(totals["big-cloud"] - totals["new-cloud"]).half)


def test_json(compared: tuple[Setup, Results], tmp_path: Path) -> None:
    found = found_with(compared, 1e9)[0]
    record = json.loads(sensitivity_json(found, compared[0].context))
    assert record["movements"][0]["how"] == "simulated"
    assert record["lead"] == found.lead


def test_one_assumption_about_several_services_is_moved_once() -> None:
    from capsim.spec.loader import read_study

    study = read_study("frontier-lab").resolve("base").study
    found = {one.knob.path: one for one in weak_inputs(study, [])}
    assert len(found["demand.inference.*.headroom"].knob.leaves) > 1
    tokens = found["demand.inference.chat.tokens"].knob
    assert len(tokens.leaves) == 5
    # all dates move in the same proportion
    assert list(tokens.changes(2 * tokens.value).values()) == [
        2 * number for number in tokens.leaves.values()
    ]
    assert not any(path.startswith("porting") for path in found), "nothing is held, no stack is ported"


def test_it_is_said_beforehand_how_much_will_be_simulated(compared: tuple[Setup, Results]) -> None:
    setup, results = compared
    said: list[str] = []
    made_up = MadeUp("repair_sigma", 1e9)
    sensitivity(setup, results, made_up, said.append)  # type: ignore[arg-type]
    count = len(
        list(weak_inputs(setup.loaded["base"].study, [setup.prepared[name, "base"] for name in PAIR]))
    )
    # both ends of each for two strategies, and the study as it is; the eight in two more worlds
    seconds = np.mean([results.metric("seconds", name, "base") for name in PAIR]) / 2  # two workers
    text = (
        f"{count} weak inputs at both ends: {4 * count + 2} runs to simulate; then up to {34 * 2} for the 8"
    )
    length = f"{(4 * count + 2 + 34 * 2) * seconds:.0f} s"
    assert said == [f"{text} that move most; about {length} in all, as fast as the comparison"]
