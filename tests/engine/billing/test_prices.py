"""Terms that move a price, each with a figure computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.compile.portfolio import build_portfolio
from capsim.control.context import Context
from capsim.engine.billing import contract_values, owed_after
from tests.engine.billing.booking import booked, offer, only_lot
from tests.studies import contract_only, small_study

MARKET = """
markets: {m: {start: $1.50/h, state: flat, volatility: 0%, regimes: {flat: {drift: 0%/y, leave: 0%/q}}}}
"""


def market(**months: float) -> Callable[[Context], None]:
    """The market stands at 1 but for the months named (m0 is January 2026), over its start."""

    def change(ctx: Context) -> None:
        path = np.ones(24)
        for month, ratio in months.items():
            path[int(month[1:])] = ratio
        ctx.market_paths["m"] = path

    return change


def test_an_escalator_raises_the_price_on_each_anniversary_of_the_delivery(tmp_path: Path) -> None:
    ledger, ctx = booked(tmp_path, offer(extra=", escalator: {rate: 3%/y}"))
    # 8,766 h (365.25 d) at $2.00, then 17,520 - 8,766 = 8,754 h at $2.06: 7,200 x $35,565.24
    assert ledger.nominal("o", "commitment") == pytest.approx(256_069_728.0)
    # the value of five years: 8,766 h x 7,200 x 2 x (1 + 1.03 + 1.0609 + 1.092727 + 1.12550881)
    five = 8_766 * 7_200 * 2 * 5.30913581
    assert contract_values(ctx)["o"][0] == pytest.approx(five)
    assert owed_after(ctx, ctx.end, ledger)["o"] == pytest.approx(five - 256_069_728.0)


def test_steps_count_from_the_signing(tmp_path: Path) -> None:
    extra = ", announced: 2025-07-01, escalator: {since: signing, steps: [{after: 1y, change: -10%}]}"
    ledger, _ = booked(tmp_path, offer(extra=extra))
    # to 2026-07-01 06:00 4,350 h at $2.00, then 13,170 h at $1.80: 7,200 x (8,700 + 23,706)
    assert ledger.nominal("o", "commitment") == pytest.approx(233_323_200.0)


def test_a_late_tranche_escalates_from_its_own_delivery(tmp_path: Path) -> None:
    def late(ctx: Context) -> None:
        state = next(iter(ctx.lots.values()))
        state.delay = state.delivered = 365 * MS_DAY

    ledger, _ = booked(tmp_path, offer(extra=", escalator: {rate: 3%/y}"), late)
    # all of 2027 (8,760 h, less than a year of 8,766) is its first year: 7,200 x 8,760 x $2
    assert ledger.nominal("o", "commitment") == pytest.approx(126_144_000.0)


@pytest.mark.parametrize(
    ("basis", "share", "second"),
    [
        ("index", "50%", 1.80),  # the market stands at 80 %: 2.00 + 50 % x (1.60 - 2.00)
        ("index", "100%", 1.60),
        ("price", "50%", 1.60),  # the market asks $1.50 x 80 % = $1.20: 2.00 + 50 % x (1.20 - 2.00)
    ],
)
def test_a_reset_moves_the_price_towards_the_market(
    tmp_path: Path, basis: str, share: str, second: float
) -> None:
    extra = f", price_reset: {{at: [2027-01-01], share: {share}, market: m, basis: {basis}}}"
    ledger, _ = booked(tmp_path, offer(extra=extra) + MARKET, market(m12=0.8))
    # 8,760 h of 2026 at $2.00, 8,760 h of 2027 at the moved price
    assert ledger.nominal("o", "commitment") == pytest.approx(7_200 * 8_760 * (2.00 + second))


def test_a_most_favoured_customer_never_pays_more_than_the_lowest_reviewed_market(tmp_path: Path) -> None:
    extra = ", market: m, most_favoured: {every: 1q}"
    ledger, _ = booked(tmp_path, offer(extra=extra) + MARKET, market(m3=0.9, m7=0.5))
    # reviewed every 91.3125 d: in April (0.9) and July, not in August (0.5). 2,191.5 h at $2.00, then 15,328.5 h
    # at $1.80, also when the market is back at 1: 7,200 x (4,383 + 27,591.3)
    assert ledger.nominal("o", "commitment") == pytest.approx(230_214_960.0)


def test_a_collar_holds_the_moved_price(tmp_path: Path) -> None:
    extra = ", market: m, most_favoured: {every: 1q}, collar: {down: 5%}"
    ledger, _ = booked(tmp_path, offer(extra=extra) + MARKET, market(m3=0.9))
    # not below $1.90: 7,200 x (2,191.5 x 2.00 + 15,328.5 x 1.90)
    assert ledger.nominal("o", "commitment") == pytest.approx(241_251_480.0)
    capped, _ = booked(tmp_path, offer(extra=", escalator: {rate: 30%/y}, collar: {cap: $2.20/h}"))
    # $2.60 after a year is held at $2.20: 7,200 x (8,766 x 2.00 + 8,754 x 2.20)
    assert capped.nominal("o", "commitment") == pytest.approx(264_893_760.0)


def test_the_market_of_the_run_is_what_a_reset_compares_with(tmp_path: Path) -> None:
    rising = MARKET.replace("drift: 0%/y", "drift: 10%/y")
    ledger, _ = booked(tmp_path, offer(extra=", market: m, price_reset: {at: [2027-01-01]}") + rising)
    # without noise the market has risen by 10 % after twelve months: $2.00, then $2.20
    assert ledger.nominal("o", "commitment") == pytest.approx(7_200 * 8_760 * (2.00 + 2.20))


def test_terms_apply_on_one_date_in_their_order(tmp_path: Path) -> None:
    extra = ", market: m, escalator: {steps: [{after: 365 d, change: 10%}]}, price_reset: {at: [2027-01-01], share: 50%}"
    ledger, _ = booked(tmp_path, offer(extra=extra) + MARKET, market(m12=0.8))
    # 2027-01-01: 2.00 x 1.10 = 2.20, then half of the way to 1.60: 1.90
    assert ledger.nominal("o", "commitment") == pytest.approx(7_200 * 8_760 * (2.00 + 1.90))
    kept, _ = booked(tmp_path, offer(extra=extra + ", collar: {floor: $1.95/h}") + MARKET, market(m12=0.8))
    assert kept.nominal("o", "commitment") == pytest.approx(7_200 * 8_760 * (2.00 + 1.95))


def prices(tmp_path: Path, text: str) -> list[float]:
    study = small_study(tmp_path, text)
    prepared = contract_only(study)
    return [lot.price_hour for lot in build_portfolio(study, study.strategies["s"], prepared.calendar).lots]


TWO_STEPS = "steps: [{from: 3600, price: $1.50/h}, {from: 10k, discount: 60%}]"


def test_prices_by_volume(tmp_path: Path) -> None:
    # marginal: 3,600 chips at $2.00 and 3,600 at $1.50; all units: 7,200 chips at $1.50
    marginal = offer(extra=f", price_table: {{volume: {{{TWO_STEPS}}}}}")
    assert prices(tmp_path, marginal) == [pytest.approx(1.75)]
    units = offer(extra=f", price_table: {{volume: {{applies: all_units, {TWO_STEPS}}}}}")
    assert prices(tmp_path, units) == [pytest.approx(1.50)]
    # a slice of a holding pays the price of the whole
    assert prices(tmp_path, marginal.replace("hold: {o: 7200}", "hold: {o: 7200}, share: 10%")) == [
        pytest.approx(1.75)
    ]


def test_marginal_steps_fill_up_tranche_by_tranche(tmp_path: Path) -> None:
    text = offer(extra=f", price_table: {{volume: {{{TWO_STEPS}}}}}").replace(
        "{at: 2026-01-01, share: 100%, delivery: existing}",
        "{at: 2026-07-01, share: 25%}, {at: 2026-01-01, share: 75%}",
    )
    # the 5,400 chips of January come first: (3,600 x 2.00 + 1,800 x 1.50) / 5,400; the 1,800 of July at $1.50
    assert prices(tmp_path, text) == [pytest.approx(1.50), pytest.approx(9_900 / 5_400)]


def test_prices_by_term_and_by_prepayment_multiply(tmp_path: Path) -> None:
    table = ", price_table: {term: [{from: 3y, discount: 10%}, {from: 7y, discount: 20%}], prepaid: [{from: 10%, discount: 5%}]}"
    prepay = ", prepay: {share: 20%, before: 1q, credited_after: 1y}"
    assert prices(tmp_path, offer(extra=table + prepay)) == [pytest.approx(2 * 0.90 * 0.95)]
    assert prices(tmp_path, offer(extra=table, term="7y")) == [pytest.approx(2 * 0.80)]
    assert prices(tmp_path, offer(extra=table, term="1y")) == [2.0]


def test_orders_fill_the_steps_by_date_and_a_purchase_of_a_rule_is_alone(tmp_path: Path) -> None:
    text = offer(
        extra=f", price_table: {{volume: {{{TWO_STEPS}}}}}",
        chips="[{at: 2026-06, chip: gb200_nvl72, quantity: 3600}, {at: 2026-03, chip: gb200_nvl72, quantity: 3600}]",
        strategy=", rules: [{when: backlog > 2w, review: 400d, buy: {offer: o, quantity: 720, lead: 1q}}]",
    )
    # March fills the first step at $2.00, June the second at $1.50; 720 chips that a rule buys cost $2.00
    assert prices(tmp_path, text) == [pytest.approx(1.50), pytest.approx(2.00), pytest.approx(2.00)]


def test_a_shell_escalates(tmp_path: Path) -> None:
    text = """
