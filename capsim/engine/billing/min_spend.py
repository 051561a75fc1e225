"""Minimum spend: what is missing from it in a year of the contract, or over all of it, is paid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import Calendar
from capsim.compile.lots import Lot, Shell
from capsim.control.context import Context, LotState, ShellState
from capsim.engine.billing.ledger import Ledger
from capsim.engine.billing.obligations import remaining, shell_remaining
from capsim.engine.billing.prices import agreed_price, lot_value, shell_value
from capsim.engine.billing.spans import agreed_span, lot_end, shell_end
from capsim.spec.contract_prices import MinSpend

COUNTED = ("commitment", "purchase", "shell", "power", "termination", "min_spend")
"""Lines that count as spend; prepayments count as they are drawn down, with the rent that they pay for."""
ROUNDING = 1e-9
"""Share of the minimum below which a shortfall is rounding."""


def bill_min_spend(ledger: Ledger, ctx: Context) -> None:
    """Book the shortfalls of every held offer that became a contract; after all lines that count as spend."""
    portfolio = ctx.prepared.portfolio
    for name in portfolio.offers:
        given = ctx.prepared.study.offers[name].min_spend
        if given is None:
            continue
        spec = given if isinstance(given, MinSpend) else MinSpend(share=given)
        items = [(lot, ctx.lots[lot.key]) for lot in portfolio.lots if lot.offer == name]
        items = [(lot, s) for lot, s in items if s.status != "unused" and not lot.stands_in]
        shells = [(shell, ctx.shells[shell.key]) for shell in portfolio.shells if shell.offer == name]
        statuses = [state.status for _, state in items] + [state.status for _, state in shells]
        if all(status == "not converted" for status in statuses) or "defaulted" in statuses:
            continue
        if spec.per_year is not None:
            _yearly(ledger, ctx, name, float(spec.per_year) * portfolio.parts.get(name, 1.0), items, shells)
        value = sum(lot_value(ctx, lot, state) for lot, state in items)
        value += sum(shell_value(ctx, shell) for shell, _ in shells)
        required = float(spec.share or 0.0) * value
        if spec.total is not None:
            required = float(spec.total) * portfolio.parts.get(name, 1.0)
        _total(ledger, ctx, name, required, items, shells)


_Lots = list[tuple[Lot, LotState]]
_Shells = list[tuple[Shell, ShellState]]


def _yearly(ledger: Ledger, ctx: Context, name: str, least: float, lots: _Lots, shells: _Shells) -> None:
    """Years of twelve calendar months from the month of the first planned delivery; whole ones only."""
    calendar = ctx.prepared.calendar
    first = min([state.planned for _, state in lots] + [shell.planned for shell, _ in shells])
    end = max(_ends(ctx, lots, shells))
    spent = _spent(ledger, name)
    begin = _month(calendar, first) - _month(calendar, 0)
    while begin + 12 <= len(spent) and int(ledger.edges[max(begin, 0)]) < end:
        if begin >= 0:
            missing = least - float(spent[begin : begin + 12].sum())
            if missing > ROUNDING * least:
                ledger.add_at(name, "min_spend", int(ledger.edges[begin + 12]) - 1, missing)
        begin += 12


def _total(ledger: Ledger, ctx: Context, name: str, required: float, lots: _Lots, shells: _Shells) -> None:
    """Over the whole contract: what was spent before and within the horizon and is committed after it."""
    spent = float(_spent(ledger, name).sum())
    for lot, state in lots:
        if state.planned < 0 and state.status not in ("not converted", "unused"):
            spent += lot.chips * agreed_price(ctx, lot, state).hours(
                state.planned, min(0, agreed_span(lot, state, ctx.end)[1])
            )
        if state.ended < 0:
            spent += remaining(ctx, lot, ctx.end)
    spent += sum(shell_remaining(ctx, shell, ctx.end) for shell, state in shells if state.ended < 0)
    missing = required - spent
    if missing > ROUNDING * required:
        due = min(max(_ends(ctx, lots, shells)), ctx.end)
        ledger.add_at(name, "min_spend", max(due - 1, 0), missing)


def _ends(ctx: Context, lots: _Lots, shells: _Shells) -> list[int]:
    ends = [lot_end(lot, state, ctx.end) for lot, state in lots]
    return ends + [shell_end(shell, state, ctx.end) for shell, state in shells]


def _spent(ledger: Ledger, name: str) -> NDArray[np.float64]:
    """Spend under an offer by month, shape (months,)."""
    spent = np.zeros(len(ledger.edges) - 1)
    for line in COUNTED:
        spent += ledger.usd.get((name, line), 0.0)
    return spent


def _month(calendar: Calendar, at: int) -> int:
    day = calendar.day(at)
    return day.year * 12 + day.month - 1
