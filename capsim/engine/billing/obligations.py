"""What the contracts are worth as signed, and what stays payable if all work stops."""

from __future__ import annotations

from capsim.compile.calendar import MS_HOUR
from capsim.control.context import Context
from capsim.engine.billing.ledger import MONTH_MS
from capsim.engine.billing.lifecycle import renewals_owed
from capsim.engine.billing.spans import lot_end, lot_price, lot_value


def contract_values(ctx: Context) -> dict[str, tuple[float, float]]:
    """By held offer: value over the whole terms as contracted, and the part of it that became a contract."""
    found: dict[str, tuple[float, float]] = {}

    def add(offer: str, value: float, status: str) -> None:
        total, signed = found.get(offer, (0.0, 0.0))
        found[offer] = (total + value, signed + (value if status != "not converted" else 0.0))

    portfolio = ctx.prepared.portfolio
    for lot in portfolio.lots:
        state = ctx.lots[lot.key]
        spot = ctx.prepared.study.offers[lot.offer].kind == "spot"
        if lot.offer in portfolio.offers and state.status != "unused" and not spot:
            add(lot.offer, lot_value(lot, state, ctx.end), state.status)
    for shell in portfolio.shells:
        months = (shell.term or 0) / MONTH_MS
        add(shell.offer, shell.kw * shell.price_kw_month * months, ctx.shells[shell.key].status)
    return found


def owed_after(ctx: Context, at: int) -> dict[str, float]:
    """By offer: what remains payable under contracts signed by `at` if all work stops then.

    Take-or-pay of delivered lots to the end of their term, of lots still to come their whole term, chips
    ordered and not delivered, shells to the end of their lease; prepayments already made are deducted.
    """
    owed: dict[str, float] = {}
    study = ctx.prepared.study
    for lot in ctx.prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if state.status in ("not converted", "unused", "terminated") or (
            lot.purchased_by_rule and state.planned > at
        ):
            continue
        if 0 <= state.ended <= at or study.offers[lot.offer].kind == "spot":
            continue
        pay = study.offers[lot.offer].take_or_pay
        share = 1.0 if pay is None else float(pay.share)
        begin = state.delivered if state.delivered >= 0 else max(state.planned + state.delay, 0)
        left = max(lot_end(lot, state, ctx.end) - max(at, begin), 0) / MS_HOUR
        amount = lot.chips * lot_price(lot, state) * left * share
        if begin > at:
            amount += lot.chips * lot.price_chip * state.price_factor
        amount += renewals_owed(ctx, lot, state, at)
        owed[lot.offer] = owed.get(lot.offer, 0.0) + amount
    for shell in ctx.prepared.portfolio.shells:
        shell_state = ctx.shells[shell.key]
        if shell_state.status == "not converted" or shell.term is None or 0 <= shell_state.ended <= at:
            continue
        begin = shell_state.delivered if shell_state.delivered >= 0 else shell.planned + shell_state.delay
        left = max(begin + shell.term - max(at, begin), 0) / MONTH_MS
        owed[shell.offer] = owed.get(shell.offer, 0.0) + shell.kw * shell.price_kw_month * left
    return owed
