"""Checks of offers and holdings: do the books close, can each holding be held, what is rounded."""

from __future__ import annotations

from collections.abc import Iterator

from capsim.compile.books import Books, books, close, held_by_system, held_chips, money
from capsim.compile.constraints import is_exclusive, may_use, workloads
from capsim.compile.findings import Report
from capsim.spec.loader import Loaded
from capsim.spec.offers import SHELLS, Exclusive, Offer
from capsim.spec.quantities import shown
from capsim.spec.references import used_names
from capsim.spec.study import Study


def closed_books(loaded: Loaded, report: Report) -> None:
    """Chips × price × hours = value and chips × kW = MW within 2 %, at the default or the whole offer."""
    study = loaded.study
    used = used_names(study)["offers"]
    for name, offer in study.offers.items():
        if offer.unavailable is not None:
            continue
        stated = [books(offer, study.systems, size) for size in _sizes(offer)]
        known = [entry for entry in stated if entry is not None]
        if known:
            _close_value(report, name, offer, known, name in used)
            _close_power(report, name, offer, known)
        _close_facility(report, name, offer)
    for strategy, name, held in _holdings(study):
        _implied_price(report, study, strategy, name, held)


def _sizes(offer: Offer) -> list[float]:
    """Sizes at which an offer's figures may be stated: its default, its maximum; one shell."""
    if offer.kind in SHELLS:
        return [1.0]
    sizes = [] if offer.default is None else [float(offer.default)]
    if offer.quantity is not None and (offer.price is None or offer.price.total is None or not sizes):
        sizes.append(float(offer.quantity.max))
    return sizes


def _close_value(report: Report, name: str, offer: Offer, known: list[Books], used: bool) -> None:
    first = known[0]
    if first.value is None:
        return
    if offer.price is not None and offer.price.total is not None and offer.default is None:
        what = (
            f"`{name}` states a total without a `default` holding: the price per chip depends on what is held"
        )
        report.warning(
            what, "add `default:` the holding that the total is stated for", "offers", name, "price"
        )
        return
    if used:
        solved = ""
        if offer.solve is not None:
            solved = f"; {offer.solve.unknown} derived from {money(float(offer.solve.value))}"
        report.info(f"{name}: {first.arithmetic()}{solved}", "offers", name)
    if offer.headline is None:
        return
    headline = float(offer.headline)
    if not any(entry.value is not None and close(entry.value, headline) for entry in known):
        sums = "; ".join(entry.arithmetic() for entry in known)
        what = f"the books of `{name}` do not close: {sums}, but the headline is {money(headline)}"
        hint = "leave one of price, default, term and headline out, or correct it"
        report.error(what, hint, "offers", name, "headline")


def _close_power(report: Report, name: str, offer: Offer, known: list[Books]) -> None:
    if offer.power is None or offer.power.it is None or offer.kind in SHELLS:
        return
    it = float(offer.power.it)
    if not any(close(entry.kw, it) for entry in known):
        entry = known[0]
        sums = f"{entry.chips:,.0f} chips x {entry.kw / entry.chips if entry.chips else 0:.3g} kW"
        what = f"the power of `{name}` does not close: {sums} = {_mw(entry.kw)}, stated {_mw(it)}"
        report.error(what, "leave one of them out, or correct it", "offers", name, "power", "it")


def _close_facility(report: Report, name: str, offer: Offer) -> None:
    power = offer.power
    if power is None or power.it is None or power.facility is None or power.pue is None:
        return
    gross = float(power.it) * float(power.pue)
    if not close(gross, float(power.facility)):
        what = (
            f"the power of `{name}` does not close: {_mw(power.it)} x {float(power.pue):.3g} = "
            f"{_mw(gross)} at the meter, stated {_mw(power.facility)}"
        )
        report.error(what, "leave one of it, facility and pue out", "offers", name, "power", "facility")


def _mw(kw: float) -> str:
    return f"{kw / 1e3:,.0f} MW"


