"""The reverse of a total price: chips or length of a contract from its price and its value."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from capsim.spec.values import Whole, problem
from capsim.units import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from capsim.spec.offers import Offer


def solved(offer: Offer, quantity: Any) -> dict[str, Any]:
    """The fields that `solve` stands for, marked `derived`: quantity and default, or term.

    Args:
        quantity: the class of an offer's quantity.

    Raises:
        PydanticCustomError: what is to be solved is stated too, or something it follows from is not.
    """
    spec = offer.solve
    if spec is None:
        return {}
    if offer.price is None or offer.price.per_chip_hour is None:
        raise problem("solve without a price per chip-hour", "write price.per_chip_hour", "solve")
    if offer.escalator is not None or offer.price_table is not None:
        raise problem(
            "solve with a price that is not one number", "leave escalator and price_table out", "solve"
        )
    value = float(spec.value)
    if spec.unknown == "term":
        if offer.default is None or offer.ends is not None:
            raise problem("a solved term needs chips and no end", "write default, leave ends out", "solve")
        hourly = sum(share * _price(offer, system) for _, system, share in _parts(offer)) * int(offer.default)
        if hourly <= 0:
            raise problem(
                "a solved term needs chips at a price", "write chips and price.per_chip_hour", "solve"
            )
        return _same(offer, "term", _derived(value / hourly * HOUR_MS, "value / (chips x price)"))
    dollars = 0.0  # over the contract, a chip of the quantity
    for start, system, share in _parts(offer):
        length = _length(offer, start)
        if length is None:
            raise problem("solved chips need a length of the contract", "write term or ends", "solve")
        dollars += share * _price(offer, system) * length / HOUR_MS
    if dollars <= 0:
        raise problem("solved chips need a price and a term", "write both", "solve")
    lot = int(spec.lot or 1)
    chips = _derived(round(value / dollars / lot) * lot, "value / (price x hours)")
    if chips < 1:
        raise problem(
            "the value does not pay for one lot of chips", "write a greater value", "solve", "value"
        )
    limits = quantity(min=Whole(1), max=chips, lot=Whole(lot))
    return _same(offer, "quantity", limits) | _same(offer, "default", chips)


def _derived(number: float, how: str) -> Whole:
    return Whole(round(number), source=how, confidence="derived")


def _same(offer: Offer, field: str, found: Any) -> dict[str, Any]:
    """The field as solved; a study written out states it too, and then it must be the same."""
    stated = getattr(offer, field)
    if stated is not None and stated != found:
        raise problem(f"{field} is stated and solved", f"leave {field} or solve out", field)
    return {field: found}


def _parts(offer: Offer) -> list[tuple[datetime.date | None, str, float]]:
    """Start, system and share of the quantity, tranche by tranche."""
    if not offer.tranches:
        return [(offer.announced, system, float(share)) for system, share in offer.chips.items()]
    return [
        (tranche.at, system, float(tranche.share) * float(share))
        for tranche in offer.tranches
        for system, share in (tranche.chips or offer.chips).items()
    ]


def _length(offer: Offer, start: datetime.date | None) -> int | None:
    if offer.term is not None:
        return int(offer.term)
    if offer.ends is not None and start is not None:
        return (offer.ends - start).days * DAY_MS
    return None


def _price(offer: Offer, system: str) -> float:
    price = offer.price.per_chip_hour if offer.price is not None else None
    return float(price.get(system, 0.0)) if isinstance(price, dict) else float(price or 0.0)
