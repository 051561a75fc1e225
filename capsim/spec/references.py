"""Names in a study that mean something elsewhere in it: does each exist, and which are used."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, get_args

from capsim.spec.conditions import NAMED, comparisons
from capsim.spec.hardware import Stack
from capsim.spec.markets import Market
from capsim.spec.offers import Offer
from capsim.spec.quantities import did_you_mean, shown
from capsim.spec.strategies import Buy, Strategy
from capsim.spec.study import Study

Steps = tuple[str | int, ...]


class Wrong(NamedTuple):
    """A reference that leads nowhere: the place in the study, what is wrong, what to write.

    ``at_key`` says whether the name is the key at the end of the path or the value there.
    """

    path: Steps
    what: str
    hint: str
    at_key: bool = False


class _Names:
    """The names that a study defines, and the offers that its decision date hides."""

    def __init__(self, study: Study, hidden: Mapping[str, datetime.date]) -> None:
        self.study = study
        self.hidden = hidden
        self.wrong: list[Wrong] = []

    def check(self, kind: str, name: str, known: Iterable[str], *path: str | int) -> bool:
        """Whether ``name`` is known; reports it where it is not."""
        if name in known:
            return True
        if kind == "offer" and name in self.hidden:
            announced = self.hidden[name]
            after = f"after the decision date {self.study.as_of}"
            what = f"the offer {shown(name)} was announced on {announced}, {after}"
            hint = f"leave it out, or move the date: --as-of {announced}"
        else:
            what, hint = f"there is no {kind} {shown(name)}", did_you_mean(name, known)
        self.wrong.append(Wrong(path, what, hint, at_key=bool(path) and path[-1] == name))
        return False

    def distinct(self, kind: str, names: Iterable[str], *path: str | int) -> None:
        """Report a name that stands twice in a list."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self.wrong.append(
                    Wrong(
                        (*path, index, "name"), f"two {kind}s are named {shown(name)}", "rename one of them"
                    )
                )
            seen.add(name)


def wrong_references(study: Study, hidden: Mapping[str, datetime.date]) -> list[Wrong]:
    """Every name that leads nowhere; ``hidden`` are the offers announced after the decision date."""
    names = _Names(study, hidden)
    for name, system in study.systems.items():
        names.check("chip", system.chip, study.chips, "systems", name, "chip")
    for name, offer in study.offers.items():
        _offer(names, name, offer)
    _demand(names)
    for name, strategy in study.strategies.items():
        _strategy(names, name, strategy)
    for name in study.base_fleet:
        names.check("offer", name, study.offers, "base_fleet", name)
    for index, kept in enumerate(study.scheduler.reservations or ()):
        at = ("scheduler", "reservations", index)
        if names.check("offer", kept.offer, study.offers, *at, "offer") and kept.system is not None:
            names.check("system of the offer", kept.system, study.offers[kept.offer].chips, *at, "system")
    for index, overflow in enumerate(study.overflow):
        names.check("offer", overflow.offer, study.offers, "overflow", index, "offer")
    names.check("system", study.reference, study.systems, "reference")
    stacks = get_args(Stack)
    for name in study.porting:
        names.check("stack", name, stacks, "porting", name)
    for index, name in enumerate(study.ported):
        names.check("stack", name, stacks, "ported", index)
    for name, market in study.markets.items():
        names.check("regime", market.state, market.regimes, "markets", name, "state")
        _market(names, name, market)
    providers = {offer.provider for offer in study.offers.values()}
    for name, risk in study.uncertainty.suppliers.items():
        here = ("uncertainty", "suppliers", name)
        names.check("provider", name, providers, *here)
        if risk.factor is not None:
            names.check("factor", risk.factor, study.uncertainty.factors, *here, "factor")
    names.check("strategy", study.compare.against, study.strategies, "compare", "against")
    for index, name in enumerate(study.compare.cases):
        names.check("case", name, {"base", *study.cases}, "compare", "cases", index)
    return names.wrong


def _market(names: _Names, name: str, market: Market) -> None:
    """The market that another follows, with the same regimes, and none of its own."""
    markets, here = names.study.markets, ("markets", name, "follows", "market")
    if market.follows is None or not names.check("market", market.follows.market, markets, *here):
        return
    lead = markets[market.follows.market]
    if lead.follows is not None or market.follows.market == name:
        what = f"{shown(name)} follows a market that follows one"
        names.wrong.append(Wrong(here, what, "name the one that leads them all"))
    if (market.state, list(market.regimes)) != (lead.state, list(lead.regimes)):
        what = f"{shown(name)} has other regimes than {shown(market.follows.market)}"
        names.wrong.append(Wrong(here, what, "write the same names, order and state at the start"))