def _holdings(study: Study) -> Iterator[tuple[str, str, object]]:
    """(strategy, offer, holding) of every strategy."""
    for strategy, plan in study.strategies.items():
        for name, held in plan.hold.items():
            yield strategy, name, held


def _implied_price(report: Report, study: Study, strategy: str, name: str, held: object) -> None:
    """A total is spread over what is held: say the price that this gives, where it is not the default."""
    offer = study.offers[name]
    if offer.price is None or offer.price.total is None or isinstance(held, list):
        return
    chips = held_chips(offer, held)
    if chips > 0 and (offer.default is None or chips != float(offer.default)):
        entry = books(offer, study.systems, chips)
        if entry is not None:
            report.info(
                f"{strategy} holds {name}: {entry.arithmetic()}", "strategies", strategy, "hold", name
            )


def holdable(loaded: Loaded, report: Report) -> None:
    """Every holding can be held: available, priced, within the quantity, with a shell where needed."""
    study = loaded.study
    for name, base in study.base_fleet.items():
        _may_hold(report, study, name, base, "base_fleet", name)
    for strategy, name, held in _holdings(study):
        here = ("strategies", strategy, "hold", name)
        _may_hold(report, study, name, held, *here)
        offer = study.offers[name]
        if offer.unavailable is None and offer.price is None:
            report.error(f"`{name}` has no price", "add `price:`, or hold it in base_fleet", *here)
    for strategy, plan in study.strategies.items():
        _shells(report, study, strategy)
        for purchase in plan.purchases():
            quantity = int(purchase.buy.quantity)
            _may_hold(report, study, purchase.buy.offer, quantity, "strategies", strategy, *purchase.path)
    for index, overflow in enumerate(study.overflow):
        _may_hold(report, study, overflow.offer, None, "overflow", index, "offer")
        if "research" in overflow.workloads and overflow.after is None:
            what = f"overflow to {overflow.offer}: research without `after` is not sent out"
            report.info(what, "overflow", index, "workloads")


def _may_hold(report: Report, study: Study, name: str, held: object, *here: str | int) -> None:
    offer = study.offers[name]
    if offer.unavailable is not None:
        report.error(
            f"`{name}` cannot be held: {offer.unavailable}", "give its numbers, or leave it out", *here
        )
        return
    if offer.kind in SHELLS:
        if offer.power is None or offer.power.it is None or not offer.tranches:
            report.error(f"`{name}` has no critical power or no dates", "add power.it and tranches", *here)
        return
    if (
        not offer.chips
        and not any(tranche.chips for tranche in offer.tranches)
        and not isinstance(held, list)
    ):
        report.error(f"`{name}` does not say which systems it has", "add `chips:` with shares", *here)
    if offer.price is not None:
        if offer.price.total is not None and isinstance(held, list):
            what = f"the total of `{name}` cannot be spread over dated orders"
            report.error(what, "write price.per_chip_hour, or hold a number of chips", *here)
        for field in ("per_chip_hour", "per_chip_month", "per_chip"):
            price = getattr(offer.price, field)
            for system in held_by_system(offer, held) if isinstance(price, dict) and held is not None else ():
                if system not in price:
                    hint = f"add `{system}:` to price.{field}"
                    report.error(
                        f"`{name}` has no price for {shown(system)}", hint, "offers", name, "price", field
                    )
    if held is not None:
        _within(report, offer, name, held, *here)


def _within(report: Report, offer: Offer, name: str, held: object, *here: str | int) -> None:
    """A holding lies between the least and the most that is offered."""
    if offer.quantity is None:
        if held in ("min", "max"):
            report.error(
                f"`{name}` has no quantity, so `{held}` means nothing", "write a number of chips", *here
            )
        return
    low, high = int(offer.quantity.min), int(offer.quantity.max)
    chips = held_chips(offer, held)
    if not isinstance(held, list) and 0 < chips < low:
        report.error(
            f"{chips:,.0f} chips of `{name}` are less than its minimum", f"write at least {low:,}", *here
        )
    if chips > high + int(offer.quantity.lot):
        report.error(
            f"{chips:,.0f} chips of `{name}` are more than its maximum", f"write at most {high:,}", *here
        )


