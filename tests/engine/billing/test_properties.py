"""Random deals: the ledger equals the obvious account of `naive` month by month, and its dollars add up."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY
from capsim.compile.lots import Lot, Shell
from capsim.compile.prepare import Prepared
from capsim.control.world import Draws
from capsim.engine.billing import Ledger, book, owed_after
from capsim.results.schema import CASH_LINES
from capsim.spec.contract_delivery import SupplierDefault
from capsim.spec.offers import Offer
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study
from tests.engine.billing.booking import offer
from tests.engine.billing.deal_terms import plan, terms
from tests.engine.billing.naive import account
from tests.engine.billing.naive_deal import KW, KW_STAND_IN, Deal
from tests.studies import contract_only, lived, small_study

MS_TICK = MS_DAY // 4

MARKET = (
    "markets: {m: {start: $2/h, state: flat, volatility: 0%, regimes: {flat: {drift: 0%/y, leave: 0%/q}}}}\n"
    "power_markets: {here: {mean: $50/MWh, volatility: 0%, reversion: 1/y}}\n"
    f"systems: {{gb200_nvl72: {{kw_per_chip: {KW}}}, h100_hgx: {{kw_per_chip: {KW_STAND_IN}}}}}\n"
)


@cache
def plain() -> Study:
    with TemporaryDirectory() as folder:
        return small_study(Path(folder), offer() + MARKET)


class World(Draws):
    """A world in which what happens to a deal is what the deal says."""

    def __init__(self, prepared: Prepared, deals: dict[str, Deal]) -> None:
        super().__init__(prepared.study, prepared.calendar, 0)
        self.deals = deals

    def delay(self, item: Lot | Shell) -> int:
        return self.deals[item.offer].late * MS_DAY

    def failed_acceptances(self, offer_name: str, index: int, failure: float) -> int:
        return self.deals[offer_name].failures

    def default(self, provider: str) -> float:
        tick = self.deals[provider.removeprefix("maker of ")].default
        return math.inf if tick is None else tick * MS_TICK

    def outages(self, offer_name: str) -> list[tuple[int, int]]:
        return [(at * MS_TICK, (at + ticks) * MS_TICK) for at, ticks in self.deals[offer_name].outages]

    def market(self, name: str) -> NDArray[np.float64]:
        return np.array(next(iter(self.deals.values())).market)

    def power(self, name: str) -> NDArray[np.float64]:
        return np.array(next(iter(self.deals.values())).power_price)


def ledger_of(used: list[float], share: float = 1.0, **deals: Deal) -> tuple[Ledger, Any]:
    """The ledger of a strategy that holds these deals, by name of the offer, or a share of them, after its life."""
    study = plain()
    given = study.offers["o"].model_dump(mode="json", by_alias=True, exclude_none=True)
    offers = {
        name: Offer.model_validate(given | {"provider": f"maker of {name}"} | terms(deal))
        for name, deal in deals.items()
    }
    held = {"hold": dict.fromkeys(deals, 7200), "share": share} | plan(deals)
    suppliers = {
        f"maker of {name}": SupplierDefault.model_validate(
            {"hazard": "1%/y", "recovery": deal.recovery, "recovery_after": f"{deal.recovery_after} d"}
        )
        for name, deal in deals.items()
    }
    update = {
        "offers": offers,
        "strategies": {"s": Strategy.model_validate(held)},
        "uncertainty": study.uncertainty.model_copy(update={"suppliers": suppliers}),
    }
    prepared = contract_only(study.model_copy(update=update))
    ctx = lived(prepared, draws=World(prepared, deals))
    return book(ctx, {place.name: np.array(used) for place in prepared.places}), ctx


SHARES = st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.8, 1.0])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def price_terms(draw: st.DrawFn) -> dict[str, Any]:
    ramp = draw(st.sampled_from([(), (), ((0, 0.2), (100, 0.5)), ((30, 0.6), (250, 0.9))]))
    share = ramp[-1][1] if ramp else draw(maybe(SHARES))
    return {
        "share": share,
        "ramp": ramp,
        "together": draw(st.booleans()) if share is not None else False,
        "period": draw(st.sampled_from(["month", "quarter", "year"])) if share is not None else "month",
        "make_up": draw(st.integers(0, 3)),
        "carry": draw(st.integers(0, 3)),
        "escalator": draw(maybe(st.sampled_from([0.03, -0.05]))),
        "reset_every": draw(maybe(st.sampled_from([90, 365]))),
        "reset_share": draw(st.sampled_from([0.5, 1.0])),
        "review_every": draw(maybe(st.sampled_from([91, 182]))),
        "collar": draw(maybe(st.sampled_from([0.05, 0.2]))),
        "prepaid": draw(st.sampled_from([0.0, 0.2, 1.0])),
        "before": draw(st.sampled_from([0, 60, 200])),
        "credited_after": draw(st.sampled_from([0, 60, 150])),
        "evenly": draw(st.booleans()),
        "refundable": draw(st.booleans()),
        "least_a_year": draw(st.sampled_from([0.0, 90e6])),
        "least": draw(st.sampled_from([0.0, 300e6])),
        "least_share": draw(st.sampled_from([0.0, 0.0, 0.6, 1.0])),
        "power": draw(
            maybe(st.sampled_from([(0.0, 0.9, 1.3, False), (60.0, 1.0, 1.1, False), (60.0, 0.7, 1.0, True)]))
        ),
        "power_price": tuple(
            draw(st.lists(st.sampled_from([-10.0, 30.0, 60.0, 95.0]), min_size=24, max_size=24))
        ),
        "market": (1.0, *draw(st.lists(st.sampled_from([0.6, 0.9, 1.0, 1.3]), min_size=23, max_size=23))),
    }


def delivery_terms(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "late": draw(st.sampled_from([0, 0, 18, 100])),
        "test": draw(st.sampled_from([0, 0, 14])),
        "repeat": draw(st.sampled_from([0, 7])),
        "failures": draw(st.sampled_from([0, 2])),
        "cure": draw(st.sampled_from([0, 30])),
        "leaves_after": draw(maybe(st.sampled_from([10, 60, 90]))),
        "long_stop": draw(maybe(st.sampled_from([80, 450]))),
        "credit": draw(st.sampled_from([0.0, 0.1])),
        "credit_cap": draw(maybe(st.just(0.01))),
        "delays_over": draw(maybe(st.sampled_from([10, 30]))),
        "outages_over": draw(maybe(st.just(3))),
        "outages": draw(st.sampled_from([(), ((50, 2), (401, 6)), ((90, 40), (1001, 4), (2700, 8))])),
        "ratio": draw(st.sampled_from([0.5, 1.0, 2.0])),
        "stand_in": draw(maybe(st.sampled_from([(1600, 0, 0.5), (3200, 30, 1.0)]))),
    }


OPTIONS = st.sampled_from([(120, 303, 2880, 2.6, 1e6), (200, 242, 1440, 1.5, 3e6)])


def life_terms(draw: st.DrawFn) -> dict[str, Any]:
    option = draw(maybe(OPTIONS))
    ends = draw(st.sampled_from(["never", "never", "left", "defaulted"]))
    return {
        "further": draw(maybe(st.sampled_from([180, 365]))),
        "further_notice": draw(st.sampled_from([0, 30, 90])),
        "further_times": draw(st.sampled_from([1, 2])),
        "further_change": draw(st.sampled_from([0.0, 0.05, -0.1])),
        "further_market": draw(st.booleans()),
        "buys": draw(st.booleans()) and draw(st.booleans()),
        "lets": draw(maybe(st.sampled_from([(35, 0.3, 0.2, 0.1), (333, 0.5, 0.0, 0.25)]))),
        "option": option,
        "exchange": option is not None and draw(st.booleans()),
        "exit": draw(st.integers(5, 700)) if ends == "left" else None,
        "notice": draw(st.sampled_from([2, 242])),
        "fee": draw(SHARES),
        "default": 4 * draw(st.integers(5, 700)) + 1 if ends == "defaulted" else None,
        "recovery": draw(SHARES),
        "recovery_after": draw(st.sampled_from([10, 200])),
    }


@st.composite
def deals(draw: st.DrawFn, exchanged: bool = False) -> Deal:
    """Any combination of terms; what is decided by the day falls on no tick on which anything else happens.

    `exchanged`: newer chips come for the first ones, of which a part was paid in advance.
    """
    given = price_terms(draw) | delivery_terms(draw) | life_terms(draw)
    if exchanged:
        given |= {"option": draw(OPTIONS), "exchange": True, "prepaid": draw(st.sampled_from([0.2, 1.0]))}
    term = draw(st.sampled_from([200, 400, 731, 1000]))
    on_date = given["share"] is not None and given["exit"] is None and draw(st.booleans())
    if given["buys"] and given["exit"] is not None:
        given["exit"] = min(given["exit"], 150)
    fixed = given["option"] is None and draw(st.booleans())
    return Deal(term=term, fixed=fixed, on_date=on_date, **given)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(deal=deals(), used=st.lists(SHARES, min_size=24, max_size=24))
def test_the_ledger_is_the_obvious_account(deal: Deal, used: list[float]) -> None:
    compare(deal, used)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(deal=deals(exchanged=True), used=st.lists(SHARES, min_size=24, max_size=24))
def test_the_ledger_of_an_exchange_is_the_obvious_account(deal: Deal, used: list[float]) -> None:
    compare(deal, used)


def compare(deal: Deal, used: list[float]) -> None:
    """Every line of every month, to the cent."""
    ledger, ctx = ledger_of(used, o=deal)
    expected = account(deal, used).lines
    for line in CASH_LINES:
        found = ledger.usd.get(("o", line), np.zeros(24))
        assert found == pytest.approx(expected.get(line, [0.0] * 24), rel=1e-9, abs=1e-2), line
    assert set(expected) <= set(CASH_LINES)
    # every dollar in one line of one month: lines add up to the total, and so do months, discounted or not
    assert ledger.nominal() == pytest.approx(sum(ledger.nominal(line=line) for line in CASH_LINES), abs=1e-2)
    assert ledger.npv() == pytest.approx(sum(ledger.npv("o", line) for line in CASH_LINES), abs=1e-2)
    # what a prepayment brings is never more than what was paid
    kept = -ledger.nominal("o", "drawdown") - ledger.nominal("o", "undrawn")
    assert kept <= ledger.nominal("o", "prepayment") + 1e-2
    assert all(usd >= 0 for usd in owed_after(ctx, ctx.end, ledger).values())


@settings(max_examples=15, deadline=None, derandomize=True)
@given(one=deals(), other=deals(), used=st.lists(SHARES, min_size=24, max_size=24))
def test_contracts_held_together_pay_what_each_pays_alone(one: Deal, other: Deal, used: list[float]) -> None:
    other = replace(other, market=one.market, power_price=one.power_price)
    both, _ = ledger_of(used, o=one, q=other)
    alone = ledger_of(used, o=one)[0].usd | ledger_of(used, q=other)[0].usd
    assert both.usd.keys() == alone.keys()
    for key, amounts in alone.items():
        assert both.usd[key] == pytest.approx(amounts, abs=1e-2)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(deal=deals(), used=st.lists(SHARES, min_size=24, max_size=24))
def test_half_of_a_holding_pays_half(deal: Deal, used: list[float]) -> None:
    whole, _ = ledger_of(used, o=deal)
    half, _ = ledger_of(used, share=0.5, o=deal)
    assert half.usd.keys() == whole.usd.keys()
    for key, amounts in whole.usd.items():
        assert half.usd[key] == pytest.approx(amounts / 2, abs=1e-2)
