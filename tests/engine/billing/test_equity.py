"""Equity and warrants: what vests when, worked out by hand; never in the cash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capsim.compile.calendar import MS_DAY
from capsim.control.context import Context
from capsim.engine.billing import vest_equity
from capsim.engine.billing.equity import stock_path
from capsim.spec.contract_prices import Stock
from tests.engine.billing.booking import RENT, booked, offer, only_lot

FLAT = "stock: {price: $100, drift: 0%/y, volatility: 0%}"


def equity(part: str, **fields: str) -> str:
    return offer(extra=f", equity: [{part}]", **fields)


def vested(tmp_path: Path, text: str, change: object = None) -> np.ndarray:
    ledger, ctx = booked(tmp_path, text, change)  # type: ignore[arg-type]
    assert ledger.nominal() == pytest.approx(RENT)
    return vest_equity(ctx).usd.get(("o", "equity"), np.zeros(24))


def test_on_signing_conditional_and_with_delivery(tmp_path: Path) -> None:
    # $350M less 10 %: all in January; 70 % of it; on delivery of all chips
    assert vested(tmp_path, equity("{value: $350M, haircut: 10%, vests: on_signing}"))[0] == pytest.approx(
        315e6
    )
    part = "{value: $350M, haircut: 10%, vests: conditional, probability: 70%}"
    assert vested(tmp_path, equity(part))[0] == pytest.approx(220.5e6)
    found = vested(tmp_path, equity("{value: $350M, haircut: 10%}", strategy=", share: 100%"))
    assert found[0] == pytest.approx(315e6) and found[1:].sum() == 0.0


def test_a_slice_brings_a_slice(tmp_path: Path) -> None:
    _, ctx = booked(
        tmp_path, equity("{value: $350M, haircut: 10%, vests: on_signing}", strategy=", share: 50%")
    )
    assert vest_equity(ctx).nominal() == pytest.approx(157.5e6)


def test_a_contract_that_never_was_brings_nothing(tmp_path: Path) -> None:
    def lost(ctx: Context) -> None:
        only_lot(ctx).status, only_lot(ctx).delivered = "not converted", -1

    _, ctx = booked(tmp_path, equity("{value: $350M, haircut: 10%, vests: on_signing}"), lost)
    assert vest_equity(ctx).nominal() == 0.0


def test_a_warrant_vests_by_power_share_price_and_date(tmp_path: Path) -> None:
    milestones = (
        "[{share: 25%, delivered: 10 MW}, {share: 25%, delivered: 10 MW, not_before: 2026-07-10},"
        " {share: 25%, delivered: 10 MW, share_price: $90, probability: 40%}, {share: 25%, share_price: $120}]"
    )
    part = f"{{warrant: {{shares: 1.6M, strike: $0.01}}, {FLAT}, haircut: 20%, vests: milestones, milestones: {milestones}}}"
    found = vested(tmp_path, equity(part))
    # 7,200 chips draw more than 10 MW in January. The warrant is worth 1.6M x ($100 - $0.01) = $159.984M, less 20 %
    # $127.9872M. January: 25 % and, above $90, 25 % x 40 %; July: 25 %; $120 is never reached.
    assert found[0] == pytest.approx(0.35 * 127_987_200)
    assert found[6] == pytest.approx(0.25 * 127_987_200)
    assert found.sum() == pytest.approx(0.60 * 127_987_200)


def test_power_that_comes_late_vests_late(tmp_path: Path) -> None:
    def late(ctx: Context) -> None:
        only_lot(ctx).delay = only_lot(ctx).delivered = 100 * MS_DAY

    part = "{value: $100M, haircut: 0%, vests: milestones, milestones: [{share: 100%, delivered: 10 MW}]}"
    _, ctx = booked(tmp_path, equity(part), late)
    assert np.flatnonzero(vest_equity(ctx).usd["o", "equity"]).tolist() == [3]  # 11 April


def test_the_share_price_grows_by_its_drift_on_average() -> None:
    stock = Stock.model_validate({"price": "$100", "drift": "10%/y", "volatility": "40%"})
    ends = [stock_path(stock, 12, ("test", run))[-1] for run in range(4000)]
    # lognormal with mean 110 and standard deviation 110 x sqrt(exp(.16) - 1) = 45.8: standard error 0.72
    assert np.mean(ends) == pytest.approx(110.0, abs=2.2)
    assert np.std(np.log(ends)) == pytest.approx(0.40, abs=0.02)
