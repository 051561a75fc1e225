"""Statements of contracts: each line is quantity × price, and the total is the ledger's, to the cent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context
from capsim.engine.billing import book
from capsim.engine.statement import Statement, simulated_statements, statement
from capsim.engine.statement_items import ROUNDING
from capsim.errors import InputError
from capsim.study.setup import Request, set_up
from tests.engine.billing.booking import offer
from tests.studies import contract_context, contract_only, small_study

HOURLY = "{per_chip_hour: $2/h}"

TERMS: dict[str, tuple[str, float]] = {
    "plain": (offer(HOURLY), 1.0),
    "total": (offer("{total: $1B}"), 1.0),
    "take-or-pay": (offer(HOURLY, ", take_or_pay: {share: 60%, period: quarter, make_up: 2}"), 0.55),
    "prepaid": (offer(HOURLY, ", prepay: {share: 5%, before: 0d, credited_after: 365d}"), 1.0),
    "escalator": (offer("{per_chip_hour: $2.137/h}", ", escalator: {since: delivery, rate: 2%/y}"), 1.0),
    "escalator, used": (
        offer(
            "{per_chip_hour: $2.137/h}",
            ", escalator: {since: delivery, rate: 3%/y}, take_or_pay: {share: 80%, period: year}",
        ),
        0.777,
    ),
    "minimum": (offer(HOURLY, ", take_or_pay: {share: 10%}, min_spend: {per_year: $100M}"), 0.3),
    "power": (
        offer(
            HOURLY,
            ", power: {site: x, pue: 1.2}, power_pass_through: {strike: $60/MWh, price: $68/MWh, load: 85%}",
        ),
        1.0,
    ),
    "bought": (
        offer("{per_chip: $50k}", ", operating_share: 7%, residual_per_year: 35%", term="", kind="purchase"),
        1.0,
    ),
    "shell": (
        """
offers:
  o: {provider: p, kind: powered_shell, status: signed, hosts: [gb300_nvl72], term: 15y,
      tranches: [{at: 2026-01-01, share: 50%}, {at: 2027-01-01, share: 50%}],
      price: {per_kw_month: $148/kW-mo}, power: {site: x, it: 207 MW}}
strategies: {s: {hold: {o: 1}}}
""",
        1.0,
    ),
}


def stated(
    folder: Path, text: str, use: float = 1.0, change: Callable[[Context], Any] | None = None
) -> tuple[Statement, dict[str, float], float]:
    """The statement of the offer `o`, the ledger's lines of it, and its total."""
    prepared = contract_only(small_study(folder, text))
    ctx = contract_context(prepared)
    if change is not None:
        change(ctx)
    months = len(prepared.calendar.months()) - 1
    used = {place.name: np.full(months, use) for place in prepared.places}
    ledger = book(ctx, used)
    lines = {line: float(amounts.sum()) for (name, line), amounts in ledger.usd.items() if name == "o"}
    return statement(ctx, ledger, used, "o"), lines, ledger.nominal("o")


@pytest.mark.parametrize("name", TERMS)
def test_lines_multiply_and_sum_to_the_ledger_to_the_cent(name: str, tmp_path: Path) -> None:
    found, lines, total = stated(tmp_path, *TERMS[name])
    for item in found.items:
        assert item.amount == round(item.quantity * item.price, 2), item
    assert found.by_line() == {line: round(usd, 2) for line, usd in lines.items()}
    assert found.total == round(total, 2)
    assert round(sum(item.amount for item in found.items), 2) == found.total
    rounding = [item.amount for item in found.items if item.what == ROUNDING]
    assert all(abs(left) <= 0.01 * len(found.items) for left in rounding)


def test_a_month_of_rent_by_hand(tmp_path: Path) -> None:
    found, _, _ = stated(tmp_path, offer(HOURLY))
    first = found.items[0]
    # January: 7,200 chips x 31 x 24 h = 5,356,800 h at $2 = $10,713,600
    assert (first.month, first.tranche, first.quantity, first.price, first.amount) == (
        "2026-01", "1", 5_356_800.0, 2.0, 10_713_600.0,
    )  # fmt: skip
    (tranche,) = found.tranches
    assert (tranche.planned, tranche.accepted, tranche.quantity) == ("2026-01-01", "2026-01-01", 7200.0)


def test_the_shortfall_of_a_quarter_by_hand(tmp_path: Path) -> None:
    found, _, _ = stated(tmp_path, offer(HOURLY, ", take_or_pay: {share: 60%, period: quarter}"), 0.5)
    march = [item for item in found.items if item.month == "2026-03"]
    # 7,200 x 90 x 24 h = 15,552,000 h in the quarter; 60 % - 50 % of them, 1,555,200 h at $2, are paid beside
    assert [(item.what, item.quantity, item.amount) for item in march] == [
        ("hours used", 2_678_400.0, 5_356_800.0),
        ("committed, not used", 1_555_200.0, 3_110_400.0),
    ]
    assert found.hours[2].beside == pytest.approx(1_555_200.0)


def test_the_account_of_a_prepayment_by_hand(tmp_path: Path) -> None:
    found, _, _ = stated(tmp_path, *TERMS["prepaid"])
    # 5 % of 7,200 x 43,830 h x $2 = $31,557,600; from 2027-01 a month's rent is drawn: 744 h are $10,713,600
    assert found.prepaid[0].paid == pytest.approx(31_557_600.0)
    assert found.prepaid[1].month == "2027-01"
    assert found.prepaid[1].left == pytest.approx(31_557_600.0 - 10_713_600.0)
    assert found.prepaid[-1].left == pytest.approx(0.0, abs=0.01)


def test_a_late_tranche_states_its_dates_and_its_credit(tmp_path: Path) -> None:
    def late(ctx: Context) -> None:
        state = next(iter(ctx.lots.values()))
        state.delay, state.delivered = 30 * MS_DAY, 30 * MS_DAY

    text = offer(HOURLY, ", delivery: {remedy: {credit_per_day: 10%}}")
    found, lines, _ = stated(tmp_path, text, 1.0, late)
    assert found.tranches[0].accepted == "2026-01-31"
    # 10 % of a day's rent (7,200 x 24 x $2 = $345,600) for 30 days
    assert found.by_line()["credit"] == -1_036_800.0 == round(lines["credit"], 2)


@pytest.fixture(scope="module")
def simulated() -> Any:
    return set_up(Request("quickstart", strategies=("new-cloud",), against="new-cloud"))


def test_a_simulated_statement_is_the_ledger_of_the_run(simulated: Any) -> None:
    from capsim.engine.simulate import simulate

    prepared = simulated.prepared["new-cloud", "base"]
    (found,) = simulated_statements(prepared, 1, "new-cloud")
    cash = simulate(prepared, 1).tables["cash"]
    usd = sum(u for u, o in zip(cash["usd"], cash["offer"], strict=True) if o == "new-cloud")
    assert found.total == round(usd, 2)
    assert {t.tranche for t in found.tranches} == {"1", "2"}


def test_an_offer_that_is_not_held_is_refused(simulated: Any) -> None:
    with pytest.raises(InputError, match="new-cloud does not hold it"):
        simulated_statements(simulated.prepared["new-cloud", "base"], 0, "big-cloud")
