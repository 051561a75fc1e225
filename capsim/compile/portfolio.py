"""From a strategy's holdings to lots; delays, conversion and outages are drawn later."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR, Calendar
from capsim.compile.lots import OPTIONS, RULES, SUBSTITUTES, Lot, Shell
from capsim.compile.price_table import with_prices
from capsim.spec.hardware import System
from capsim.spec.offers import SHELLS, Offer, Option
from capsim.spec.strategies import Order, Purchase, Strategy
from capsim.spec.study import Study

MS_MONTH = DAYS_YEAR / 12 * MS_DAY
#: most orders of one rule, ramp or purchase in Python; the next one counts on from there
ROOM = 1000


@dataclass(frozen=True)
class Portfolio:
    """What a strategy holds, with notes on roundings and overlaps for the user.

    Attributes:
        parts: by offer, the share of what is held that is simulated and no other offer's (slices, overlaps).
    """

    lots: tuple[Lot, ...]
    shells: tuple[Shell, ...]
    offers: tuple[str, ...]
    base_offers: tuple[str, ...]
    notes: tuple[str, ...]
    parts: dict[str, float] = field(default_factory=dict)


def build_portfolio(study: Study, strategy: Strategy, calendar: Calendar) -> Portfolio:
    """Turn holdings into lots and shells, in the order of offers, tranches and systems."""
    lots: list[Lot] = []
    shells: list[Shell] = []
    notes: list[str] = []
    parts: dict[str, float] = {}
    share = 1.0 if strategy.share is None else float(strategy.share)
    holdings = [(name, held, 1.0) for name, held in study.base_fleet.items()]
    holdings += [(name, held, share) for name, held in strategy.hold.items()]
    held_offers = {name for name, _, _ in holdings}
    for name, held, part in holdings:
        offer = study.offers[name]
        part *= 1.0 - sum(float(o.share) for o in offer.overlaps if o.offer in held_offers)
        if offer.kind in SHELLS:
            shells += _shells(name, offer, held, part, calendar)
        else:
            found = _lots(study, name, offer, held, part, calendar, notes)
            of = "orders" if isinstance(held, list) else "tranches"
            lots += with_prices(offer, found, part, calendar.end_ms, of)
        parts[name] = part
    lots += _substitutes(study, lots, calendar)
    lots += _option_lots(study, strategy, lots, calendar, share, notes)
    lots += _rule_lots(study, strategy, calendar)
    return Portfolio(
        tuple(lots), tuple(shells), tuple(strategy.hold), tuple(study.base_fleet), tuple(notes), parts
    )


def holding_quantity(name: str, offer: Offer, held: object, notes: list[str]) -> int:
    """Chips of a holding ``min``, ``max`` or a number, rounded up to the lot; the rounding is noted."""
    quantity = offer.quantity
    if quantity is None:
        return int(str(held))
    if held == "min":
        return int(quantity.min)
    if held == "max":
        return int(quantity.max)
    wanted, lot = int(str(held)), int(quantity.lot)
    rounded = -(-wanted // lot) * lot
    if rounded != wanted:
        notes.append(f"{name}: {wanted:,} chips rounded up to {rounded:,} (lots of {lot:,})")
    return rounded


def placement_unit(system: System) -> int:
    """Chips that the scheduler places as one unit: the scale-up domain, or what the study says is coarser."""
    return max(int(system.unit or 0), int(system.domain))


def _to_domains(chips: float, domain: int) -> int:
    """The nearest number of whole scale-up domains, at least one, in chips."""
    return max(round(chips / domain), 1) * domain


def _lots(
    study: Study, name: str, offer: Offer, held: object, part: float, calendar: Calendar, notes: list[str]
) -> list[Lot]:
    if isinstance(held, list):
        return [_order_lot(study, name, offer, i, order, part, calendar) for i, order in enumerate(held)]
    chips = holding_quantity(name, offer, held, notes) * part
    pieces: list[tuple[int, str, float, int, bool]] = []
    if offer.tranches:
        for index, tranche in enumerate(offer.tranches):
            for system, fraction in (tranche.chips or offer.chips).items():
                size = chips * float(tranche.share) * float(fraction)
                pieces.append((index, system, size, calendar.ms(tranche.at), tranche.delivery == "new_build"))
    else:
        start = calendar.ms(offer.announced) if offer.announced else 0
        pieces = [(0, system, chips * float(f), max(start, 0), False) for system, f in offer.chips.items()]
    lots = [_lot(study, name, offer, *piece, calendar) for piece in pieces if piece[2] > 0]
    return _spread_total(offer, lots, part, calendar)


def _order_lot(
    study: Study, name: str, offer: Offer, index: int, order: Order, part: float, calendar: Calendar
) -> Lot:
    existing = any(t.delivery == "existing" and t.at <= order.at for t in offer.tranches)
    return _lot(
        study,
        name,
        offer,
        index,
        order.chip,
        float(order.quantity) * part,
        calendar.ms(order.at),
        not existing,
        calendar,
    )


def _lot(
    study: Study,
    name: str,
    offer: Offer,
    index: int,
    system: str,
    size: float,
    planned: int,
    new_build: bool,
    calendar: Calendar,
) -> Lot:
    spec = study.systems[system]
    shift = int(offer.delivery.shift or 0)
    return Lot(
        key=f"{name}/{index}/{system}",
        offer=name,
        index=index,
        system=system,
        chips=_to_domains(size, placement_unit(spec)),
        planned=planned + shift,
        ends=calendar.ms(offer.ends) if offer.ends else None,
        term=int(offer.term) if offer.term is not None else None,
        new_build=new_build,
        price_hour=unit_price(offer, "per_chip_hour", system)
        + unit_price(offer, "per_chip_month", system) * MS_HOUR / MS_MONTH,
        price_chip=unit_price(offer, "per_chip", system),
        kw=float(spec.kw_per_chip),
    )


def unit_price(offer: Offer, field: str, system: str) -> float:
    """The price of a chip of a system in a way of stating it, e.g. ``per_chip_hour``; 0 where it has none."""
    price = getattr(offer.price, field, None) if offer.price else None
    if isinstance(price, dict):
        return float(price.get(system, 0.0))
    return float(price) if price is not None else 0.0


def _spread_total(offer: Offer, lots: list[Lot], part: float, calendar: Calendar) -> list[Lot]:
    """Price a total-value contract per chip-hour over the planned chip-hours of what is held."""
    if offer.price is None or offer.price.total is None:
        return lots
    hours = sum(lot.chips * max(lot.planned_end(calendar.end_ms) - lot.planned, 0) / MS_HOUR for lot in lots)
    price = float(offer.price.total) * part / hours if hours else 0.0
    return [replace(lot, price_hour=price) for lot in lots]


def _shells(name: str, offer: Offer, held: object, part: float, calendar: Calendar) -> list[Shell]:
    """Powered shells: a holding of ``max`` is the offer's IT power; a number is a multiple of it (shells)."""
    unit = float(offer.power.it) if offer.power and offer.power.it is not None else 0.0
    price = float(offer.price.per_kw_month) if offer.price and offer.price.per_kw_month is not None else 0.0
    count = 1.0 if isinstance(held, str) else float(held)  # type: ignore[arg-type]
    return [
        Shell(
            key=f"{name}/{index}/shell",
            offer=name,
            index=index,
            kw=unit * count * part * float(tranche.share),
            planned=calendar.ms(tranche.at) + int(offer.delivery.shift or 0),
            term=int(offer.term) if offer.term is not None else None,
            new_build=tranche.delivery == "new_build",
            price_kw_month=price,
        )
        for index, tranche in enumerate(offer.tranches)
    ]


