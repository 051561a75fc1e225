"""The decision date: offers announced later and prices published later are not on the table.

Facts about hardware and models describe things, not knowledge of the market: they are used whenever they
were read, and counted. Numbers of an offer or a market whose source is dated later are used too, because
the offer itself was known, and each such offer or market is named in a warning; those of the study itself
(its demand, its uncertainty) are its author's choice and listed.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from capsim.errors import Problem
from capsim.spec.explain import locate
from capsim.spec.findings import Finding
from capsim.spec.markets import Market
from capsim.spec.nodes import Mapping
from capsim.spec.offers import Offer
from capsim.spec.paths import join_path
from capsim.spec.provenance import Sourced, used_values
from capsim.spec.study import Study

CHECK = "as-of"
_MARKET_SECTIONS = ("offers", "markets")
_PHYSICAL_SECTIONS = ("chips", "systems", "models", "porting")


class Dated(NamedTuple):
    """A study as of its decision date, the offers that it hides, and what the user should know."""

    study: Study
    hidden: dict[str, datetime.date]
    findings: list[Finding]


def apply_as_of(study: Study, tree: Mapping, file: str) -> Dated:
    """Leave out what was not known at the study's decision date."""
    date = study.as_of
    hidden = {
        name: offer.announced
        for name, offer in study.offers.items()
        if offer.announced is not None and offer.announced > date
    }
    findings = [
        Finding(
            CHECK,
            "info",
            locate(tree, ("offers", name)).key_at.problem(
                f"the offer `{name}` is hidden: announced on {announced}, after {date}"
            ),
        )
        for name, announced in hidden.items()
    ]
    known_prices = [price for price in study.prices if price.as_of <= date]
    later_prices = len(study.prices) - len(known_prices)
    if later_prices:
        where = Problem(file, 0, 0, f"{later_prices} prices dated after {date} are not used")
        findings.append(Finding(CHECK, "info", where))
    offers = {name: _without(offer, hidden) for name, offer in study.offers.items() if name not in hidden}
    markets = {name: _known(market, date) for name, market in study.markets.items()}
    for name, market in markets.items():
        if later := len(study.markets[name].mean) - len(market.mean):
            what = f"{later} published prices of `{name}` dated after {date} are not used"
            findings.append(Finding(CHECK, "info", Problem(file, 0, 0, what)))
    dated = study.model_copy(update={"offers": offers, "markets": markets, "prices": known_prices})
    findings += _later_facts(dated, tree, file)
    return Dated(dated, hidden, findings)


def _without(offer: Offer, hidden: dict[str, datetime.date]) -> Offer:
    """The offer without overlaps with offers that are not on the table."""
    known = [overlap for overlap in offer.overlaps if overlap.offer not in hidden]
    return offer if len(known) == len(offer.overlaps) else offer.model_copy(update={"overlaps": known})


def _known(market: Market, date: datetime.date) -> Market:
    """The market without published means that were read later; one without a date is the study's own."""
    known = {at: price for at, price in market.mean.items() if price.as_of is None or price.as_of <= date}
    return market if len(known) == len(market.mean) else market.model_copy(update={"mean": known})


def _later_facts(study: Study, tree: Mapping, file: str) -> list[Finding]:
    """Warnings about values of used offers and markets; the others are only told."""
    date = study.as_of
    physical = 0
    own: list[Sourced] = []
    later: dict[tuple[str, str], list[Sourced]] = {}
    for sourced in used_values(study):
        read = sourced.value.as_of
        if read is None or read <= date:
            continue
        section = str(sourced.path[0])
        if section in _PHYSICAL_SECTIONS:
            physical += 1
        elif section in _MARKET_SECTIONS:
            later.setdefault((section, str(sourced.path[1])), []).append(sourced)
        else:
            own.append(sourced)
    findings = []
    for (section, name), values in later.items():
        what = f"{len(values)} facts of `{name}` have a source dated after {date}: {_listed(values, 2)}"
        place = locate(tree, (section, name)).key_at
        findings.append(
            Finding(CHECK, "warning", place.problem(what, "move the date with --as-of, or say why"))
        )
    if own:
        what = f"{len(own)} numbers of the study itself have a source dated after {date}: {_listed(own, 0)}"
        findings.append(Finding(CHECK, "info", Problem(file, 0, 0, what)))
    if physical:
        what = f"physical facts read later than {date}: {physical} (hardware and models; used all the same)"
        findings.append(Finding(CHECK, "info", Problem(file, 0, 0, what)))
    return findings


def _listed(values: list[Sourced], skip: int) -> str:
    """The first few values with their dates; ``skip`` leading names are left out."""
    facts = ", ".join(f"{join_path(item.path[skip:])} ({item.value.as_of})" for item in values[:6])
    return facts + (f" and {len(values) - 6} more" if len(values) > 6 else "")
