"""From when to when a contract is paid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.lots import Lot, Shell
from capsim.control.context import Context, LotState, ShellState
from capsim.engine.billing.ledger import overlap


def lot_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """When the lot was on site: (delivered, ended or horizon's end); empty when it never came."""
    if state.delivered < 0:
        return (0, 0)
    return (state.delivered, state.ended if state.ended >= 0 else end)


def rent_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """When rent runs, further terms included: as long as the lot is there, but not in free hours."""
    begin, last = lot_span(lot, state, end)
    return (begin, min(last, state.rent_until) if state.rent_until >= 0 else last)


def let_ms(state: LotState, begin: int, end: int) -> int:
    """Chip-ms within [begin, end) in which chips of a lot were in others' hands."""
    return sum(chips * max(end - max(at, begin), 0) for at, chips, _ in state.let)


def contracted_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """When the lot should be there: from its planned delivery, further terms included, until it is given up.

    What a late or failing supplier does not bring stays contracted to the planned end.
    """
    begin = max(state.planned, 0)
    last = end if state.bought >= 0 else lot.planned_end(end)
    if state.renewals:
        last = state.renewals[-1][1]
    if state.ended >= 0 and state.status in ("left", "ended"):
        last = min(last, state.ended)
    return (begin, max(last, begin))


def away_ms(
    ctx: Context, lot: Lot, state: LotState, edges: NDArray[np.int64], begin: int, end: int
) -> NDArray[np.int64]:
    """Chip-ms by month of [begin, end) in which chips were let, sold or reclaimed, shape (months,)."""
    away = np.zeros(len(edges) - 1, dtype=np.int64)
    for at, chips, _ in state.let:
        away += chips * overlap(edges, max(at, begin), max(end, at, begin))
    for gone, back, chips in state.reclaimed:
        first = max(gone, begin)
        away += chips * overlap(edges, first, max(min(back, end), first))
    for gone, back in ctx.reclaimed.get(lot.offer, ()):
        first = max(gone, begin)
        away += lot.chips * overlap(edges, first, max(min(back, end), first))
    return away


def lot_end(lot: Lot, state: LotState, end: int) -> int:
    """When the lot's last term ends if nobody leaves it, possibly after the horizon."""
    return state.renewals[-1][1] if state.renewals else first_end(lot, state, end)


def first_end(lot: Lot, state: LotState, end: int) -> int:
    """When the lot's first term ends if nobody leaves it, possibly after the horizon."""
    if lot.ends is not None:
        return lot.ends
    begin = state.delivered if state.delivered >= 0 else state.planned + state.delay
    return begin + lot.term if lot.term is not None else max(end, begin)


def agreed_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """The lot's contract if it is on time: (planned delivery, end, or the horizon's without one)."""
    if lot.ends is not None:
        return (state.planned, max(lot.ends, state.planned))
    return (state.planned, max(end, state.planned) if lot.term is None else state.planned + lot.term)


def shell_end(shell: Shell, state: ShellState, end: int) -> int:
    """When the lease of a shell ends if nobody leaves it; the horizon's end without a term."""
    begin = state.delivered if state.delivered >= 0 else shell.planned + state.delay
    return begin + shell.term if shell.term is not None else max(end, begin)


def shell_span(shell: Shell, state: ShellState, end: int) -> tuple[int, int]:
    """From the delivery of a shell to the end of its lease or of the horizon; empty when it never came."""
    if state.delivered < 0:
        return (0, 0)
    last = state.ended if state.ended >= 0 else min(shell_end(shell, state, end), end)
    return (state.delivered, max(last, state.delivered))


def left_at(state: LotState | ShellState) -> int:
    """When its holder left for convenience, ms; -1 where it did not."""
    if isinstance(state, LotState):
        return state.left
    return state.ended if state.status == "left" else -1
