"""Each contract term with a figure computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context
from capsim.engine.billing import Ledger, owed_after
from tests.engine.billing.booking import booked, offer
from tests.studies import contract_only, small_study


def test_rent_is_chips_times_hours_times_price(tmp_path: Path) -> None:
    ledger, _ = booked(tmp_path, offer("{per_chip_hour: $2/h}"))
    # 7,200 chips x 17,520 h x $2 = $252,288,000
    assert ledger.nominal("o", "commitment") == pytest.approx(252_288_000.0)
    assert ledger.npv() == pytest.approx(252_288_000.0)  # the rate is 0


def test_a_total_is_spread_over_the_term(tmp_path: Path) -> None:
    ledger, _ = booked(tmp_path, offer("{total: $1B}"))
    # 5 y = 43,830 h; two of them lie in the horizon: 1e9 x 17,520 / 43,830 = $399,726,215
    assert ledger.nominal("o", "commitment") == pytest.approx(399_726_214.9)


def test_take_or_pay_below_one_pays_for_what_was_used_if_that_is_more(tmp_path: Path) -> None:
    text = offer("{per_chip_hour: $2/h}", ", take_or_pay: {share: 60%}")
    low, _ = booked(tmp_path, text, used=0.3)
    high, _ = booked(tmp_path, text, used=0.9)
    assert low.nominal() == pytest.approx(0.6 * 252_288_000)
    assert high.nominal() == pytest.approx(0.9 * 252_288_000)


def test_prepayment_is_due_before_delivery_and_drawn_down_after_its_months(tmp_path: Path) -> None:
    text = offer("{per_chip_hour: $2/h}", ", prepay: {share: 5%, before: 0d, credited_after: 365d}")
    ledger, _ = booked(tmp_path, text)
    # 5 % of 7,200 x 43,830 h x $2 = $31,557,600, paid in the first month
    assert ledger.usd["o", "prepayment"][0] == pytest.approx(31_557_600.0)
    # drawn down from 2027-01-01: a month of rent is 7,200 x 744 x 2 = $10,713,600, so it is used up in the third
    drawn = -ledger.usd["o", "drawdown"]
    assert drawn[11] == 0.0
    assert drawn[12] == pytest.approx(10_713_600.0)
    assert drawn.sum() == pytest.approx(31_557_600.0)
    # in all it changes when, not how much
    assert ledger.nominal() == pytest.approx(252_288_000.0)


def test_a_prepayment_not_yet_drawn_down_is_an_asset_at_the_end(tmp_path: Path) -> None:
    text = offer("{per_chip_hour: $2/h}", ", prepay: {share: 5%, before: 0d, credited_after: 700d}")
    ledger, _ = booked(tmp_path, text)
    # 30 of the 730 days are left for the draw-down: 7,200 x 720 h x $2 = $10,368,000 of $31,557,600
    assert -ledger.usd["o", "drawdown"].sum() == pytest.approx(10_368_000.0)
    assert ledger.nominal("o", "undrawn") == pytest.approx(-(31_557_600.0 - 10_368_000.0))


def test_delay_credit(tmp_path: Path) -> None:
    text = offer("{per_chip_hour: $2/h}", ", delivery: {remedy: {credit_per_day: 10%}}")

    def late(ctx: Context) -> None:
        state = next(iter(ctx.lots.values()))
        state.delay, state.delivered = 30 * MS_DAY, 30 * MS_DAY

    ledger, _ = booked(tmp_path, text, late)
    # 10 % of a day's rent (7,200 x 24 x $2 = $345,600) for 30 days = $1,036,800
    assert ledger.nominal("o", "credit") == pytest.approx(-1_036_800.0)
    assert ledger.nominal("o", "commitment") == pytest.approx(252_288_000.0 - 30 * 345_600)


def test_take_or_pay_from_the_date_pays_while_late(tmp_path: Path) -> None:
    text = offer("{per_chip_hour: $2/h}", ", take_or_pay: {share: 100%, starts: on_date}")

    def late(ctx: Context) -> None:
        state = next(iter(ctx.lots.values()))
        state.delay, state.delivered = 30 * MS_DAY, 30 * MS_DAY

    ledger, _ = booked(tmp_path, text, late)
    assert ledger.nominal("o", "commitment") == pytest.approx(252_288_000.0)


def test_a_terminated_tranche_pays_nothing_and_gets_its_prepayment_back(tmp_path: Path) -> None:
    text = offer(
        "{per_chip_hour: $2/h}",
        ", prepay: {share: 5%, before: 0d, credited_after: 365d}, delivery: {remedy: {terminate_after: 90d}}",
    )

    def left(ctx: Context) -> None:
        state = next(iter(ctx.lots.values()))
        state.status, state.delivered = "terminated", -1

    ledger, ctx = booked(tmp_path, text, left)
    assert ledger.nominal("o", "commitment") == 0.0
    assert ledger.nominal() == pytest.approx(0.0)
    assert ledger.usd["o", "drawdown"][3] == pytest.approx(-31_557_600.0)  # 90 days on: April
    assert owed_after(ctx, 100 * MS_DAY, ledger) == {}


HALVES = "tranches: [{at: 2026-01-01, share: 50%}, {at: 2026-01-02, share: 50%}]"


@pytest.mark.parametrize(
    ("status", "minimum", "missing"),
    [
        # two halves, each 3,600 x 43,830 h x $2 = $315,576,000; 70 % of both are $441,806,400
        ("delivered", "70%", 441_806_400.0),
        # one was left because it was too late: 70 % of the other
        ("terminated", "70%", 220_903_200.0),
        ("terminated", "{total: $400M}", 200e6),
        # 2026 and 2027, half of $100M each
        ("terminated", "{per_year: $100M}", 100e6),
    ],
)
def test_a_tranche_that_came_too_late_lowers_the_minimum(
    status: str, minimum: str, missing: float, tmp_path: Path
) -> None:
    text = offer("{per_chip_hour: $2/h}", f", take_or_pay: {{share: 0%}}, min_spend: {minimum}")
    text = text.replace("tranches: [{at: 2026-01-01, share: 100%, delivery: existing}]", HALVES)

    def left(ctx: Context) -> None:
        first, other = ctx.lots.values()
        other.delivered = 0
        if status == "terminated":
            first.status, first.delivered, first.ended = status, -1, 90 * MS_DAY

    ledger, _ = booked(tmp_path, text, left, 0.0)
    assert ledger.nominal("o", "min_spend") == pytest.approx(missing)


@pytest.mark.parametrize(("starts", "rent"), [("on_delivery", 217_728_000.0), ("on_date", 252_288_000.0)])
def test_hours_that_a_late_tranche_lacks_before_a_common_end_are_no_shortfall(
    starts: str, rent: float, tmp_path: Path
) -> None:
    """Until 2028 as signed 7,200 x 17,520 h x $2 = $252,288,000; 100 days late, $34,560,000 less."""
    text = offer(
        "{per_chip_hour: $2/h}", f", take_or_pay: {{share: 100%, starts: {starts}}}, min_spend: 100%"
    ).replace("term: 5y", "ends: 2028-01-01")

    def late(ctx: Context) -> None:
        state = next(iter(ctx.lots.values()))
        state.delay, state.delivered = 100 * MS_DAY, 100 * MS_DAY

    ledger, _ = booked(tmp_path, text, late)
    assert ledger.nominal("o", "commitment") == pytest.approx(rent)
    assert ledger.nominal("o", "min_spend") == 0.0


def test_bought_chips_cost_operation_and_leave_a_residual(tmp_path: Path) -> None:
    text = offer("{per_chip: $50k}", ", operating_share: 7%, residual_per_year: 35%").replace(
        "term: 5y, ", ""
    )
    text = text.replace("kind: cloud", "kind: purchase")
    ledger, _ = booked(tmp_path, text)
    # 7,200 x $50,000 = $360M; operation 7 % x 730/365.25 y; residual .65^1.99863 = .42275
    assert ledger.nominal("o", "purchase") == pytest.approx(360e6)
    assert ledger.nominal("o", "operation") == pytest.approx(360e6 * 0.07 * 730 / 365.25)
    assert ledger.nominal("o", "salvage") == pytest.approx(-360e6 * 0.65 ** (730 / 365.25))


def test_a_powered_shell_is_paid_by_kilowatt_month(tmp_path: Path) -> None:
    text = """
