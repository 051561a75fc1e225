"""Price paths: published means, regimes, markets that follow, newer chips, power; by statistics and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.control.price_paths import expected_path, price_path
from capsim.control.world import Draws
from capsim.errors import StudyError
from capsim.spec.loader import load_study
from capsim.spec.markets import Market
from tests.studies import booked, contract_only, lived, small_study, write_study

WORLDS = 1500
#: 1-year H100 contracts, from the design's built-in study (secondary sources)
H100 = """
markets:
  h100-1y:
    start: $1.70/h
    state: glut
    volatility: 25%
    regimes: {glut: {drift: -20%/y, leave: 15%/q}, shortage: {drift: 40%/y, leave: 25%/q}}
    mean: {2025-10: $1.70/h, 2026-03: $2.35/h, 2026-06: $2.65/h}
strategies: {s: {}}
"""


def paths(tmp_path: Path, text: str, name: str, worlds: int = WORLDS) -> Any:
    """A market's path in many worlds, shape (worlds, months)."""
    prepared = contract_only(small_study(tmp_path, text))
    return np.array([Draws(prepared.study, prepared.calendar, run).market(name) for run in range(worlds)])


def test_the_mean_over_worlds_is_what_is_published(tmp_path: Path) -> None:
    found = paths(tmp_path, H100, "h100-1y") * 1.70
    error = found.std(axis=0) / np.sqrt(len(found))
    # $1.70 on 2026-01-01, $2.35 on 03-01, $2.65 on 06-01; on 02-01, 31 of 59 days: 1.70 x (2.35 / 1.70)^(31/59)
    for month, price in ((0, 1.70), (1, 1.70 * (2.35 / 1.70) ** (31 / 59)), (2, 2.35), (5, 2.65)):
        assert abs(found[:, month].mean() - price) < 4 * error[month] + 1e-9
    assert found[:, 5].std() > 0.1
    # afterwards nothing is published: the regimes drift on from there
    regimes = load_study(tmp_path / "study.yaml").study.markets["h100-1y"]
    mean = expected_path(regimes, 24)
    assert abs(found[:, 17].mean() - 2.65 * mean[17] / mean[5]) < 4 * error[17]


def test_regimes_last_as_long_and_drift_as_they_say() -> None:
    market = Market.model_validate({
        "start": "$2/h", "state": "glut", "volatility": "0%",
        "regimes": {"glut": {"drift": "-20%/y", "leave": "15%/q"}, "shortage": {"drift": "40%/y", "leave": "30%/q"}},
    })  # fmt: skip
    steps = np.diff([np.log(price_path(market, 121, (run, "m"))) for run in range(400)], axis=1)
    glut = np.isclose(steps, np.log(0.8) / 12)
    assert (glut | np.isclose(steps, np.log(1.4) / 12)).all()
    left = (glut[:, :-1] & ~glut[:, 1:]).sum() / glut[:, :-1].sum()
    assert left == pytest.approx(1 - 0.85 ** (1 / 3), rel=0.1)
    back = (~glut[:, :-1] & glut[:, 1:]).sum() / (~glut[:, :-1]).sum()
    assert back == pytest.approx(1 - 0.7 ** (1 / 3), rel=0.1)
    # the long-run share of glut is back / (left + back)
    share = (1 - 0.7 ** (1 / 3)) / (2 - 0.85 ** (1 / 3) - 0.7 ** (1 / 3))
    assert glut[:, 60:].mean() == pytest.approx(share, rel=0.05)


def test_the_expected_path_is_exact() -> None:
    market = Market.model_validate({
        "start": "$2/h", "state": "a", "volatility": "30%",
        "regimes": {"a": {"drift": "-20%/y", "leave": "100%/q"}, "b": {"drift": "50%/y", "leave": "0%/q"}},
    })  # fmt: skip
    # one month of a, then b for good: (0.8 x 1.5^(m - 1))^(1/12) x exp(0.09 m / 24)
    growth = np.exp(0.09 / 24)
    by_hand = [1.0, 0.8 ** (1 / 12) * growth, (0.8 * 1.5) ** (1 / 12) * growth**2]
    assert expected_path(market, 3) == pytest.approx(by_hand)


