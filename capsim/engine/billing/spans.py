"""From when to when a contract is paid, and at what price."""

from __future__ import annotations

from capsim.compile.calendar import MS_HOUR
from capsim.compile.portfolio import Lot
from capsim.control.context import LotState


def lot_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """When the lot was on site: (delivered, ended or horizon's end); empty when it never came."""
    if state.delivered < 0:
        return (0, 0)
    return (state.delivered, state.ended if state.ended >= 0 else end)


def rent_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """When the first term's rent runs: as long as the lot is there, but not in free hours or renewals."""
    begin, last = lot_span(lot, state, end)
    return (begin, min(last, state.rent_until) if state.rent_until >= 0 else last)


def let_ms(state: LotState, begin: int, end: int) -> int:
    """Chip-ms within [begin, end) in which chips of a lot were in others' hands."""
    return sum(chips * max(end - max(at, begin), 0) for at, chips, _ in state.let)


def lot_end(lot: Lot, state: LotState, end: int) -> int:
    """When the lot's contract ends, possibly after the horizon."""
    if lot.ends is not None:
        return lot.ends
    begin = state.delivered if state.delivered >= 0 else state.planned
    return begin + lot.term if lot.term is not None else max(end, begin)


def lot_price(lot: Lot, state: LotState) -> float:
    """USD per chip-hour that this lot pays."""
    return lot.price_hour * state.price_factor


def lot_value(lot: Lot, state: LotState, end: int) -> float:
    """Value of a lot over its whole term as contracted: rent, or the purchase price."""
    hours = max(lot.planned_end(end) - lot.planned, 0) / MS_HOUR
    return lot.chips * (lot_price(lot, state) * hours + lot.price_chip * state.price_factor)