offers:
  shell: {provider: p, kind: powered_shell, status: signed, hosts: [gb300_nvl72], term: 15y,
      tranches: [{at: 2026-01-01, share: 100%}], escalator: {rate: 2.5%/y},
      price: {per_kw_month: $100/kW-mo}, power: {site: x, it: 10 MW}}
strategies: {s: {hold: {shell: 1}}}
"""
    ledger, ctx = booked(tmp_path, text)
    # 12 months at $100, then (730 - 365.25) / 30.4375 = 11.98357 months at $102.50, for 10,000 kW
    first_two = 10_000 * (12 * 100 + 364.75 / 30.4375 * 102.5)
    assert ledger.nominal("shell", "shell") == pytest.approx(first_two)
    assert contract_values(ctx)["shell"][0] == pytest.approx(
        10_000 * 12 * 100 * sum(1.025**year for year in range(15))
    )


def test_power_above_the_strike_is_passed_through(tmp_path: Path) -> None:
    power = (
        ", power: {site: x, pue: 1.2}, power_pass_through: {strike: $60/MWh, price: $0.085/kWh, load: 80%}"
    )
    ledger, _ = booked(tmp_path, offer(extra=power))
    kw = small_study(tmp_path, offer()).systems["gb200_nvl72"].kw_per_chip
    # 7,200 chips x kW x 1.2 x 80 % x 17,520 h x ($85 - $60) / MWh
    assert ledger.nominal("o", "power") == pytest.approx(7_200 * kw * 1.2 * 0.8 * 17_520 * 0.025)
    cheap, _ = booked(tmp_path, offer(extra=power.replace("$0.085/kWh", "$50/MWh")))
    assert cheap.nominal("o", "power") == 0.0
    refund, _ = booked(tmp_path, offer(extra=power.replace("$0.085/kWh", "$50/MWh, refund: true")))
    assert refund.nominal("o", "power") == pytest.approx(-7_200 * kw * 1.2 * 0.8 * 17_520 * 0.010)


def test_power_of_chips_in_the_hands_of_others_is_theirs(tmp_path: Path) -> None:
    power = ", power: {site: x, pue: 1.2}, power_pass_through: {strike: $60/MWh, price: $85/MWh}"
    half_away = [(365 * 86_400_000, 3_600, 1.5)]  # 3,600 of 7,200 chips let from day 365 on
    ledger, ctx = booked(tmp_path, offer(extra=power), lambda ctx: setattr(only_lot(ctx), "let", half_away))
    kw = ctx.prepared.study.systems["gb200_nvl72"].kw_per_chip
    chip_hours = 7_200 * 365 * 24 + 3_600 * 365 * 24
    assert ledger.nominal("o", "power") == pytest.approx(chip_hours * kw * 1.2 * 0.025)
