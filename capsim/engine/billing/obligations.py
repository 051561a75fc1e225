"""What contracts are worth as signed, what stays payable if all work stops, what it costs to leave."""

from __future__ import annotations

from capsim.compile.lots import Lot, Shell
from capsim.compile.price_path import committed_path
from capsim.control.context import Context
from capsim.engine.billing.ledger import YEAR_MS, Ledger
from capsim.engine.billing.prices import HOURS_MONTH, lot_price, lot_value, shell_price, shell_value
from capsim.engine.billing.spans import first_end, shell_end


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
            add(lot.offer, lot_value(ctx, lot, state), state.status)
    for shell in portfolio.shells:
        add(shell.offer, shell_value(ctx, shell), ctx.shells[shell.key].status)
    return found


def remaining(ctx: Context, lot: Lot, at: int) -> float:
    """What a lot signed by `at` still has to pay from then to the end of its contract, USD.

    Its committed hours at its price, further terms that are decided, and its purchase if it is still to be
    delivered. Nothing for chips that stand in for late ones, which stay as long as they are needed.
    """
    state = ctx.lots[lot.key]
    if state.status in ("not converted", "unused", "terminated"):
        return 0.0
    offer = ctx.prepared.study.offers[lot.offer]
    unsigned = state.signed > at or (lot.option and lot.option not in ctx.exercised)
    if unsigned or lot.stands_in or offer.kind == "spot":
        return 0.0
    begin = state.delivered if state.delivered >= 0 else max(state.planned + state.delay, 0)
    pay = offer.take_or_pay
    notice = int(offer.renewal.notice or 0) if offer.renewal is not None else 0
    end = first_end(lot, state, ctx.end)
    end = max([end, *(last for first, last, _ in state.renewals if first - notice <= at)])
    since = begin if pay is None or pay.starts == "on_delivery" else min(state.planned, begin)
    path = lot_price(ctx, lot, state).times(committed_path(pay, since))
    amount = lot.chips * path.hours(max(at, begin), max(end, at, begin))
    if begin > at:
        amount += lot.chips * lot.price_chip * state.price_factor
    return amount


def shell_remaining(ctx: Context, shell: Shell, at: int) -> float:
    """The same for a shell: its lease from `at` on; 0 without a term."""
    state = ctx.shells[shell.key]
    if state.status == "not converted" or shell.term is None:
        return 0.0
    begin = state.delivered if state.delivered >= 0 else shell.planned + state.delay
    end = shell_end(shell, state, ctx.end)
    return shell.kw * shell_price(ctx, shell).hours(max(at, begin), max(end, at, begin)) / HOURS_MONTH


def exit_cost(ctx: Context, item: Lot | Shell, at: int) -> float:
    """What leaving a lot or shell at an instant costs, USD: the fee on what remains, or all of it."""
    state = ctx.lots[item.key] if isinstance(item, Lot) else ctx.shells[item.key]
    left = remaining(ctx, item, at) if isinstance(item, Lot) else shell_remaining(ctx, item, at)
    right = ctx.prepared.study.offers[item.offer].termination
    if right is None:
        return left
    if right.fee is not None:
        return left * float(right.fee)
    year = max(int((at - state.delivered) // YEAR_MS), 0) if state.delivered >= 0 else 0
    return left * float(right.by_year[min(year, len(right.by_year) - 1)])


def owed_after(ctx: Context, at: int, ledger: Ledger) -> dict[str, float]:
    """By offer: what remains payable under contracts signed by `at` if all work stops then.

    Take-or-pay of delivered lots to the end of their term, of lots still to come their whole term, chips
    ordered and not delivered, shells to the end of their lease. Where the contract may be left at a fee that
    is less, the fee. Prepayments made by then and not drawn down are deducted.

    Args:
        ledger: what was paid; `at` is one of its month boundaries.
    """
    owed: dict[str, float] = {}
    portfolio = ctx.prepared.portfolio
    items: list[Lot | Shell] = [*portfolio.lots, *portfolio.shells]
    for item in items:
        state = ctx.lots[item.key] if isinstance(item, Lot) else ctx.shells[item.key]
        if not 0 <= state.ended <= at:
            owed[item.offer] = owed.get(item.offer, 0.0) + exit_cost(ctx, item, at)
    return {
        name: max(amount - prepaid_at(ledger, name, at), 0.0) for name, amount in owed.items() if amount > 0
    }


def prepaid_at(ledger: Ledger, offer: str, at: int) -> float:
    """Prepayments under an offer made before a month boundary and not drawn down by then, USD."""
    months = ledger.edges[:-1] < at
    lines = [ledger.usd.get((offer, line)) for line in ("prepayment", "drawdown")]
    return max(sum(float(amounts[months].sum()) for amounts in lines if amounts is not None), 0.0)
