"""Random deals: the ledger equals the obvious account of `naive` month by month, and its dollars add up."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.compile.calendar import MS_DAY
from capsim.engine.billing import Ledger, book, owed_after
from capsim.results.schema import CASH_LINES
from capsim.spec.offers import Offer
from capsim.spec.strategies import Strategy
from capsim.spec.study import Study
from tests.engine.billing.booking import offer
from tests.engine.billing.naive import Deal, account
from tests.studies import contract_context, contract_only, small_study

MARKET = (
    "markets: {m: {start: $2/h, state: flat, volatility: 0%, regimes: {flat: {drift: 0%/y, leave: 0%/q}}}}\n"
)


@cache
def plain() -> Study:
    with TemporaryDirectory() as folder:
        return small_study(Path(folder), offer() + MARKET)


def terms(deal: Deal) -> dict[str, Any]:
    """A deal in the words of a study."""
    found: dict[str, Any] = {"market": "m", "term": f"{deal.term} d"}
    if deal.share is not None:
        found["take_or_pay"] = {
            "share": deal.share,
            "starts": "on_date" if deal.on_date else "on_delivery",
            "ramp": [{"after": f"{after} d", "share": share} for after, share in deal.ramp],
            "period": deal.period,
            "make_up": deal.make_up or None,
            "carry_forward": deal.carry or None,
        }
    if deal.escalator is not None:
        found["escalator"] = {"rate": f"{deal.escalator}/y"}
    if deal.reset_every:
        found["price_reset"] = {"every": f"{deal.reset_every} d", "share": deal.reset_share}
    if deal.review_every:
        found["most_favoured"] = {"every": f"{deal.review_every} d"}
    if deal.collar is not None:
        found["collar"] = {"down": deal.collar, "up": deal.collar}
    if deal.prepaid:
        found["prepay"] = {
            "share": deal.prepaid,
            "before": "0d",
            "credited_after": f"{deal.credited_after} d",
            "credited": "evenly" if deal.evenly else "as_billed",
        }
    if deal.exit is not None:
        found["termination"] = {"fee": deal.fee}
    if deal.least_a_year or deal.least:
        found["min_spend"] = {"per_year": f"${deal.least_a_year}", "total": f"${deal.least}"}
    return found


def ledger_of(used: list[float], share: float = 1.0, **deals: Deal) -> tuple[Ledger, Any]:
    """The ledger of a strategy that holds these deals, by name of the offer, or a share of them."""
    study = plain()
    given = study.offers["o"].model_dump(mode="json", by_alias=True, exclude_none=True)
    offers = {name: Offer.model_validate(given | terms(deal)) for name, deal in deals.items()}
    held = {"hold": dict.fromkeys(deals, 7200), "share": share}
    update = {"offers": offers, "strategies": {"s": Strategy.model_validate(held)}}
    ctx = contract_context(contract_only(study.model_copy(update=update)))
    for name, deal in deals.items():
        ctx.market_paths["m"] = np.array(deal.market)
        state = ctx.lots[f"{name}/0/gb200_nvl72"]
        state.delay = state.delivered = deal.late * MS_DAY
        end = state.delivered + deal.term * MS_DAY
        if deal.exit is not None:
            state.status, state.ended = "left", deal.exit * MS_DAY
            state.left = state.ended
            if state.delivered >= state.ended:
                state.delivered = -1
        elif end < ctx.end:
            state.status, state.ended = "ended", end
    return book(ctx, {f"{name}/gb200_nvl72": np.array(used) for name in deals}), ctx


SHARES = st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.8, 1.0])


@st.composite
def deals(draw: st.DrawFn) -> Deal:
    term = draw(st.sampled_from([200, 400, 731, 1000]))
    ramp = draw(st.sampled_from([(), ((0, 0.2), (100, 0.5)), ((30, 0.6), (250, 0.9))]))
    share = ramp[-1][1] if ramp else draw(st.none() | SHARES)
    late = draw(st.sampled_from([0, 0, 17, 100]))
    leaves = draw(st.none() | st.integers(5, 180))
    return Deal(
        term=term,
        late=late,
        share=share,
        ramp=ramp,
        on_date=draw(st.booleans()) if share is not None and leaves is None else False,
        period=draw(st.sampled_from(["month", "quarter", "year"])) if share is not None else "month",
        make_up=draw(st.integers(0, 3)),
        carry=draw(st.integers(0, 3)),
        escalator=draw(st.none() | st.sampled_from([0.03, -0.05])),
        reset_every=draw(st.none() | st.sampled_from([90, 365])),
        reset_share=draw(st.sampled_from([0.5, 1.0])),
        review_every=draw(st.none() | st.sampled_from([91, 182])),
        collar=draw(st.none() | st.sampled_from([0.05, 0.2])),
        prepaid=draw(st.sampled_from([0.0, 0.2, 1.0])),
        credited_after=draw(st.sampled_from([0, 60, 150])),
        evenly=draw(st.booleans()),
        exit=leaves,
        fee=draw(SHARES),
        least_a_year=draw(st.sampled_from([0.0, 90e6])),
        least=draw(st.sampled_from([0.0, 300e6])),
        market=(1.0, *draw(st.lists(st.sampled_from([0.6, 0.9, 1.0, 1.3]), min_size=23, max_size=23))),
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(deal=deals(), used=st.lists(SHARES, min_size=24, max_size=24))
def test_the_ledger_is_the_obvious_account(deal: Deal, used: list[float]) -> None:
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
    other = replace(other, market=one.market)
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
