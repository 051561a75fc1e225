"""Each line of a statement that a finance person would check: what was multiplied, computed by hand.

7,200 chips at $2 an hour from 2026-01-01, a horizon of 730 days; a day's rent is $345,600.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context, Copy
from capsim.engine.billing import Ledger
from capsim.engine.egress import book_copies
from capsim.engine.statement import Statement, simulated_statements, statement, statement_names
from capsim.engine.statement_items import ROUNDING
from capsim.errors import InputError
from capsim.study.setup import Request, set_up
from tests.control.test_contract_life import DAILY, LATE, MARKET, OPTION, SUPPLIERS, YEAR, study
from tests.engine.billing.naive_deal import Deal
from tests.engine.billing.test_properties import SHARES, deals, ledger_of
from tests.studies import booked, contract_only, lived, small_study


def stated(ctx: Context, use: float = 1.0) -> Statement:
    """The statement of `o`, which adds up to its ledger with no lump sum in it."""
    ledger = booked(ctx, use)
    used = {place.name: np.full(len(ledger.edges) - 1, use) for place in ctx.places()}
    return checked(ctx, ledger, used)


def checked(ctx: Context, ledger: Ledger, used: dict[str, Any]) -> Statement:
    found = statement(ctx, ledger, used, "o")
    for item in found.items:
        assert item.amount == round(item.quantity * item.price, 2), item
        assert item.unit or item.what == ROUNDING, item
        assert abs(item.amount) < 0.01 * len(found.items) or item.what != ROUNDING, item
    assert found.total == round(ledger.nominal("o"), 2)
    assert round(sum(round(item.amount * 100) for item in found.items) / 100, 2) == found.total
    return found


def lines(found: Statement, line: str) -> list[tuple[str, float, str, float]]:
    """(month, quantity, unit, price) of the items of a line."""
    return [
        (i.month, i.quantity, i.unit, i.price) for i in found.items if i.line == line and i.what != ROUNDING
    ]


def test_a_credit_is_days_times_a_share_of_the_daily_rent(tmp_path: Path) -> None:
    terms = f"delivery: {{{LATE}, remedy: {{cure: 30d, credit_per_day: 10%}}}}"
    # 100 - 30 days at 10 % of $345,600, when the chips come on day 100, in April
    assert lines(stated(lived(study(tmp_path, terms))), "credit") == [("2026-04", 70.0, "days", -34_560.0)]
    capped = terms.replace("10%}", "10%, credit_cap: 1%}")
    # 1 % of a year are 3.6525 days of rent
    assert lines(stated(lived(study(tmp_path, capped))), "credit") == [
        ("2026-04", 3.6525, "days of rent", -DAILY)
    ]


def test_a_further_term_stands_apart_at_its_price(tmp_path: Path) -> None:
    terms = "renewal: {term: 181d, price: same, change: 5%, notice: 30d}"
    found = stated(lived(study(tmp_path, terms, ", renew: {o: always}", lasts="ends: 2026-06-16")))
    june = [(i.what, i.quantity, i.price) for i in found.items if i.month == "2026-06"]
    # the first 15 days of June at $2.00, the other 15 at $2.10
    assert june == [("hours of the contract", 2_592_000.0, 2.0), ("further term", 2_592_000.0, 2.1)]


def test_a_prepayment_is_a_share_and_is_credited_against_rent_or_by_the_day(tmp_path: Path) -> None:
    terms = "prepay: {share: 10%, before: 0d, credited_after: 59d}"
    found = stated(lived(study(tmp_path, terms, lasts="ends: 2026-07-10")))
    # 10 % of 190 days of rent; from March on 19 days of it are credited
    assert lines(found, "prepayment") == [("2026-01", 190 * DAILY, "$ of value", 0.1)]
    assert lines(found, "drawdown") == [("2026-03", 19 * DAILY, "$ of rent", -1.0)]
    evenly = stated(
        lived(study(tmp_path, terms.replace("59d", "59d, credited: evenly"), lasts="ends: 2026-07-10"))
    )
    # 19 days of rent over the 131 days from March to 9 July
    assert lines(evenly, "drawdown")[0] == ("2026-03", 31.0, "days", pytest.approx(-19 * DAILY / 131))


def test_what_is_not_drawn_down_is_given_back_recovered_or_counted_at_the_end(tmp_path: Path) -> None:
    terms = "prepay: {share: 10%, before: 0d, credited_after: 700d}"
    # 182.625 days are prepaid; 30 of them are credited from day 700 to the end
    assert lines(stated(lived(study(tmp_path, terms))), "undrawn") == [
        ("2027-12", 152.625 * DAILY, "$ not drawn", -1.0)
    ]
    left = lived(study(tmp_path, terms + ", termination: {fee: 40%}", ", terminate: {o: 2026-07-01}"))
    assert lines(stated(left), "drawdown") == [("2026-07", 182.625 * DAILY, "$ prepaid", -1.0)]
    # 1,826.25 - 181 days remain, of which 40 % are due
    assert lines(stated(left), "termination") == [("2026-07", 1645.25 * DAILY, "$ remaining", 0.4)]
    gone = lived(study(tmp_path, terms, more=SUPPLIERS.replace("HAZARD", "300%/y")))
    ((_, quantity, unit, price),) = lines(stated(gone), "recovery")
    assert (quantity, unit, price) == (pytest.approx(182.625 * DAILY), "$ not drawn", -0.4)


def test_a_minimum_is_stated_with_what_was_spent(tmp_path: Path) -> None:
    terms = "take_or_pay: {share: 0%}, min_spend: {per_year: $100M}"
    found = stated(lived(study(tmp_path, terms)), use=0.5)
    # half of 365 days of rent is $63.072M a year
    assert lines(found, "min_spend")[:2] == [
        ("2026-12", 100e6, "$", 1.0),
        ("2026-12", pytest.approx(63_072_000.0), "$", -1.0),
    ]


def test_options_state_their_premium_and_their_chips(tmp_path: Path) -> None:
    refresh = OPTION.replace("KIND", "kind: refresh, quantity: 3600, replaces: [gb200_nvl72]")
    found = stated(lived(study(tmp_path, refresh, ", options: [o.x]")))
    assert lines(found, "premium") == [("2026-06", 1.0, "option", 1e6)]
    september = [(i.tranche, i.quantity, i.price) for i in found.items if i.month == "2026-09"]
    assert september == [("x", 3600 * 720.0, 3.0)]  # 30 days of the new chips, none of the old
    assert [(t.tranche, t.status) for t in found.tranches] == [("1", "ended"), ("x", "delivered")]
    swap = OPTION.replace("KIND", "kind: swap, replaces: [gb200_nvl72]")
    swapped = stated(lived(study(tmp_path, swap, ", options: [o.x]", at="2026-10-01")))
    october = [(i.quantity, i.price) for i in swapped.items if i.month == "2026-10"]
    assert october == [(7200 * 744.0, 3.0)]


def test_chips_let_are_chip_hours_and_chips_sold_are_chips(tmp_path: Path) -> None:
    plan = ", resell: [{offer: o, from: 2026-07-01, share: 30%, discount: 20%, haircut: 10%}]"
    # 2,160 chips for 31 days at $2 x .8 x .9
    july = lines(stated(lived(study(tmp_path, "", plan))), "resale")[0]
    assert july == ("2026-07", 2160 * 744.0, "chip-hours", -1.44)
    bought = {"kind": "purchase", "lasts": "term: 20y", "price": "per_chip: $50k"}
    terms = "residual_per_year: 50%, operating_share: 10%"
    plan = ", resell: [{offer: o, from: 2027-01-01, share: 50%, haircut: 20%}]"
    found = stated(lived(study(tmp_path, terms, plan, **bought)))
    assert lines(found, "purchase") == [("2026-01", 7200.0, "chips", 50_000.0)]
    worth = 50_000 * 0.5 ** (365 / 365.25)
    assert lines(found, "resale") == [("2027-01", 3600.0, "chips", pytest.approx(-0.8 * worth))]
    assert lines(found, "salvage") == [
        ("2027-12", 3600.0, "chips", pytest.approx(-50_000 * 0.5 ** (730 / 365.25)))
    ]
    # $5,000 a chip and year; January 2027 is 31 / 365.25 of a year, half of the chips are gone
    months = {month: (quantity, price) for month, quantity, _, price in lines(found, "operation")}
    assert months["2026-01"] == (pytest.approx(7200 * 31 / 365.25), pytest.approx(5000))
    assert months["2027-01"] == (pytest.approx(3600 * 31 / 365.25), pytest.approx(5000))


def test_a_lease_that_ends_in_a_purchase(tmp_path: Path) -> None:
    terms = "operating_share: 10%, residual_per_year: 50%, lease_end: {action: purchase, residual: $8k}"
    prepared = study(tmp_path, terms, kind="lease", lasts=YEAR, price="per_chip_month: $730.5")
    found = stated(lived(prepared))
    # $730.50 a month are $1 an hour
    assert lines(found, "commitment")[0] == ("2026-01", 7200 * 744.0, "chip-hours", 1.0)
    assert lines(found, "purchase") == [("2027-01", 7200.0, "chips", 8000.0)]
    assert lines(found, "salvage")[0][1:3] == (7200.0, "chips")


def test_spot_capacity_is_paid_at_each_months_price(tmp_path: Path) -> None:
    spot = "market: m, interruptions: {rate: 12/y, notice: 2 min, away: 12 h}"
    ctx = lived(study(tmp_path, spot, more=MARKET, kind="spot"))
    month, quantity, unit, price = lines(stated(ctx), "spot")[12]
    january = [(max(a, 365 * 86_400_000), min(b, 396 * 86_400_000)) for a, b in ctx.reclaimed["o"]]
    away = sum(max(b - a, 0) for a, b in january) / 3_600_000
    # after a year of 10 %
    assert (month, unit, price) == ("2027-01", "chip-hours", pytest.approx(2.2, rel=1e-3))
    assert quantity == pytest.approx(7200 * (744 - away), abs=0.001)


def test_make_good_time_costs_nothing_and_stand_ins_their_price(tmp_path: Path) -> None:
    made = "make_good: {delays_over: 30d, substitute: {chip: h100_hgx, share: 25%, after: 30d, price: $1/h}}"
    found = stated(lived(study(tmp_path, f"delivery: {{{LATE}, {made}}}", lasts=YEAR)))
    rent = [(i.month, i.tranche, i.quantity, i.price) for i in found.items]
    # 1,800 H100 from day 30 until the tranche comes on day 100
    assert rent[0] == ("2026-01", "substitute 1", 1800 * 24.0, 1.0)
    assert [row[0] for row in rent][-1] == "2026-12"
    assert found.tranches[0].ended == "2027-04-11"  # 100 days after the end


def test_a_capacity_block_and_power_above_the_strike(tmp_path: Path) -> None:
    terms = (
        "prepay: {share: 100%, before: 0d, credited_after: 0d}, power: {site: x, pue: 1.2}, "
        "power_pass_through: {strike: $60/MWh, price: $68/MWh, load: 85%}"
    )
    found = stated(lived(study(tmp_path, terms, kind="capacity_block", lasts="ends: 2026-04-01")))
    assert lines(found, "prepayment") == [("2026-01", 90 * DAILY, "$ of value", 1.0)]
    assert sum(item.amount for item in found.items if item.line in ("commitment", "drawdown")) == 0.0
    system = contract_only(small_study(tmp_path, "strategies: {s: {hold: {}}}")).study.systems["gb200_nvl72"]
    month, energy, unit, price = lines(found, "power")[0]
    assert (month, unit, price) == ("2026-01", "MWh", 8.0)
    assert energy == pytest.approx(7200 * float(system.kw_per_chip) * 1.2 * 0.85 * 744 / 1000, abs=0.001)


def test_porting_has_a_statement_of_its_own(tmp_path: Path) -> None:
    text = """
