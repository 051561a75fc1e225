"""Egress: what it costs to serve tokens outside their region, and to copy data to other sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.dispatch import site
from capsim.compile.prepare import remote_places
from capsim.control.context import Context, Copy
from capsim.engine.billing import Ledger
from capsim.engine.billing.ledger import MONTH_MS, overlap
from capsim.engine.billing.spans import lot_span
from capsim.engine.build import Run
from capsim.engine.tokens import MTOK, TokenAccounts


def book_copies(ctx: Context, ledger: Ledger) -> None:
    """Book every copy of data on the day it left, and its storage, under the offer whose site it went to."""
    for copy in ctx.data_copies:
        ledger.add_at(copy.offer, "egress", copy.at, copy.usd)
        if copy.storage > 0:
            ledger.add(copy.offer, "egress", kept_tb_months(ctx, copy, ledger.edges) * copy.storage)


def kept_tb_months(ctx: Context, copy: Copy, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """TB-months by month of a copy that stays, until the strategy's last chips at its site leave."""
    study, until = ctx.prepared.study, 0
    for lot in ctx.prepared.portfolio.lots if copy.kept > 0 else ():
        if site(study, lot.offer) == site(study, copy.offer):
            until = max(until, lot_span(lot, ctx.lots[lot.key], ctx.end)[1])
    return overlap(edges, copy.there, max(until, copy.there)) / MONTH_MS * (copy.kept / 1e3)


def egress(run: Run, accounts: TokenAccounts) -> dict[str, NDArray[np.float64]]:
    """USD by offer and hour, paid at the offers that serve other regions' tokens."""
    paid: dict[str, NDArray[np.float64]] = {}
    for part in served_away(run, accounts):
        paid[part.offer] = paid.get(part.offer, 0.0) + part.mtok * part.price
    return paid


class Away(NamedTuple):
    """Mtok by hour of a service that a place of an offer served for another region, at USD a Mtok."""

    offer: str
    service: str
    mtok: NDArray[np.float64]
    price: float


def served_away(run: Run, accounts: TokenAccounts) -> Iterator[Away]:
    """What places served for other regions, where that has a price.

    The tokens of an hour are shared among the places by the capacity that the service held there in its step.
    """
    prepared, scaler = run.ctx.prepared, run.autoscaler
    remote = remote_places(prepared)
    if remote is None:
        return
    hours = accounts.requested.shape[1]
    for s, service in enumerate(prepared.study.demand.inference):
        price = float(service.spill.egress) if service.spill is not None else 0.0
        if price <= 0.0 or not remote[s].any():
            continue
        power = np.diff(scaler.held[:, s, :], axis=0) * run.tokens[s]
        total = power.sum(axis=1, keepdims=True)
        share = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
        hourly = np.repeat(share, scaler.period // MS_HOUR, axis=0)[:hours]
        served = (accounts.within[s] + accounts.beyond[s]) / MTOK
        for p in np.flatnonzero(remote[s] & (power > 0).any(axis=0)):
            yield Away(prepared.places[p].offer, service.name, served * hourly[:, p], price)
