"""Draws of a world: delays and their correlation, conversion, outages, prices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.price_paths import price_path
from capsim.control.world import Draws, delay_quantile
from capsim.spec.contract_delivery import DelayStep
from capsim.spec.study import Market, Study
from tests.studies import contract_only, small_study

PAIR = """
offers:
  a: &offer
    {provider: p, kind: cloud, status: signed, chips: {gb200_nvl72: 100%}, quantity: {min: 72, max: 720, lot: 72}, term: 5y,
     tranches: [{at: 2026-07-01, share: 100%}], price: {per_chip_hour: $2/h},
     delivery: {factor: grid, delay: [{by: 0q, p: 50%}, {by: 1q, p: 30%}, {by: 2q, p: 20%}]},
     reliability: {site_outages: {rate: 2/y, duration: 6 h}}}
  b: *offer
uncertainty: {factors: {grid: {correlation: CORRELATION}}, conversion: {signed: 60%}}
strategies: {s: {hold: {a: max, b: max}}, t: {hold: {b: max}}}
"""


def pair(tmp_path: Path, correlation: str) -> Study:
    return small_study(tmp_path, PAIR.replace("CORRELATION", correlation))


def delays(study: Study, runs: int) -> np.ndarray:
    prepared = contract_only(study)
    found = []
    for run in range(runs):
        draws = Draws(study, prepared.calendar, run)
        found.append([draws.delay(lot) for lot in prepared.portfolio.lots])
    return np.array(found)


def test_delay_quantiles() -> None:
    steps = [DelayStep.model_validate({"by": by, "p": p}) for by, p in (("0q", "50%"), ("1q", "50%"))]
    quarter = int(steps[1].by)
    assert [delay_quantile(steps, u) for u in (0.0, 0.5, 0.51, 1.0)] == [0, 0, quarter, quarter]


def test_the_same_factor_with_correlation_one_gives_the_same_delay(tmp_path: Path) -> None:
    found = delays(pair(tmp_path, "100%"), 200)
    assert (found[:, 0] == found[:, 1]).all()
    assert len(set(found[:, 0])) == 3


def test_delays_have_their_distribution_and_half_correlation_shows(tmp_path: Path) -> None:
    found = delays(pair(tmp_path, "50%"), 3000)
    assert (found[:, 0] == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (found[:, 0] > 100 * MS_DAY).mean() == pytest.approx(0.2, abs=0.025)
    assert 0.25 < np.corrcoef(found.T)[0, 1] < 0.55
    free = delays(pair(tmp_path, "0%"), 3000)
    assert abs(np.corrcoef(free.T)[0, 1]) < 0.05


def test_two_strategies_see_the_same_world(tmp_path: Path) -> None:
    study = pair(tmp_path, "50%")
    one, two = contract_only(study, "s"), contract_only(study, "t")
    lot_one = next(lot for lot in one.portfolio.lots if lot.offer == "b")
    lot_two = next(lot for lot in two.portfolio.lots if lot.offer == "b")
    for run in range(30):
        draws = Draws(study, one.calendar, run)
        again = Draws(study, two.calendar, run)
        assert draws.delay(lot_one) == again.delay(lot_two)
        assert draws.converts("b") == again.converts("b")
        assert draws.outages("b") == again.outages("b")


def test_conversion_and_outages_have_their_rates(tmp_path: Path) -> None:
    study = pair(tmp_path, "50%")
    calendar = contract_only(study).calendar
    worlds = [Draws(study, calendar, run) for run in range(2000)]
    assert np.mean([w.converts("a") for w in worlds]) == pytest.approx(0.6, abs=0.035)
    outages = [w.outages("a") for w in worlds]
    assert np.mean([len(o) for o in outages]) == pytest.approx(4.0, rel=0.05)
    lengths = [(end - begin) / 3.6e6 for o in outages for begin, end in o]
    assert np.mean(lengths) == pytest.approx(6.0, rel=0.05)
    assert all(o[i][1] <= o[i + 1][0] for o in outages for i in range(len(o) - 1))


def test_a_price_path_starts_at_one_and_drifts() -> None:
    market = Market.model_validate(
        {
            "start": "$2/h",
            "state": "up",
            "volatility": "0%",
            "regimes": {"up": {"drift": "21%/y", "leave": "0%/q"}},
        }
    )
    path = price_path(market, 25, (1, "m"))
    assert path[0] == 1.0
    assert path[12] == pytest.approx(1.21)
    assert path[24] == pytest.approx(1.4641)


def test_regimes_are_left_at_their_rate() -> None:
    market = Market.model_validate(
        {
            "start": "$2/h",
            "state": "up",
            "volatility": "0%",
            "regimes": {
                "up": {"drift": "10%/y", "leave": "20%/q"},
                "down": {"drift": "-10%/y", "leave": "0%/q"},
            },
        }
    )
    left = [float(np.argmax(np.diff(price_path(market, 120, (run, "m"))) < 0)) for run in range(2000)]
    # geometric with 1 - 0.8^(1/3) = 7.17 % a month: 13.4 months at the mean up to the change
    assert np.mean(left) == pytest.approx(13.4, rel=0.06)