def _substitutes(study: Study, held: list[Lot], calendar: Calendar) -> list[Lot]:
    """Room for what a supplier provides while a tranche is late: one lot for each of those tranches."""
    lots = []
    for lot in held:
        offer = study.offers[lot.offer]
        made = offer.delivery.make_good
        if made is None or made.substitute is None:
            continue
        spec = made.substitute
        index = SUBSTITUTES + lot.index
        size = lot.chips * float(spec.share)
        there = _lot(study, lot.offer, offer, index, spec.chip, size, lot.planned, False, calendar)
        lots.append(
            replace(
                there,
                key=f"{lot.key}/{spec.chip}",
                planned=lot.planned + int(spec.after),
                ends=None,
                term=None,
                price_hour=float(spec.price or 0.0),
                price_chip=0.0,
                contingent=True,
                instead_of=(lot.key,),
            )
        )
    return lots


def _option_lots(
    study: Study, strategy: Strategy, held: list[Lot], calendar: Calendar, share: float, notes: list[str]
) -> list[Lot]:
    """Lots of the options that a strategy exercises, or may exercise if its condition holds."""
    lots = []
    for reference in [*strategy.options, *strategy.may_exercise()]:
        offer_name, _, option_name = reference.rpartition(".")
        offer = study.offers[offer_name]
        index, option = next((i, o) for i, o in enumerate(offer.options) if o.name == option_name)
        old = tuple(
            lot
            for lot in held
            if lot.offer == offer_name and lot.system in option.replaces and not lot.contingent
        )
        if option.kind == "swap":
            found = _swapped(study, offer, option, old, calendar)
        else:
            size, planned = float(option.quantity or 0.0) * share, calendar.ms(option.deliver)
            found = [
                _lot(study, offer_name, offer, OPTIONS + index, option.chip, size, planned, True, calendar)
            ]
        hourly, bought = (_option_price(option, field) for field in ("per_chip_hour", "per_chip"))
        hourly += _option_price(option, "per_chip_month") * MS_HOUR / MS_MONTH
        later = option.kind != "expand" or reference not in strategy.options
        for lot in found:
            lots.append(
                replace(
                    lot,
                    price_hour=hourly,
                    price_chip=bought,
                    decide=calendar.ms(option.decide),
                    prepaid=0.0 if offer.prepay is None else float(offer.prepay.share),
                    option=reference,
                    contingent=later,
                    instead_of=lot.instead_of or tuple(o.key for o in old),
                )
            )
        if not later:
            notes.append(
                f"{offer_name}: option {option_name} exercised, premium {float(option.premium):,.0f} USD"
            )
    return lots