offers:
  o: {provider: p, kind: cloud, status: signed, chips: {trn2_ultraserver: 100%}, quantity: {min: 64, max: 6400, lot: 64},
      tranches: [{at: 2026-09-01, share: 100%}], term: 5y, price: {per_chip_hour: $1/h}}
strategies: {s: {hold: {o: 6400}}}
"""
    ctx = lived(contract_only(small_study(tmp_path, text)))
    ledger = booked(ctx)
    assert statement_names(ctx.prepared) == ["o", "porting"]
    found = statement(ctx, ledger, {}, "porting")
    cost = float(ctx.prepared.study.porting[ctx.prepared.places[0].family].cost)
    ((_, quantity, unit, price),) = lines(found, "porting")
    assert (quantity, unit, price, found.total) == (1.0, "port", cost, cost)
    assert found.total + stated(ctx).total == pytest.approx(ledger.nominal(), abs=0.01)


def test_data_copied_to_a_site_is_gigabytes_times_the_price(tmp_path: Path) -> None:
    ctx = lived(study(tmp_path))
    ctx.data_copies += [Copy(0, "o", 300.0, 6.0), Copy(MS_DAY, "o", 100.0, 2.0), Copy(0, "other", 1.0, 5.0)]
    ctx.data_copies.append(Copy(2 * MS_DAY, "o", 10.0, 0.5))  # from a site that asks $0.05
    ledger = booked(ctx)
    book_copies(ctx, ledger)
    found = statement(ctx, ledger, {place.name: np.ones(24) for place in ctx.places()}, "o")
    assert lines(found, "egress") == [("2026-01", 400.0, "GB", 0.02), ("2026-01", 10.0, "GB", 0.05)]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(deal=deals(), used=st.lists(SHARES, min_size=24, max_size=24))
def test_any_contract_can_be_checked_line_by_line(deal: Deal, used: list[float]) -> None:
    ledger, ctx = ledger_of(used, o=deal)
    found = checked(ctx, ledger, {place.name: np.array(used) for place in ctx.prepared.places})
    booked_lines = {line: round(float(usd.sum()), 2) for (_, line), usd in ledger.usd.items()}
    stated_lines = {line: usd for line, usd in found.by_line().items() if line != ROUNDING}
    assert {k: v for k, v in stated_lines.items() if v} == {k: v for k, v in booked_lines.items() if v}


def test_all_statements_add_up_to_the_cash_of_the_run() -> None:
    from capsim.engine.simulate import simulate

    chosen = "wait"
    prepared = set_up(Request("quickstart", strategies=(chosen,), against=chosen)).prepared[chosen, "base"]
    found = simulated_statements(prepared, 1, "all")
    assert [one.offer for one in found] == statement_names(prepared)
    cash = simulate(prepared, 1).tables["cash"]
    total = sum(round(one.total * 100) for one in found) / 100
    assert total == pytest.approx(sum(cash["usd"]), abs=0.005 * len(found))
    for one in found:
        mine = [
            u
            for u, o in zip(cash["usd"], cash["offer"], strict=True)
            if o == one.offer or o.startswith(f"{one.offer} ")
        ]
        assert one.total == round(sum(mine), 2)
    with pytest.raises(InputError, match="does not hold it"):
        simulated_statements(prepared, 0, "nobody")