def _offer(names: _Names, name: str, offer: Offer) -> None:
    study, here = names.study, ("offers", name)
    for path, systems in _systems_of(offer):
        for system in systems:
            names.check("system", system, study.systems, *here, *path, system)
    for index, system in enumerate(offer.hosts):
        names.check("system", system, study.systems, *here, "hosts", index)
    for index, option in enumerate(offer.options):
        names.check("system", option.chip, study.systems, *here, "options", index, "chip")
        for old, system in enumerate(option.replaces):
            names.check("system", system, study.systems, *here, "options", index, "replaces", old)
    names.distinct("option", (option.name for option in offer.options), *here, "options")
    for path, market in _markets_of(offer):
        names.check("market", market, study.markets, *here, *path, "market")
    power = offer.power_pass_through
    if power is not None and power.market is not None:
        at = (*here, "power_pass_through", "market")
        names.check("power market", power.market, study.power_markets, *at)
    if offer.delivery.factor is not None:
        factors = study.uncertainty.factors
        names.check("factor", offer.delivery.factor, factors, *here, "delivery", "factor")
    made = offer.delivery.make_good
    if made is not None and made.substitute is not None:
        names.check(
            "system",
            made.substitute.chip,
            study.systems,
            *here,
            "delivery",
            "make_good",
            "substitute",
            "chip",
        )
    if offer.dedicated is not None:
        for index, workload in enumerate(offer.dedicated.workloads):
            known = workload_names(study)
            names.check("workload", workload, known, *here, "dedicated", "workloads", index)
    if offer.exclusive is not None:
        many = isinstance(offer.exclusive.workloads, list)
        for index, workload in enumerate(offer.exclusive.names):
            known = workload_names(study) | {"all"}
            names.check(
                "workload", workload, known, *here, "exclusive", "workloads", *([index] if many else [])
            )
    for index, overlap in enumerate(offer.overlaps):
        names.check("offer", overlap.offer, study.offers, *here, "overlaps", index, "offer")


def _systems_of(offer: Offer) -> Iterator[tuple[Steps, Iterable[str]]]:
    """Mappings of an offer whose keys are systems, with their paths."""
    yield ("chips",), offer.chips
    yield ("depth",), offer.depth or ()
    for index, tranche in enumerate(offer.tranches):
        yield ("tranches", index, "chips"), tranche.chips or ()
    for path, price in [(("price",), offer.price), *(_option_prices(offer))]:
        for field in ("per_chip_hour", "per_chip_month", "per_chip"):
            value = getattr(price, field, None)
            if isinstance(value, dict):
                yield (*path, field), value


def _markets_of(offer: Offer) -> Iterator[tuple[Steps, str]]:
    """Markets that an offer refers to, with their paths."""
    if offer.market is not None:
        yield (), offer.market
    for term in ("price_reset", "most_favoured"):
        market = getattr(getattr(offer, term), "market", None)
        if market is not None:
            yield (term,), market


def _option_prices(offer: Offer) -> list[tuple[Steps, Any]]:
    return [(("options", index, "price"), option.price) for index, option in enumerate(offer.options)]


def _demand(names: _Names) -> None:
    study, demand = names.study, names.study.demand
    work: list[tuple[Steps, Any]] = [
        (("demand", "training_runs", index), run) for index, run in enumerate(demand.training_runs)
    ]
    work += [(("demand", "inference", index), service) for index, service in enumerate(demand.inference)]
    if demand.research is not None:
        work.append((("demand", "research"), demand.research))
    for path, item in work:
        if item.model not in study.models:
            alias = next((card for card, model in study.models.items() if item.model in model.aliases), None)
            hint = f"write `{alias}`" if alias else did_you_mean(item.model, study.models)
            names.wrong.append(Wrong((*path, "model"), f"there is no model {shown(item.model)}", hint))
        for index, system in enumerate(item.systems):
            names.check("system", system, study.systems, *path, "systems", index)
    names.distinct("training run", (run.name for run in demand.training_runs), "demand", "training_runs")
    names.distinct("service", (service.name for service in demand.inference), "demand", "inference")


