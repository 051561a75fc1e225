"""The arithmetic of an offer: chips × hours × price = value, chips × kW = MW."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from capsim.compile.calendar import Calendar
from capsim.compile.price_path import agreed_path
from capsim.compile.price_table import Bought, prepaid_share, table_price
from capsim.spec.hardware import System
from capsim.spec.offers import SHELLS, ContractPrice, Offer, Option
from capsim.units import DAY_MS, HOUR_MS, MONTH_MS, YEAR_MS

TOLERANCE = 0.02
"""How far two statements of one figure may differ (the study language's rule: within 2 %)."""


@dataclass(frozen=True)
class Books:
    """What holding ``chips`` of an offer comes to at its own terms.

    Attributes:
        chips: chips held (critical kW for powered shells).
        chip_hours: planned chip-hours over the term (kW-months for powered shells); None without a term.
        value: USD over the term; None where price or term are missing.
        price: USD per chip-hour (per kW-month, per chip bought), the mean over systems; None where unknown.
        derived: whether the price is solved from the total.
        unit: what ``price`` is paid for.
        kw: critical IT power of the chips, kW.
    """

    chips: float
    chip_hours: float | None
    value: float | None
    price: float | None
    derived: bool
    unit: str
    kw: float

    @property
    def years(self) -> float:
        """Mean length of the contract, years of 365.25 days."""
        per_year = YEAR_MS / (MONTH_MS if self.unit == "kW-month" else HOUR_MS)
        return (self.chip_hours or 0.0) / self.chips / per_year if self.chips else 0.0

    def arithmetic(self) -> str:
        """The calculation, as a line."""
        if self.unit == "chip":
            return f"{self.chips:,.0f} chips x {money(self.price)} = {money(self.value)}"
        thing = "kW" if self.unit == "kW-month" else "chips"
        hours = f"{self.years:.2f} y x " + ("12 months" if self.unit == "kW-month" else "8,766 h")
        if self.derived:
            price = f"{money(self.price)}/{self.unit}"
            return f"{money(self.value)} / ({self.chips:,.0f} {thing} x {hours}) = {price} (derived)"
        return f"{self.chips:,.0f} {thing} x {hours} x {money(self.price)}/{self.unit} = {money(self.value)}"


def money(amount: float | None) -> str:
    """USD as people read it: $38.0B, $2.92."""
    if amount is None:
        return "$?"
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(amount) >= scale:
            return f"${amount / (1e3 if suffix == 'k' else scale):.4g}{suffix}"
    return f"${amount:,.2f}"


def close(first: float, second: float) -> bool:
    """Whether two statements of one figure agree."""
    return abs(first - second) <= TOLERANCE * max(abs(first), abs(second))


def parts(offer: Offer) -> Iterator[tuple[datetime.date | None, str, float]]:
    """Planned date, system and share of the quantity, tranche by tranche."""
    if not offer.tranches:
        for system, share in offer.chips.items():
            yield offer.announced, system, float(share)
    for tranche in offer.tranches:
        for system, share in (tranche.chips or offer.chips).items():
            yield tranche.at, system, float(tranche.share) * float(share)


def length_ms(offer: Offer, start: datetime.date | None) -> int | None:
    """Length of the contract for a part that starts on a day; None where the offer does not say."""
    if offer.term is not None:
        return int(offer.term)
    if offer.ends is not None and start is not None:
        return (offer.ends - start).days * DAY_MS
    return None


def books(offer: Offer, systems: dict[str, System], chips: float) -> Books | None:
    """The books of holding ``chips`` chips (or shells); None for an offer without a price."""
    if offer.price is None:
        return None
    if offer.kind in SHELLS:
        return _shell_books(offer, chips)
    hours: float | None = 0.0
    cost: float | None = 0.0
    bought = kw = below = 0.0
    for start, system, share in sorted(parts(offer), key=lambda part: part[0] or datetime.date.min):
        size = chips * share
        kw += size * float(systems[system].kw_per_chip) if system in systems else 0.0
        length = length_ms(offer, start)
        signed = Bought(size, below, chips, length, _prepaid(offer, start))
        below += size
        if length is None or hours is None:
            hours = None
        else:
            hours += size * length / HOUR_MS
        price = _hourly(offer.price, system)
        if cost is None or length is None or price is None:
            cost = None
        else:
            price = table_price(offer.price_table, price, system, signed)
            cost += size * _escalated(offer, price, start, length, system)
        once = _unit(offer.price, "per_chip", system) or 0.0
        bought += size * table_price(offer.price_table, once, system, signed)
    if offer.price.per_chip is not None:
        return Books(chips, hours, bought, bought / chips if chips else None, False, "chip", kw)
    if offer.price.total is not None:
        total = float(offer.price.total)
        return Books(chips, hours, total, total / hours if hours else None, True, "chip-hour", kw)
    return Books(chips, hours, cost, cost / hours if cost and hours else None, False, "chip-hour", kw)


def _shell_books(offer: Offer, count: float) -> Books | None:
    if offer.power is None or offer.power.it is None or offer.price is None:
        return None
    kw = float(offer.power.it) * count
    price = None if offer.price.per_kw_month is None else float(offer.price.per_kw_month)
    months: float | None = 0.0
    value: float | None = 0.0
    for tranche in offer.tranches:
        length = length_ms(offer, tranche.at)
        if months is None or value is None or length is None:
            months = value = None
            continue
        months += kw * float(tranche.share) * length / MONTH_MS
        rent = _escalated(offer, price or 0.0, tranche.at, length, "") * HOUR_MS / MONTH_MS
        value += kw * float(tranche.share) * rent
    mean = value / months if value and months else price
    return Books(kw, months, None if price is None else value, mean, False, "kW-month", kw)


def _escalated(offer: Offer, price: float, start: datetime.date | None, length: int, system: str) -> float:
    """What a price of an hour comes to over a contract that starts on a day, moved by the escalator."""
    day = start or offer.announced or datetime.date(2000, 1, 1)
    return agreed_path(offer, price, Calendar(day, day, 0.0), 0, length, system).hours(0, length)


def _prepaid(offer: Offer, start: datetime.date | None) -> float:
    """Share of a tranche's value that is paid in advance."""
    tranche = next((i for i, tranche in enumerate(offer.tranches) if tranche.at == start), None)
    return prepaid_share(offer, tranche)


def option_cost(offer: Offer, option: Option) -> float | None:
    """Premium and price of an exercised option over its term, USD; None without a term or price."""
    length = length_ms(offer, option.deliver)
    hourly = _hourly(option.price, option.chip)
    bought = _unit(option.price, "per_chip", option.chip)
    if option.price.total is not None:
        return float(option.price.total) + float(option.premium)
    if bought is not None and option.quantity is not None:
        return int(option.quantity) * bought + float(option.premium)
    if hourly is None or length is None or option.quantity is None:
        return None
    return int(option.quantity) * hourly * length / HOUR_MS + float(option.premium)


def _hourly(price: ContractPrice | None, system: str) -> float | None:
    """USD per chip-hour; a monthly rent is spread over 730.5 hours."""
    monthly = _unit(price, "per_chip_month", system)
    return _unit(price, "per_chip_hour", system) if monthly is None else monthly * HOUR_MS / MONTH_MS


def _unit(price: ContractPrice | None, field: str, system: str) -> float | None:
    """The price of one system: one for all, or its entry."""
    stated = getattr(price, field, None)
    if isinstance(stated, dict):
        return float(stated[system]) if system in stated else None
    return None if stated is None else float(stated)


def held_chips(offer: Offer, held: object) -> float:
    """Chips (shells for powered shells) of a holding, rounded up to the lot."""
    if isinstance(held, list):
        return float(sum(int(order.quantity) for order in held))
    if held in ("min", "max"):
        if offer.quantity is None:
            return 1.0 if offer.kind in SHELLS else 0.0
        return float(offer.quantity.min if held == "min" else offer.quantity.max)
    wanted = int(held)  # type: ignore[call-overload]
    lot = int(offer.quantity.lot) if offer.quantity is not None else 1
    return float(-(-wanted // max(lot, 1)) * lot)


def held_by_system(offer: Offer, held: object) -> dict[str, float]:
    """Chips of each system in a holding."""
    found: dict[str, float] = {}
    if isinstance(held, list):
        for order in held:
            found[order.chip] = found.get(order.chip, 0.0) + float(order.quantity)
        return found
    if offer.kind in SHELLS:
        return found
    chips = held_chips(offer, held)
    for _, system, share in parts(offer):
        found[system] = found.get(system, 0.0) + chips * share
    return found


def given_up(offer: Offer, option: Option, held: object) -> dict[str, float]:
    """Chips of each system in a holding that a refresh replaces, or that a swap turns into others."""
    dated: list[tuple[datetime.date | None, str, float]]
    if isinstance(held, list):
        dated = [(order.at, order.chip, float(order.quantity)) for order in held]
    else:
        chips = held_chips(offer, held)
        dated = [(start, system, chips * share) for start, system, share in parts(offer)]
    found: dict[str, float] = {}
    for start, system, count in dated:
        late = option.kind == "refresh" or (start is not None and start > option.decide)
        if system in option.replaces and late:
            found[system] = found.get(system, 0.0) + count
    return found