def _swapped(
    study: Study, offer: Offer, option: Option, old: tuple[Lot, ...], calendar: Calendar
) -> list[Lot]:
    """Tranches planned after the decision, in the option's system; each keeps its delay."""
    decide, earliest = calendar.ms(option.decide), calendar.ms(option.deliver)
    lots = []
    for lot in old:
        if lot.planned > decide:
            new = _lot(
                study,
                lot.offer,
                offer,
                lot.index,
                option.chip,
                float(lot.chips),
                max(lot.planned, earliest),
                lot.new_build,
                calendar,
            )
            key = f"{lot.key}/{option.chip}"
            lots.append(replace(new, key=key, planned=max(lot.planned, earliest), instead_of=(lot.key,)))
    return lots


def _option_price(option: Option, field: str) -> float:
    price = getattr(option.price, field)
    return float(price[option.chip] if isinstance(price, dict) else price or 0.0)


def orders_at_most(purchase: Purchase, end_ms: int) -> int:
    """Orders that a purchase of a strategy can come to: one a review, within its limits."""
    buy, count = purchase.buy, purchase.orders
    if count is None:
        count = end_ms // purchase.review
    if buy.limit_per_quarter is not None:
        quarters = end_ms / MS_DAY / (DAYS_YEAR / 4)
        count = min(count, int(quarters * float(buy.limit_per_quarter) / float(buy.quantity)) + 1)
    if buy.limit is not None:
        count = min(count, -(-int(buy.limit) // int(buy.quantity)))
    return count


def _rule_lots(study: Study, strategy: Strategy, calendar: Calendar) -> list[Lot]:
    """Room for every order that a rule, a ramp or Python could make."""
    lots = []
    for number, purchase in enumerate(strategy.purchases()):
        buy = purchase.buy
        offer = study.offers[buy.offer]
        system = buy.chip or next(iter(offer.chips))
        for i in range(orders_at_most(purchase, calendar.end_ms)):
            index = RULES + ROOM * number + i
            lot = _lot(study, buy.offer, offer, index, system, float(buy.quantity), 0, False, calendar)
            room = [replace(lot, contingent=True)]
            lots += with_prices(offer, room, 1.0, calendar.end_ms, "purchases")
    return lots