def _shells(report: Report, study: Study, strategy: str) -> None:
    """Chips that need a shell need one that hosts their system."""
    held = {**study.base_fleet, **study.strategies[strategy].hold}
    shells = [study.offers[name] for name in held if study.offers[name].kind in SHELLS]
    # A shell that names no system hosts every one.
    hosts = None if any(not shell.hosts for shell in shells) else {s for shell in shells for s in shell.hosts}
    for name, holding in study.strategies[strategy].hold.items():
        offer = study.offers[name]
        for system in held_by_system(offer, holding) if offer.needs_shell else ():
            if hosts is not None and system not in hosts:
                what = f"`{name}` brings {shown(system)} without a site, and {strategy} holds no shell for it"
                hint = "hold a powered_shell offer that hosts them"
                report.error(what, hint, "strategies", strategy, "hold", name)


def lots(loaded: Loaded, report: Report) -> None:
    """Holdings are taken in whole lots; the rounding is reported."""
    study = loaded.study
    for strategy, name, held in _holdings(study):
        offer = study.offers[name]
        if offer.quantity is None or isinstance(held, str):
            continue
        here = ("strategies", strategy, "hold", name)
        lot = int(offer.quantity.lot)
        if isinstance(held, list):
            for index, order in enumerate(held):
                _rounding(report, name, int(order.quantity), lot, *here, index, "quantity")
        else:
            _rounding(report, name, int(held), lot, *here)  # type: ignore[call-overload]


def _rounding(report: Report, name: str, wanted: int, lot: int, *here: str | int) -> None:
    rounded = -(-wanted // lot) * lot
    if rounded != wanted:
        report.info(f"{name}: {wanted:,} chips are rounded up to {rounded:,} (lots of {lot:,})", *here)


def exclusivity(loaded: Loaded, report: Report) -> None:
    """A strategy that holds an exclusive contract beside those of others; overlaps that are counted once."""
    study = loaded.study
    for name, offer in study.offers.items():
        if offer.exclusive is not None:
            _repeated(report, name, offer.exclusive)
    for strategy, plan in study.strategies.items():
        held = set(plan.hold)
        for name in plan.hold:
            offer, here = study.offers[name], ("strategies", strategy, "hold", name)
            exclusive = offer.exclusive
            if exclusive and (exclusive.until is None or exclusive.until > study.horizon.start):
                until = f" until {exclusive.until}" if exclusive.until else ""
                what = f"{strategy} holds `{name}`, exclusive for {_and(exclusive.names)}{until}"
                others = sorted(n for n in held if study.offers[n].provider != offer.provider)
                if others:
                    what += f", beside {', '.join(others)}"
                    report.warning(what, "the others wait or stay idle for that work", *here)
                _where_it_runs(report, study, name, *here)
            for overlap in offer.overlaps:
                if overlap.offer in held:
                    same = f"{float(overlap.share):.0%} of {name} are chips of {overlap.offer} too"
                    what = f"{strategy}: {same}; they count once"
                    report.info(what, *here)


def _repeated(report: Report, name: str, exclusive: Exclusive) -> None:
    """Names that say nothing beside others."""
    names, here = exclusive.names, ("offers", name, "exclusive")
    if len(set(names)) < len(names) or ("all" in names and len(names) > 1):
        what = f"`{name}` is exclusive for {_and(names)}: all, or a name twice, beside others"
        report.warning(what, "name each kind or workload once", *here)


def _where_it_runs(report: Report, study: Study, name: str, *here: str) -> None:
    """Work that a contract keeps to itself and does not let in."""
    offer = study.offers[name]
    for work, residency in workloads(study):
        if offer.exclusive and is_exclusive(offer.exclusive, work) and not may_use(offer, work, residency):
            what = f"`{name}` keeps {work[1]} to itself, which may not run there"
            report.warning(what, "mend its `exclusive`, its `dedicated`, or the work's `residency`", *here)


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