def test_spot_follows_contracts(tmp_path: Path) -> None:
    text = """
markets:
  contract: {start: $2/h, state: a, volatility: 20%, regimes: {a: {drift: 0%/y, leave: 10%/q}, b: {drift: 0%/y, leave: 10%/q}}}
  spot: {start: $1/h, state: a, volatility: 60%, regimes: {a: {drift: 0%/y, leave: 10%/q}, b: {drift: 0%/y, leave: 10%/q}},
         follows: {market: contract, correlation: 70%}}
strategies: {s: {}}
"""
    lead, spot = (
        np.diff(np.log(paths(tmp_path, text, name, 300)), axis=1).ravel() for name in ("contract", "spot")
    )
    assert np.corrcoef(lead, spot)[0, 1] == pytest.approx(0.7, abs=0.02)
    assert spot.std() == pytest.approx(0.6 / np.sqrt(12), rel=0.03)
    # the turns are the leader's: without noise, and with its own drifts, the same months are of one regime
    calm = text.replace("20%,", "0%,").replace("60%,", "0%,").replace("b: {drift: 0%/y", "b: {drift: 30%/y")
    lead, spot = (np.diff(np.log(paths(tmp_path, calm, name, 50)), axis=1) for name in ("contract", "spot"))
    assert (lead > 0).any() and ((lead > 0) == (spot > 0)).all()


def test_newer_chips_bound_what_older_ones_are_worth(tmp_path: Path) -> None:
    text = """
markets:
  old: {start: $2/h, state: a, volatility: 0%, regimes: {a: {drift: 0%/y, leave: 0%/q}},
        newer: [{from: 2026-07-01, price: $3/h, work: 2}, {from: 2027-01-01, price: $4/h, work: 5, phase: 365d}]}
strategies: {s: {}}
"""
    found = 2 * paths(tmp_path, text, "old", 1)[0]
    # $2 until July; then $3 / 2; from 2027 on towards $4 / 5 = $0.80: half-way (in logs) after 182.5 days
    assert found[:6] == pytest.approx([2.0] * 6)
    assert found[6:13] == pytest.approx([1.5] * 7)
    assert found[18] == pytest.approx(1.5 * (0.8 / 1.5) ** (181 / 365))  # 2027-07-01
    assert (np.diff(found[12:]) < 0).all()


def test_bought_chips_are_worth_what_newer_ones_leave(tmp_path: Path) -> None:
    text = """
markets:
  m: {start: $2/h, state: a, volatility: 0%, regimes: {a: {drift: 0%/y, leave: 0%/q}},
      newer: [{from: 2027-01-01, price: $3/h, work: 3}]}
offers:
  o: {provider: p, kind: purchase, status: signed, chips: {gb200_nvl72: 100%}, quantity: {min: 7200, max: 7200, lot: 72},
      price: {per_chip: $30k}, tranches: [{at: 2026-01-01, share: 100%}], market: m, residual_per_year: 0%, MOVES}
strategies: {s: {hold: {o: 7200}, resell: [{offer: o, from: 2027-02-01, share: 50%}]}}
"""
    value = 7200 * 30e3
    moved = booked(
        lived(contract_only(small_study(tmp_path, text.replace("MOVES", "residual_market: true"))))
    )
    # half sold in February 2027 at $30k x $1 / $2, the other half is worth the same at the end
    assert moved.nominal("o", "resale") == pytest.approx(-value / 4)
    assert moved.nominal("o", "salvage") == pytest.approx(-value / 4)
    plain = booked(lived(contract_only(small_study(tmp_path, text.replace(", MOVES", "")))))
    assert plain.nominal("o", "salvage") == pytest.approx(-value / 2)


