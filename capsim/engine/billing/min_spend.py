"""Minimum spend: what is missing from it in a year of the contract, or over all of it, is paid.

What the supplier did not bring excuses the customer: tranches that were left because they were too late, and
the hours that a late tranche lacks before a common end, lower every minimum in proportion to their value.
"""

from __future__ import annotations

from dataclasses import dataclass

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

COUNTED = ("commitment", "purchase", "shell", "power", "termination")
"""Lines that count as spend; prepayments count as they are drawn down, with the rent that they pay for."""
ROUNDING = 1e-9
"""Share of the minimum below which a shortfall is rounding."""


@dataclass(frozen=True)
class Shortfall:
    """What is missing from a minimum: due at `at` (ms), `least` less what was `spent`, USD."""

    at: int
    least: float
    spent: float
    what: str


def bill_min_spend(ledger: Ledger, ctx: Context) -> None:
    """Book the shortfalls of every held offer; after all lines that count as spend."""
    for name in ctx.prepared.portfolio.offers:
        for missing in shortfalls(ledger, ctx, name):
            ledger.add_at(name, "min_spend", missing.at, missing.least - missing.spent)


def shortfalls(ledger: Ledger, ctx: Context, name: str) -> list[Shortfall]:
    """What is missing from the minima of an offer that became a contract; none where the supplier defaulted.

    Shortfalls of years count as spend towards the total.
    """
    portfolio = ctx.prepared.portfolio
    given = ctx.prepared.study.offers[name].min_spend
    if given is None:
        return []
    spec = given if isinstance(given, MinSpend) else MinSpend(share=given)
    items = [(lot, ctx.lots[lot.key]) for lot in portfolio.lots if lot.offer == name]
    items = [(lot, s) for lot, s in items if s.status != "unused" and not lot.stands_in]
    shells = [(shell, ctx.shells[shell.key]) for shell in portfolio.shells if shell.offer == name]
    statuses = [state.status for _, state in items] + [state.status for _, state in shells]
    if all(status == "not converted" for status in statuses) or "defaulted" in statuses:
        return []
    signed = sum(lot_value(ctx, lot, state) for lot, state in items)
    signed += sum(shell_value(ctx, shell) for shell, _ in shells)
    kept = signed - sum(excused(ctx, lot, state) for lot, state in items)
    items = [(lot, state) for lot, state in items if state.status != "terminated"]
    if not items and not shells:
        return []
    part = portfolio.parts.get(name, 1.0) * (kept / signed if signed > 0 else 1.0)
    found = []
    if spec.per_year is not None:
        found = _yearly(ledger, ctx, name, float(spec.per_year) * part, items, shells)
    required = float(spec.share or 0.0) * kept if spec.total is None else float(spec.total) * part
    paid = sum(missing.least - missing.spent for missing in found)
    return found + _total(ledger, ctx, name, required, paid, items, shells)


def excused(ctx: Context, lot: Lot, state: LotState) -> float:
    """Value of what the supplier did not bring of a lot as contracted, USD.

    All of a lot that was left because it was too late; with a common end the hours before it came, unless
    take-or-pay commits to them from the planned date on.
    """
    if state.status == "terminated":
        return lot_value(ctx, lot, state)
    pays = ctx.prepared.study.offers[lot.offer].take_or_pay
    if lot.ends is None or (pays is not None and pays.starts == "on_date"):
        return 0.0
    came = _came(state) if state.ended < 0 or state.delivered >= 0 else min(_came(state), state.ended)
    begin, end = agreed_span(lot, state, ctx.end)
    return lot.chips * agreed_price(ctx, lot, state).hours(begin, min(max(came, begin), end))


def _came(state: LotState) -> int:
    """When a lot came or is to come, ms; before the horizon where it was there from the start."""
    return state.delivered if state.delivered > 0 else state.planned + state.delay


_Lots = list[tuple[Lot, LotState]]
_Shells = list[tuple[Shell, ShellState]]


def _yearly(
    ledger: Ledger, ctx: Context, name: str, least: float, lots: _Lots, shells: _Shells
) -> list[Shortfall]:
    """Years of twelve calendar months from the month of the first planned delivery; whole ones only."""
    calendar = ctx.prepared.calendar
    first = min([state.planned for _, state in lots] + [shell.planned for shell, _ in shells])
    end = max(_ends(ctx, lots, shells))
    spent = _spent(ledger, name)
    begin = _month(calendar, first) - _month(calendar, 0)
    found = []
    while begin + 12 <= len(spent) and int(ledger.edges[max(begin, 0)]) < end:
        if begin >= 0:
            year = float(spent[begin : begin + 12].sum())
            if least - year > ROUNDING * least:
                at = int(ledger.edges[begin + 12]) - 1
                found.append(Shortfall(at, least, year, "in the year"))
        begin += 12
    return found


def _total(
    ledger: Ledger,
    ctx: Context,
    name: str,
    required: float,
    paid: float,
    lots: _Lots,
    shells: _Shells,
) -> list[Shortfall]:
    """Over the whole contract: what was spent before and within the horizon and is committed after it."""
    spent = float(_spent(ledger, name).sum()) + paid
    for lot, state in lots:
        if _came(state) < 0 and state.status not in ("not converted", "unused"):
            spent += lot.chips * agreed_price(ctx, lot, state).hours(
                _came(state), min(0, agreed_span(lot, state, ctx.end)[1])
            )
        if state.ended < 0:
            spent += remaining(ctx, lot, ctx.end)
    spent += sum(shell_remaining(ctx, shell, ctx.end) for shell, state in shells if state.ended < 0)
    if required - spent <= ROUNDING * required:
        return []
    due = min(max(_ends(ctx, lots, shells)), ctx.end)
    return [Shortfall(max(due - 1, 0), required, spent, "in all")]


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