offers:
  shell: {provider: p, kind: powered_shell, status: signed, hosts: [gb300_nvl72], term: 15y,
      tranches: [{at: 2026-01-01, share: 50%}, {at: 2027-01-01, share: 50%}],
      price: {per_kw_month: $148/kW-mo}, power: {site: x, it: 207 MW}}
strategies: {s: {hold: {shell: 1}}}
"""
    ledger, _ = booked(tmp_path, text)
    # 103,500 kW x $148 x (730 + 365) days / 30.4375 days a month
    assert ledger.nominal("shell", "shell") == pytest.approx(103_500 * 148 * 1095 / 30.4375)


def test_what_is_owed_if_all_work_stops(tmp_path: Path) -> None:
    ledger, ctx = booked(tmp_path, offer("{per_chip_hour: $2/h}"))
    # at the end of 2026: 43,830 - 8,760 h are left: x 7,200 x $2 = $505,008,000
    assert owed_after(ctx, 365 * MS_DAY, ledger) == {"o": pytest.approx(505_008_000.0)}


def test_discounting_a_year_of_rent(tmp_path: Path) -> None:
    prepared = contract_only(small_study(tmp_path, offer("{per_chip_hour: $2/h}")))
    ledger = Ledger(prepared.calendar, np.array(prepared.calendar.months()))
    ledger.add_at("o", "commitment", 0, 100.0)
    assert ledger.npv() == pytest.approx(100.0)
    from dataclasses import replace

    eight = Ledger(replace(prepared.calendar, discount_rate=0.08), np.array(prepared.calendar.months()))
    eight.add_at("o", "commitment", 366 * MS_DAY, 100.0)
    # January 2027 counts at its middle: 380.5 days, 100 x 1.08^(-380.5/365.25) = 92.30
    assert eight.npv() == pytest.approx(92.30, abs=0.01)