POWER = """
power_markets:
  hub: {mean: $60/MWh, start: $80/MWh, reversion: 3/y, volatility: %s, season: {amplitude: 20%%, peak_month: 7}, drift: 10%%/y}
offers:
  o: {provider: p, kind: purchase, status: signed, chips: {gb200_nvl72: 100%%}, quantity: {min: 7200, max: 7200, lot: 72},
      price: {per_chip: $30k}, tranches: [{at: 2026-01-01, share: 100%%}],
      power: {site: x, pue: 1.2}, power_pass_through: {strike: $0/MWh, market: hub, load: 80%%}}
strategies: {s: {hold: {o: 7200}}}
"""


def seasonal(month: int, days: int) -> float:
    """Mean price of power on the first of a month, `days` after the start, $/MWh."""
    years = days / 365.25
    season = 1 + 0.2 * np.cos(2 * np.pi * (month - 7) / 12)
    return float(60 * 1.1**years * (80 / 60) ** np.exp(-3 * years) * season)


def test_own_chips_pay_for_power_month_by_month(tmp_path: Path) -> None:
    ctx = lived(contract_only(small_study(tmp_path, POWER % "0%")))
    lot = ctx.prepared.portfolio.lots[0]
    # January at $80 x (1 - 0.2), July at the summer's peak: 181 days later
    assert seasonal(1, 0) == pytest.approx(64.0)
    usd = booked(ctx).usd["o", "power"]
    mwh = 31 * 24 * 7200 * lot.kw * 1.2 * 0.8 / 1000
    assert usd[0] == pytest.approx(mwh * 64.0)
    assert usd[6] == pytest.approx(mwh * seasonal(7, 181))
    assert len({usd[i] for i in (0, 12)}) == 2


def test_power_returns_to_its_mean(tmp_path: Path) -> None:
    prepared = contract_only(small_study(tmp_path, POWER % "50%"))
    found = np.array([Draws(prepared.study, prepared.calendar, run).power("hub") for run in range(WORLDS)])
    error = found.std(axis=0) / np.sqrt(WORLDS)
    for month, (calendar_month, days) in {0: (1, 0), 6: (7, 181), 18: (7, 546)}.items():
        assert abs(found[:, month].mean() - seasonal(calendar_month, days)) < 4 * error[month] + 1e-9
    # stationary variance of the log: 0.5^2 / (2 x 3); after a year it is 1 - exp(-6) of that
    logs = np.log(found)
    assert logs[:, 18].var() == pytest.approx(0.25 / 6, rel=0.1)
    # a month keeps exp(-3 / 12) of a deviation
    assert np.corrcoef(logs[:, 18], logs[:, 19])[0, 1] == pytest.approx(np.exp(-0.25), abs=0.05)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("markets: {a: {start: $1/h, state: x, volatility: 0%, regimes: {x: {drift: 0%/y, leave: 0%/q}}, "
         "follows: {market: b, correlation: 50%}}}", "there is no market `b`"),
        ("markets: {a: {start: $1/h, state: x, volatility: 0%, regimes: {x: {drift: 0%/y, leave: 0%/q}}, "
         "follows: {market: a, correlation: 50%}}}", "follows a market that follows one"),
        ("markets: {a: {start: $0/h, state: x, volatility: 0%, regimes: {x: {drift: 0%/y, leave: 0%/q}}, "
         "mean: {2026: $1/h}}}", "mean price is 0"),
        (POWER.replace("market: hub", "market: hob") % "0%", "did you mean `hub`"),
        (POWER.replace("market: hub", "price: $50/MWh, market: hub") % "0%", "price"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, text: str, told: str) -> None:
    more = "" if "strategies" in text else "\nstrategies: {s: {}}"
    with pytest.raises(StudyError) as error:
        load_study(write_study(tmp_path, text + more))
    assert told in str(error.value)
