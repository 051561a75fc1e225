"""Prices by volume, term and prepayment: the price at which each lot of a holding is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from capsim.compile.lots import Lot
from capsim.spec.contract_prices import PriceTable, VolumeStep
from capsim.spec.offers import Offer


@dataclass(frozen=True)
class Bought:
    """What a table prices: chips that are taken together.

    Attributes:
        chips: how many.
        below: chips of the same holding that come before them.
        volume: chips of the whole holding.
        length: of the contract, ms; None where it has no end (no discount by term then).
        prepaid: share of the value that is paid in advance.
    """

    chips: float
    below: float
    volume: float
    length: int | None
    prepaid: float


def table_price(table: PriceTable | None, price: float, system: str, bought: Bought) -> float:
    """The price by the table, in the unit of the stated price (0 where that is not how it is stated)."""
    if table is None or price <= 0 or bought.chips <= 0:
        return price
    if table.volume is not None and table.volume.applies == "marginal":
        price = _marginal(table.volume.steps, price, system, bought)
    else:
        price = _by_volume(table, price, system, bought.volume)
    return price * _factor(table, bought.length, bought.prepaid)


def _marginal(steps: Sequence[VolumeStep], price: float, system: str, bought: Bought) -> float:
    """The mean price of chips that are each priced by their own step."""
    edges = [0.0, *(float(step.from_) for step in steps)]
    last = bought.below + bought.chips
    total = 0.0
    for i, low in enumerate(edges):
        high = edges[i + 1] if i + 1 < len(edges) else float("inf")
        part = max(min(high, last) - max(low, bought.below), 0.0)
        total += part * (price if i == 0 else _step_price(steps[i - 1], price, system))
    return total / bought.chips


def _by_volume(table: PriceTable, price: float, system: str, volume: float) -> float:
    if table.volume is None:
        return price
    reached = [step for step in table.volume.steps if float(step.from_) <= volume]
    return _step_price(reached[-1], price, system) if reached else price


def _step_price(step: VolumeStep, price: float, system: str) -> float:
    if step.price is None:
        return price * (1.0 - float(step.discount or 0.0))
    return float(step.price.get(system, price)) if isinstance(step.price, dict) else float(step.price)


def _factor(table: PriceTable, length: int | None, prepaid: float) -> float:
    factor = 1.0
    for step in reversed(table.term):
        if length is not None and int(step.from_) <= length:
            factor *= 1.0 - float(step.discount)
            break
    for stage in reversed(table.prepaid):
        if float(stage.from_) <= prepaid:
            factor *= 1.0 - float(stage.discount)
            break
    return factor


def with_prices(offer: Offer, lots: Sequence[Lot], share: float, horizon_end: int, of: str) -> list[Lot]:
    """The lots of a holding with the shares prepaid and the prices of its table.

    Args:
        share: slice of the holding that is simulated; volumes are those of the whole holding.
        horizon_end: ms.
        of: ``tranches``, ``orders`` (steps of a volume fill up in order of date) or ``purchases`` of a rule
            (each is a volume of its own).
    """
    if not lots or (offer.prepay is None and offer.price_table is None):
        return list(lots)
    found = {}
    volume = sum(lot.chips for lot in lots) / share
    below = 0.0
    for lot in sorted(lots, key=lambda lot: lot.planned):
        chips = lot.chips / share
        length = None if lot.ends is None and lot.term is None else lot.planned_end(horizon_end) - lot.planned
        prepaid = prepaid_share(offer, lot.index if of == "tranches" else None)
        if of == "purchases":
            bought = Bought(chips, 0.0, chips, length, prepaid)
        else:
            bought = Bought(chips, below, volume, length, prepaid)
        hour, chip = (
            table_price(offer.price_table, price, lot.system, bought)
            for price in (lot.price_hour, lot.price_chip)
        )
        found[lot.key] = replace(lot, price_hour=hour, price_chip=chip, prepaid=prepaid)
        below += chips
    return [found[lot.key] for lot in lots]


def prepaid_share(offer: Offer, tranche: int | None) -> float:
    """Share of a lot's value that is paid in advance: its tranche's own, or the offer's."""
    if offer.prepay is None:
        return 0.0
    own = offer.tranches[tranche].prepay if tranche is not None and tranche < len(offer.tranches) else None
    return float(offer.prepay.share if own is None else own)