def _strategy(names: _Names, name: str, strategy: Strategy) -> None:
    study, here = names.study, ("strategies", name)
    for offer, held in strategy.hold.items():
        names.check("offer", offer, study.offers, *here, "hold", offer)
        for index, order in enumerate(held if isinstance(held, list) else ()):
            names.check("system", order.chip, study.systems, *here, "hold", offer, index, "chip")
    for index, option in enumerate(strategy.options):
        _option(names, option, *here, "options", index)
    for option, condition in strategy.exercise.items():
        _option(names, option, *here, "exercise", option)
        _condition(names, condition, False, *here, "exercise", option)
    for offer, wish in strategy.renew.items():
        names.check("offer", offer, study.offers, *here, "renew", offer)
        if wish not in ("always", "never"):
            _condition(names, wish, False, *here, "renew", offer)
    for offer in strategy.terminate:
        names.check("offer", offer, study.offers, *here, "terminate", offer)
    for index, sale in enumerate(strategy.resell):
        names.check("offer", sale.offer, study.offers, *here, "resell", index, "offer")
        if sale.when is not None:
            _condition(names, sale.when, False, *here, "resell", index, "when")
    for workload in strategy.dispatch if isinstance(strategy.dispatch, dict) else ():
        names.check("workload", workload, workload_names(study), *here, "dispatch", workload)
    for purchase in strategy.purchases():
        _buy(names, purchase.buy, *here, *purchase.path)
    for index, rule in enumerate(strategy.rules):
        at = (*here, "rules", index)
        _condition(names, rule.when, True, *at, "when")
        for key, named in (("terminate", rule.terminate), ("renew", rule.renew)):
            if named is not None:
                names.check("offer", named, study.offers, *at, key)
        if rule.exercise is not None:
            _option(names, rule.exercise, *at, "exercise")
        if rule.resell is not None:
            names.check("offer", rule.resell.offer, study.offers, *at, "resell", "offer")
    for index, option in enumerate(strategy.python.may_exercise if strategy.python else ()):
        _option(names, option, *here, "python", "may_exercise", index)


def _buy(names: _Names, buy: Buy, *path: str | int) -> None:
    """The offer of an order, and the system that it asks for."""
    study = names.study
    if not names.check("offer", buy.offer, study.offers, *path, "offer") or buy.chip is None:
        return
    offered = study.offers[buy.offer].chips
    if names.check("system", buy.chip, study.systems, *path, "chip") and buy.chip not in offered:
        what = f"`{buy.offer}` offers no {shown(buy.chip)}"
        names.wrong.append(Wrong((*path, "chip"), what, did_you_mean(buy.chip, offered)))


def _option(names: _Names, option: str, *path: str | int) -> None:
    """`offer.option`, both known."""
    study = names.study
    offer, dot, wanted = option.rpartition(".")
    if not dot:
        names.wrong.append(Wrong(path, f"{shown(option)} names no option", "write offer.option"))
    elif names.check("offer", offer, study.offers, *path):
        names.check("option", wanted, {item.name for item in study.offers[offer].options}, *path)


def _condition(names: _Names, text: str, reviewed: bool, *path: str | int) -> None:
    """What a condition names; `reviewed`: it is asked again and again, so it may have to last."""
    study = names.study
    for condition in comparisons(text):
        if condition.of:
            kind = NAMED[condition.measure]
            known: Iterable[str] = study.markets if kind == "market" else study.offers
            names.check(kind, condition.of, known, *path)
        if condition.lasting and not reviewed:
            names.wrong.append(
                Wrong(path, "a condition that is asked once cannot last", "leave out `for ...`")
            )


def workload_names(study: Study) -> set[str]:
    """What `dedicated`, `exclusive` and `dispatch` may name: training runs, services, all work of a kind."""
    demand = study.demand
    named = {run.name for run in demand.training_runs} | {service.name for service in demand.inference}
    return named | {"training", "research", "inference"}


def used_names(study: Study) -> dict[str, set[str]]:
    """Names that can matter in a simulation, by section of the study: offers, systems, chips and so on."""
    offers = set(study.base_fleet) | {overflow.offer for overflow in study.overflow}
    for strategy in study.strategies.values():
        offers |= set(strategy.hold)
        offers |= {option.rpartition(".")[0] for option in [*strategy.options, *strategy.may_exercise()]}
        offers |= strategy.buys()
    systems = {study.reference}
    markets: set[str] = set()
    for name in offers & study.offers.keys():
        offer = study.offers[name]
        systems.update(*(names for _, names in _systems_of(offer)), offer.hosts)
        systems.update(option.chip for option in offer.options)
        made = offer.delivery.make_good
        if made is not None and made.substitute is not None:
            systems.add(made.substitute.chip)
        markets.update(market for _, market in _markets_of(offer))
    for strategy in study.strategies.values():
        for held in strategy.hold.values():
            systems.update(order.chip for order in (held if isinstance(held, list) else ()))
        for rule in strategy.rules:
            markets |= {c.of for c in comparisons(rule.when) if c.measure == "price"}
    follows = (study.markets[name].follows for name in markets if name in study.markets)
    markets |= {spec.market for spec in follows if spec is not None}
    demand = study.demand
    models = {run.model for run in demand.training_runs} | {service.model for service in demand.inference}
    if demand.research is not None:
        models.add(demand.research.model)
    chips = {study.systems[name].chip for name in systems if name in study.systems}
    return {
        "offers": offers,
        "systems": systems,
        "chips": chips,
        "models": models,
        "markets": markets,
        "porting": {study.chips[name].stack for name in chips if name in study.chips},
    }
