"""Prices by volume, term and prepayment: the price at which each lot of a holding is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from capsim.spec.contract_prices import PriceTable, VolumeStep
from capsim.spec.offers import Offer

if TYPE_CHECKING:
    from capsim.compile.portfolio import Lot


def tabled_price(
    table: PriceTable, price: float, system: str, volume: float, length: int | None, prepaid: float
) -> float:
    """The price of all chips of a volume, for a length of the contract and a share paid in advance.

    Args:
        price: stated price, USD per chip-hour (or per chip).
        volume: chips held under the offer that count.
        length: of the contract, ms; None where it has no end (no term discount then).
        prepaid: share of the value.
    """
    return _by_volume(table, price, system, volume) * _factor(table, length, prepaid)


def marginal_price(
    table: PriceTable,
    price: float,
    system: str,
    below: float,
    chips: float,
    length: int | None,
    prepaid: float,
) -> float:
    """The mean price of `chips` that come after `below` others, each priced by its own step."""
    steps = table.volume.steps if table.volume is not None else []
    edges = [0.0, *(float(step.from_) for step in steps)]
    total = 0.0
    for i, low in enumerate(edges):
        high = edges[i + 1] if i + 1 < len(edges) else float("inf")
        part = max(min(high, below + chips) - max(low, below), 0.0)
        total += part * (price if i == 0 else _step_price(steps[i - 1], price, system))
    return total / chips * _factor(table, length, prepaid) if chips else price


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
    found = []
    volume = sum(lot.chips for lot in lots) / share
    below = 0.0
    for lot in sorted(lots, key=lambda lot: lot.planned):
        prepaid = _prepaid_share(offer, lot.index if of == "tranches" else None)
        chips = lot.chips / share
        table = offer.price_table
        if table is not None:
            length = (
                None if lot.ends is None and lot.term is None else lot.planned_end(horizon_end) - lot.planned
            )
            marginal = table.volume is not None and table.volume.applies == "marginal"
            alone = of == "purchases"
            hour, chip = (
                (
                    marginal_price(table, price, lot.system, 0.0 if alone else below, chips, length, prepaid)
                    if marginal
                    else tabled_price(table, price, lot.system, chips if alone else volume, length, prepaid)
                )
                if price > 0
                else 0.0
                for price in (lot.price_hour, lot.price_chip)
            )
            lot = replace(lot, price_hour=hour, price_chip=chip)
            below += chips
        found.append(replace(lot, prepaid=prepaid))
    order = {lot.key: i for i, lot in enumerate(lots)}
    return sorted(found, key=lambda lot: order[lot.key])


def _prepaid_share(offer: Offer, tranche: int | None) -> float:
    """Share of a lot's value that is paid in advance: its tranche's own, or the offer's."""
    if offer.prepay is None:
        return 0.0
    own = offer.tranches[tranche].prepay if tranche is not None and tranche < len(offer.tranches) else None
    return float(offer.prepay.share if own is None else own)
