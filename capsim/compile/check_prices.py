"""Checks of the money terms of offers: contradictions, impossible values, rights that a strategy lacks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from capsim.compile.books import length_ms
from capsim.compile.findings import Report
from capsim.compile.price_path import bounds
from capsim.spec.base import Section
from capsim.spec.contract_prices import MinSpend
from capsim.spec.loader import Loaded
from capsim.spec.offers import SHELLS, Offer
from capsim.spec.study import Study
from capsim.units import DAY_MS

SUM_TOLERANCE = 1e-3


def price_terms(loaded: Loaded, report: Report) -> None:
    """The terms of each offer fit its price and each other; exits that strategies plan are allowed."""
    for name, offer in loaded.study.offers.items():
        if offer.price is not None:
            _moves(report, name, offer)
            _collar(report, name, offer)
            _table(report, name, offer)
        _commitment(report, name, offer)
        _prepayment(report, name, offer)
        _minimum(report, name, offer)
        _equity(report, name, offer)
    _exits(report, loaded.study)


def _moves(report: Report, name: str, offer: Offer) -> None:
    """Markets that a price refers to exist; a total or a purchase does not move."""
    here = ("offers", name)
    price = offer.price
    assert price is not None
    for term in ("price_reset", "most_favoured"):
        clause = getattr(offer, term)
        if clause is None:
            continue
        if clause.market is None and offer.market is None:
            report.error(f"`{name}`: {term} names no market", f"add {term}.market, or market", *here, term)
        if price.per_chip_hour is None and price.per_chip_month is None:
            what = f"`{name}`: {term} moves a price per chip-hour, and the offer has none"
            report.error(what, "write price.per_chip_hour, or leave it out", *here, term)
    if offer.escalator is not None:
        if price.per_chip is not None:
            what = f"`{name}`: bought chips are paid once, nothing escalates"
            report.error(what, "leave escalator out", *here, "escalator")
        if price.total is not None:
            what = f"`{name}`: a total is what is paid in all, and an escalator would exceed it"
            report.error(what, "write price.per_chip_hour, or leave escalator out", *here, "escalator")
        steps = [int(step.after) for step in offer.escalator.steps]
        _rising(report, steps, f"`{name}`: the steps of the escalator", *here, "escalator", "steps")
    if offer.power_pass_through is not None and offer.power is None:
        what = f"`{name}` passes power through and says nothing of its power"
        report.warning(what, "add power: {site, pue}; a PUE of 1 is used", *here, "power_pass_through")


def _collar(report: Report, name: str, offer: Offer) -> None:
    if offer.collar is None or offer.price is None:
        return
    here = ("offers", name, "collar")
    if offer.escalator is None and offer.price_reset is None and offer.most_favoured is None:
        report.warning(f"`{name}`: a collar, and nothing moves the price", "leave it out", *here)
    price = offer.price.per_chip_hour
    if price is None:
        return
    for system in offer.chips:
        signed = float(price.get(system, 0.0)) if isinstance(price, dict) else float(price)
        low, high = bounds(offer.collar, signed, system)
        if not low <= signed <= high:
            what = (
                f"`{name}`: the signed price of ${signed:.2f} is outside its collar ${low:.2f} to ${high:.2f}"
            )
            report.error(what, "widen the collar, or correct the price", *here)


def _table(report: Report, name: str, offer: Offer) -> None:
    table = offer.price_table
    if table is None or offer.price is None:
        return
    here = ("offers", name, "price_table")
    price = offer.price
    if price.total is not None or price.per_kw_month is not None:
        what = f"`{name}`: a price table changes prices per chip, and the offer has none"
        report.error(what, "write price.per_chip_hour, or leave the table out", *here)
    volume = table.volume.steps if table.volume is not None else []
    _rising(report, [int(s.from_) for s in volume], f"`{name}`: the volumes", *here, "volume", "steps")
    _rising(report, [int(s.from_) for s in table.term], f"`{name}`: the terms", *here, "term")
    _rising(report, [float(s.from_) for s in table.prepaid], f"`{name}`: the shares", *here, "prepaid")
    groups: list[tuple[tuple[str, ...], Sequence[Section]]] = [
        (("volume", "steps"), volume),
        (("term",), table.term),
        (("prepaid",), table.prepaid),
    ]
    for path, index, step in ((path, i, step) for path, steps in groups for i, step in enumerate(steps)):
        discount = getattr(step, "discount", None)
        if discount is not None and not 0 <= float(discount) < 1:
            what = f"`{name}`: a discount of {float(discount):.0%}"
            report.error(what, "write a share from 0% and below 100%", *here, *path, index, "discount")
    if price.per_chip_hour is None and any(step.price is not None for step in volume):
        what = f"`{name}`: the steps are prices per chip-hour, the offer's price is not"
        report.error(what, "write discounts", *here, "volume")
    if table.prepaid and offer.prepay is None:
        what = f"`{name}`: prices by prepayment, and nothing is prepaid"
        report.warning(what, "add prepay", *here, "prepaid")


def _commitment(report: Report, name: str, offer: Offer) -> None:
    pay = offer.take_or_pay
    if pay is None:
        return
    here = ("offers", name, "take_or_pay")
    _rising(report, [int(s.after) for s in pay.ramp], f"`{name}`: the steps of the ramp", *here, "ramp")
    if pay.ramp and abs(float(pay.ramp[-1].share) - float(pay.share)) > SUM_TOLERANCE:
        what = (
            f"`{name}`: the ramp ends at {float(pay.ramp[-1].share):.0%}, the share is {float(pay.share):.0%}"
        )
        report.error(what, "let the last step be the share", *here, "ramp")
    pieces = sum(len(tranche.chips or offer.chips) for tranche in offer.tranches)
    if pay.scope == "offer" and pieces == 1 and not offer.options:
        what = f"`{name}`: take-or-pay over the whole offer, which is one tranche of one system"
        report.warning(what, "leave scope out", *here, "scope")
    if float(pay.share) >= 1 and not pay.ramp and (pay.make_up or pay.carry_forward):
        what = f"`{name}`: all hours are committed, so none can be used beyond them"
        term = "make_up" if pay.make_up else "carry_forward"
        report.error(what, f"leave {term} out, or commit less than 100%", *here, term)


def _prepayment(report: Report, name: str, offer: Offer) -> None:
    if offer.prepay is None:
        if any(tranche.prepay is not None for tranche in offer.tranches):
            what = f"`{name}`: a tranche is prepaid, and the offer does not say when"
            report.error(what, "add prepay: {share, before, credited_after}", "offers", name, "tranches")
        return
    here = ("offers", name, "prepay")
    lengths = [length_ms(offer, t.at) for t in offer.tranches] or [length_ms(offer, offer.announced)]
    known = [length for length in lengths if length is not None]
    after = int(offer.prepay.credited_after)
    if known and after >= min(known):
        what = f"`{name}`: credited {after / DAY_MS:,.0f} days after delivery, when a contract has ended"
        report.error(what, "write a shorter credited_after", *here, "credited_after")
    elif known and offer.prepay.credited == "as_billed":
        share = max([float(offer.prepay.share), *(float(t.prepay or 0.0) for t in offer.tranches)])
        if share > 1 - after / min(known):
            what = f"`{name}`: {share:.0%} is prepaid, more than the rent after the draw-down begins"
            report.warning(what, "prepay less, or credit it earlier", *here, "share")


def _minimum(report: Report, name: str, offer: Offer) -> None:
    spec = offer.min_spend
    if isinstance(spec, MinSpend) and spec.per_year is not None and spec.total is not None:
        lengths = [length_ms(offer, tranche.at) for tranche in offer.tranches]
        years = min((length for length in lengths if length is not None), default=0) / (365.25 * DAY_MS)
        if years and float(spec.per_year) * int(years) > float(spec.total):
            what = f"`{name}`: the yearly minimum over {int(years)} years is more than the total"
            report.warning(
                what, "the total never binds: leave it out, or raise it", "offers", name, "min_spend"
            )


def _equity(report: Report, name: str, offer: Offer) -> None:
    for index, equity in enumerate(offer.equity):
        here = ("offers", name, "equity", index)
        total = sum(float(milestone.share) for milestone in equity.milestones)
        if equity.milestones and abs(total - 1) > SUM_TOLERANCE:
            report.error(
                f"`{name}`: the shares of milestones sum to {total:.4g}",
                "make them sum to 1",
                *here,
                "milestones",
            )


def _exits(report: Report, study: Study) -> None:
    """A contract that is left for convenience is one of rent, and gives the right to."""
    for strategy, plan in study.strategies.items():
        exits: list[tuple[tuple[str | int, ...], str]] = [
            (("terminate", name), name) for name in plan.terminate
        ]
        exits += [
            (("rules", index, "terminate"), rule.terminate)
            for index, rule in enumerate(plan.rules)
            if rule.terminate is not None
        ]
        for path, name in exits:
            offer = study.offers.get(name)
            if offer is None:
                continue
            here = ("strategies", strategy, *path)
            if offer.termination is None:
                what = f"{strategy} leaves `{name}`, which has no right to: all that remains falls due"
                report.warning(what, "add termination: {fee: ...} to the offer", *here)
            if offer.kind not in SHELLS and offer.price is not None and offer.price.per_chip is not None:
                report.error(f"{strategy} leaves `{name}`, whose chips are bought", "leave it out", *here)


def _rising(report: Report, values: Sequence[float], what: str, *path: str | int) -> None:
    if any(second <= first for first, second in pairwise(values)):
        report.error(f"{what} are not in order", "write them from first to last", *path)
