"""From a study's file and options to a comparison that can be simulated: cases resolved, strategies
compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from capsim.compile.checks import run_checks
from capsim.compile.prepare import Prepared
from capsim.compile.rates import RateBook
from capsim.compile.regions import routed
from capsim.engine.prepare import BASE_CASE, prepare
from capsim.errors import InputError, StudyError
from capsim.results.reading import Plan
from capsim.results.versions import code_digest, versions
from capsim.spec.canonical import resolved_yaml
from capsim.spec.includes import Source
from capsim.spec.loader import Draft, Loaded, read_study
from capsim.spec.provenance import STATED, provenance
from capsim.spec.quantities import did_you_mean
from capsim.spec.study import Study
from capsim.study.bands import Band, bands
from capsim.study.compare import plan_record
from capsim.study.context import Assumed, Context, InputKind
from capsim.study.demand import central_demand

MAX_RUNS = 1_000_000


@dataclass(frozen=True)
class Request:
    """What the user asks for; None and empty stand for the study's own."""

    study: str
    sets: tuple[str, ...] = ()
    as_of: str | None = None
    cases: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    against: str | None = None
    runs: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Setup:
    """A comparison, ready to run. `specs` is the resolved study of each case as YAML, `inputs` the files
    that it was read from, traces included, with their digests, `loaded` the study of each case."""

    plan: Plan
    prepared: Mapping[tuple[str, str], Prepared]
    context: Context
    specs: Mapping[str, str]
    warnings: tuple[str, ...]
    inputs: tuple[Source, ...] = ()
    loaded: Mapping[str, Loaded] = field(default_factory=dict)

    def head(self, command: str) -> dict[str, Any]:
        """What the manifest of a run folder says of this comparison."""
        return {
            "study": self.context.name,
            "digest": self.context.digest,
            "seed": self.context.seed,
            "code": code_digest(),
            "versions": versions(),
            "command": command,
            "plan": plan_record(self.plan),
            "inputs": [{"file": source.file, "sha256": source.sha256} for source in self.inputs],
        }

    @property
    def folder_name(self) -> str:
        """Name of the run folder: six digits of the study's digest and the seed."""
        return f"{self.context.digest[:6]}-{self.context.seed}"


def set_up(request: Request) -> Setup:
    """Load, check and compile everything that `request` compares.

    Raises StudyError with every problem of the study in any of its cases, InputError for wrong names or
    numbers.
    """
    plain = read_study(request.study, sets=request.sets, as_of=request.as_of)
    seeded = plain
    if request.seed is not None:
        if request.seed < 0:
            raise InputError(f"--seed {request.seed}: write a whole number from 0 on")
        sets = (*request.sets, f"uncertainty.seed={request.seed}")
        seeded = read_study(request.study, sets=sets, as_of=request.as_of)
    base = plain.resolve(BASE_CASE)
    plan = _plan(request, plain, base.study)
    loaded = {
        case: _checked(base if case == BASE_CASE and seeded is plain else seeded.resolve(case))
        for case in plan.cases
    }
    prepared: dict[tuple[str, str], Prepared] = {}
    for case, found in loaded.items():
        rates = RateBook(found.study)
        prepared |= {(s, case): prepare(found, s, rates) for s in plan.strategies}
    first = loaded[plan.cases[0]]
    work = routed(first.study)
    bases = [p.portfolio.base_offers for p in prepared.values()]
    return Setup(
        plan=plan,
        prepared=prepared,
        context=context_of(
            work,
            request.study,
            base.digest,
            common_offers=frozenset().union(*bases),
            demand=central_demand(work, prepared[plan.against, plan.cases[0]].rates),
            found_bands=bands(work, (prepared[s, plan.cases[0]].rates for s in plan.strategies)),
        ),
        specs={case: resolved_yaml(found.study) for case, found in loaded.items()},
        warnings=tuple(dict.fromkeys(text for p in prepared.values() for text in p.warnings)),
        inputs=tuple(dict.fromkeys(source for found in loaded.values() for source in found.sources)),
        loaded=loaded,
    )


def _plan(request: Request, draft: Draft, study: Study) -> Plan:
    runs = request.runs if request.runs is not None else int(study.compare.runs)
    if not 1 <= runs <= MAX_RUNS:
        raise InputError(f"--runs {runs}: write a number from 1 to {MAX_RUNS:,}")
    against = request.against or study.compare.against
    strategies = _known("strategy", request.strategies, tuple(study.strategies))
    _known("strategy", (against,), tuple(study.strategies))
    if against not in strategies:
        if request.against is None and len(strategies) == 1:
            against = strategies[0]
        else:
            strategies = tuple(s for s in study.strategies if s in {*strategies, against})
    cases = request.cases or tuple(str(case) for case in study.compare.cases)
    return Plan(strategies, _known("case", cases, draft.cases), runs, against)


def _known(what: str, wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """`wanted` without repetitions, everything where empty. Raises InputError for an unknown name."""
    for name in wanted:
        if name not in known:
            raise InputError(f"there is no {what} {name!r}; {did_you_mean(name, known)}")
    return tuple(dict.fromkeys(wanted)) if wanted else tuple(known)


def _checked(loaded: Loaded) -> Loaded:
    findings = run_checks(loaded, telling=False)
    wrong = [finding.where for finding in findings if finding.level == "error"]
    if wrong:
        raise StudyError(wrong)
    return loaded


def context_of(
    study: Study,
    asked: str,
    digest: str,
    *,
    common_offers: frozenset[str],
    demand: Mapping[str, float],
    found_bands: tuple[Band, ...] = (),
) -> Context:
    """What a report needs to know of `study`."""
    research = study.demand.research
    return Context(
        name=study.name,
        asked=asked,
        digest=digest,
        seed=int(study.uncertainty.seed),
        start=study.horizon.start,
        end=study.horizon.end,
        as_of=study.as_of,
        discount_rate=float(study.money.discount_rate),
        provenance=dict(provenance(study).counts),
        assumed=tuple(_assumed(study)),
        token_prices={s.name: float(s.value_lost) for s in study.demand.inference},
        research_price=float(research.value_lost) if research is not None else None,
        offer_prices={name: price for name in study.offers if (price := _one_price(study, name)) is not None},
        common_offers=common_offers,
        unavailable={name: str(o.unavailable) for name, o in study.offers.items() if o.unavailable},
        published_spend=_published_spend(study),
        demand=demand,
        bands=found_bands,
        budgets=_budgets(study),
        dispatch=_dispatch(study),
    )


def _dispatch(study: Study) -> dict[str, str]:
    """What each strategy says about dispatch: `cheapest`, or `training fastest, chat cheapest`."""
    given = {name: plan.dispatch for name, plan in study.strategies.items() if plan.dispatch is not None}
    return {
        name: ", ".join(f"{work} {one}" for work, one in rule.items())
        if isinstance(rule, dict)
        else str(rule)
        for name, rule in given.items()
    }


def _budgets(study: Study) -> dict[str, float]:
    found: dict[str, float] = {}
    for rule in study.overflow:
        found[rule.offer] = found.get(rule.offer, 0.0) + float(rule.budget_per_year)
    return found


def _one_price(study: Study, offer: str) -> float | None:
    price = study.offers[offer].price
    if price is None or price.per_chip_hour is None or isinstance(price.per_chip_hour, dict):
        return None
    return float(price.per_chip_hour)


def _assumed(study: Study) -> list[Assumed]:
    """Inputs on which total cost depends linearly and that are ranges, assumed or stated without a source."""
    found = []
    slips = [run.slip_cost for run in study.demand.training_runs if _weak(run.slip_cost)]
    if slips:
        found.append(_input("a day's slip", "slip", (), slips[0], "/d"))
    services = [s for s in study.demand.inference if _weak(s.value_lost)]
    for value in _distinct(s.value_lost for s in services):
        names = tuple(s.name for s in services if _same(s.value_lost, value))
        found.append(_input(f"lost tokens of {', '.join(names)}", "tokens", names, value, "/Mtok"))
    research = study.demand.research
    if research is not None and _weak(research.value_lost):
        found.append(_input("lost research", "research", (), research.value_lost, "/chip-h"))
    for name in study.offers:
        prices = _prices(study, name)
        if prices and any(_weak(price) for price in prices):
            one = _one_price(study, name)
            words = f"${one:.2f}/h ({_tag(prices[0])})" if one is not None else f"({_tag(prices[0])})"
            found.append(Assumed(f"price of {name}", "offer", (name,), float(prices[0]), None, None, words))
    rate = float(study.money.discount_rate)
    found.append(Assumed("discount rate", "discount", (), rate, None, None, f"{100 * rate:.0f} %/y"))
    return found


def _prices(study: Study, offer: str) -> list[Any]:
    """The price of an offer, or its prices by system."""
    price = study.offers[offer].price
    if price is None:
        return []
    given = (price.total, price.per_chip_hour, price.per_kw_month, price.per_chip)
    value = next((v for v in given if v is not None), None)
    return list(value.values()) if isinstance(value, dict) else [] if value is None else [value]


def _weak(value: Any) -> bool:
    return value.confidence in (None, "assumed") or value.ranged


def _same(first: Any, second: Any) -> bool:
    return (float(first), first.low, first.high) == (float(second), second.low, second.high)


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Values without those that are equal to one before, range included."""
    found: list[Any] = []
    for value in values:
        if not any(_same(value, other) for other in found):
            found.append(value)
    return found


def _tag(value: Any) -> str:
    """The confidence of a value in words."""
    confidence = value.confidence or STATED
    return confidence.upper() if confidence == "assumed" else str(confidence)


def _input(label: str, kind: InputKind, subjects: tuple[str, ...], value: Any, suffix: str) -> Assumed:
    low, high = value.low, value.high
    span = f", {_dollars(low)}..{_dollars(high)}" if low is not None and high is not None else ""
    shown = f"{_dollars(float(value))}{suffix} ({_tag(value)}{span})"
    return Assumed(label, kind, subjects, float(value), low, high, shown)


def _dollars(number: float) -> str:
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= unit:
            return f"${number / unit:g}{letter}"
    return f"${number:g}"


def _published_spend(study: Study) -> tuple[float, str] | None:
    """The published spend through the horizon, where the study's cross-check has one: USD and its words."""
    for row in study.cross_check:
        found = re.search(r"\$\s*([0-9.]+)\s*([TBM])", str(row.published))
        if found and "spend through" in str(row.what):
            unit = {"T": 1e12, "B": 1e9, "M": 1e6}[found.group(2)]
            return float(found.group(1)) * unit, f"{row.what}"
    return None
