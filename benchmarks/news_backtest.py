"""The backtest: what the study of December 2025 predicted in its worlds, beside what 2026 brought."""

from __future__ import annotations

import datetime
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import yaml
from news_figures import Figures, capital, gain, listed

from capsim.compile.calendar import MS_DAY, Calendar
from capsim.control.world import Draws
from capsim.engine.prepare import prepare
from capsim.results.reading import Reals, Results
from capsim.spec.loader import load_study
from capsim.spec.study import Study

OUTCOMES = Path(__file__).resolve().parents[1] / "configs" / "news" / "backtest-2025" / "outcomes.yaml"
MARKET = "contract-1y"
ORACLE, TALKS = "openai-oracle-2025", "openai-amazon-talks-2025"
#: the tails that count as a miss, percent.
LOWEST, HIGHEST = 10, 90


def backtest_2025(found: Figures) -> tuple[str, list[str]]:
    """The short answer; a table of predicted distributions and outcomes, what was missed, and why."""
    outcomes = read_outcomes()
    lines = [
        f"Over {found.count} worlds; the percentile is the share of worlds below the outcome, ties half. A "
        f"quantity outside {LOWEST} to {HIGHEST} is a miss; an event put at even odds cannot be one.",
        "",
        "| what | predicted P10 / P50 / P90 | what came, and its source | percentile |",
        "|---|---|---|---|",
    ]
    missed, met = [], []
    for name, outcome in outcomes.items():
        worlds, value, unit = found.worlds[name], float(outcome["value"]), str(outcome["unit"])
        place = percentile(worlds, value)
        if unit != "happened":
            (met if LOWEST <= place <= HIGHEST else missed).append(name)
        came = f"{shown(value, unit)}: {outcome['source']}"
        lines.append(f"| {outcome['what']} | {spread(worlds, unit)} | {came} | {place:.0f} |")
    lines += ["", _met(outcomes, met)]
    if missed:
        why = reasons(found, outcomes, Assumptions.of(load_study("news/backtest-2025").study))
        lines += [f"Missed: {outcomes[name]['what']}. {capital(why[name])}" for name in missed]
    for name in ("abilene-expansion", "amazon-contract", "nvidia-letter"):
        right = float((found.worlds[name] == float(outcomes[name]["value"])).mean())
        lines.append(f"{capital(str(outcomes[name]['what']))}: {right:.0%} of the worlds had it as it came.")
    late = percentile(found.worlds["oracle-late-believed"], float(outcomes["oracle-late"]["value"]))
    cost = found.effect("signed", "report-believed")
    lines.append(
        "With the report of December 2025 on Oracle taken at face value (case `report-believed`) the "
        "lateness "
        f"of its sites is at percentile {late:.0f}, and what was signed costs {gain(cost)}."
    )
    for strategy, words in (("signed", "what was signed"), ("announced", "what was announced too")):
        worlds = np.quantile(found.worlds[f"capacity-{strategy}"], (0.1, 0.5, 0.9))
        lines.append(
            f"New capacity at the end of 2026 from {words}, in thousands of GB200: "
            f"{' / '.join(f'{q:,.0f}' for q in worlds)} (P10 / P50 / P90). "
            "No published outcome to set beside it was found."
        )
    short = f"{len(met)} of {len(met) + len(missed)} quantities came inside the predicted range."
    if missed:
        short += f" Missed: {listed([str(outcomes[name]['what']) for name in missed])}."
    return short, lines


def read_outcomes() -> dict[str, Any]:
    """What 2026 brought, by name."""
    outcomes: dict[str, Any] = yaml.safe_load(OUTCOMES.read_text())["outcomes"]
    return outcomes


def known_volatility(since: datetime.date) -> float:
    """Yearly volatility of the one-year price of an H100 that was known at the time, from a date on.

    That of a lognormal walk with a drift: steps between published prices less their mean, over the root of
    their length.
    """
    given = yaml.safe_load(OUTCOMES.read_text())["history"]["prices"]
    known = sorted((day, math.log(price)) for day, price in given.items() if day >= since)
    steps = [((b - a).days / 365.25, y - x) for (a, x), (b, y) in itertools.pairwise(known)]
    drift = sum(step for _, step in steps) / sum(years for years, _ in steps)
    return math.sqrt(sum((step - drift * years) ** 2 / years for years, step in steps) / (len(steps) - 1))


def _met(outcomes: dict[str, Any], met: list[str]) -> str:
    if not met:
        return "Nothing was inside the predicted range."
    return f"Inside the predicted range: {listed([str(outcomes[name]['what']) for name in met])}."


@dataclass(frozen=True)
class Assumptions:
    """The numbers of the study that the missed quantities hang on.

    Attributes:
        year_late: probability that a tranche of Oracle is four quarters late or more.
        equity: Amazon's investment, USD.
        start, price: when the one-year price is, and how much, $/h.
        drift: the greatest yearly drift of its regimes.
        volatility: of its noise, a year.
    """

    year_late: float
    equity: float
    start: datetime.date
    price: float
    drift: float
    volatility: float

    @classmethod
    def of(cls, study: Study) -> Assumptions:
        """As the study has them."""
        year = 4 * 7_889_400_000
        steps = study.offers[ORACLE].delivery.delay
        (credit,) = study.offers[TALKS].equity
        market = study.markets[MARKET]
        return cls(
            sum(float(step.p) for step in steps if int(step.by) >= year - 86_400_000),
            float(credit.value or 0.0),
            study.horizon.start,
            float(market.start),
            max(float(regime.drift) for regime in market.regimes.values()),
            float(market.volatility),
        )


def reasons(found: Figures, outcomes: dict[str, Any], assumed: Assumptions) -> dict[str, str]:
    """For each quantity, which assumption would have had to be different for it to be inside, and how "
    "much."""

    def came(name: str) -> float:
        return float(outcomes[name]["value"])

    late = float((found.worlds["oracle-late"] >= came("oracle-late")).mean())
    least = float(found.worlds["binding"].min())
    binding = came("binding") / float(np.median(found.worlds["binding"]))
    equity = came("amazon-equity") * 1e9
    late_2026 = float(np.median(found.worlds["late-2026"]))
    return {
        "oracle-late": (
            f"what was known gives a tranche {assumed.year_late:.0%} for a year or more: {late:.0%} of the "
            f"worlds have such a one, where more than {2 * (100 - HIGHEST)} % would have been enough."
        ),
        "late-2026": f"delays would have had to be {came('late-2026') / max(late_2026, 1e-9):.1f} times "
        "the median.",
        "binding": (
            f"each contract would have had to bind for {binding:.2f} of what the study assumes; in the "
            "worlds where "
            f"least was converted {least:.0%} still bind, because what is signed does."
        ),
        "amazon-equity": (
            f"the study has what the news of December 2025 named, ${assumed.equity / 1e9:.0f}B; it would "
            f"have had to have {equity / assumed.equity:.1f} times as much."
        ),
        "h100-march": _drift_words(came("h100-march"), datetime.date(2026, 3, 1), assumed),
        "h100-june": _drift_words(came("h100-june"), datetime.date(2026, 6, 1), assumed),
    }


def _drift_words(price: float, day: datetime.date, assumed: Assumptions) -> str:
    years = (day - assumed.start).days / 365.25
    needed = (price / assumed.price) ** (1 / years) - 1
    if needed <= assumed.drift:
        return f"a market in shortage from the start ({assumed.drift:+.0%} a year) would have had it."
    widths = []
    for since in (datetime.date(2024, 1, 1), datetime.date(2023, 1, 1)):
        volatility = known_volatility(since)
        score = math.log(price / assumed.price) / (volatility * math.sqrt(years))
        widths.append(f"{100 * NormalDist().cdf(score):.0f} ({volatility:.0%}, since {since.year})")
    return (
        f"from ${assumed.price:.2f} the price rose by {needed:.0%} a year; the fastest regime of the "
        f"study drifts by {assumed.drift:+.0%} a year. Without any drift, with the volatility of the prices "
        f"that were known in place of {assumed.volatility:.0%}, it would be at percentile "
        f"{' or '.join(widths)}: too few prices to choose."
    )


def predictions(results: Results, share: float) -> dict[str, Reals]:
    """What each outcome was predicted to be, one value a world.

    Args:
        share: the slice of every holding that is simulated.
    """
    runs = results.plan.runs
    contracts = results.table("contracts", "base", "announced")
    equity = results.table("equity", "base", "announced", offer=TALKS)

    def of(offer: str, column: str) -> Reals:
        rows = contracts["offer"] == offer
        return np.array([contracts[column][rows & (contracts["run"] == run)].sum() for run in range(runs)])

    def total(column: str) -> Reals:
        return np.array([contracts[column][contracts["run"] == run].sum() for run in range(runs)])

    study = load_study("news/backtest-2025").study
    (credit,) = study.offers[TALKS].equity
    granted = np.array([equity["usd"][equity["run"] == run].sum() for run in range(runs)])
    granted /= 1 - float(credit.haircut or 0.0)  # the news name what is invested, not what it is worth
    held = tuple(dict.fromkeys(contracts["offer"]))
    spent = sum(of(offer, "binding") * before_2031(offer, of(offer, "late_days_mean")) for offer in held)
    return {
        "oracle-late": latest(runs, "base", ORACLE),
        "oracle-late-believed": latest(runs, "report-believed", ORACLE),
        "late-2026": late_share(results, "2026-12"),
        "binding": spent / total("term_value"),
        "abilene-expansion": (of("abilene-expansion", "binding") > 0).astype(float),
        "amazon-contract": (of(TALKS, "binding") > 0).astype(float),
        "amazon-equity": granted / 1e9 / share,
        "nvidia-letter": (of("openai-nvidia-2025", "paid") > 0).astype(float),
        "h100-march": one_year_price(runs, "2026-03"),
        "h100-june": one_year_price(runs, "2026-06"),
        **{f"capacity-{s}": new_capacity(results, s, "2026-12") / share for s in ("signed", "announced")},
    }


def latest(runs: int, case: str, offer: str) -> Reals:
    """How late the latest tranche of an offer is in the same worlds, days: the news is of some sites only."""
    loaded = load_study("news/backtest-2025", case=case)
    prepared = prepare(loaded, "signed")
    lots = [lot for lot in prepared.portfolio.lots if lot.offer == offer]
    worlds = [Draws(loaded.study, prepared.calendar, run) for run in range(runs)]
    return np.array([round(max(draws.delay(lot) for lot in lots) / MS_DAY) for draws in worlds])


def before_2031(offer: str, late_days: Reals) -> Reals:
    """Share of a contract's value that is due before 2031 if it is so late, one value a world."""
    prepared = prepare(load_study("news/backtest-2025"), "announced")
    until = prepared.calendar.ms(datetime.date(2031, 1, 1))
    value, due = 0.0, np.zeros(len(late_days))
    for lot in prepared.portfolio.lots:
        begin = lot.planned + late_days * MS_DAY
        end = begin + lot.term if lot.term is not None else np.full(len(begin), float(lot.ends or until))
        if lot.offer == offer and lot.price_chip > 0:
            value += lot.chips * lot.price_chip
            due += lot.chips * lot.price_chip * (begin < until)
        elif lot.offer == offer:
            length = float(lot.term if lot.term is not None else (lot.ends or until) - lot.planned)
            value += lot.chips * lot.price_hour * length
            due += lot.chips * lot.price_hour * np.clip(np.minimum(end, until) - begin, 0.0, None)
    for shell in prepared.portfolio.shells:
        if shell.offer == offer and shell.term is not None:
            value += shell.kw * shell.term
            due += shell.kw * np.clip(until - shell.planned - late_days * MS_DAY, 0.0, shell.term)
    return due / value if value else due


def late_share(results: Results, month: str) -> Reals:
    """Share of the signed chips planned by `month` that are not there (base fleet apart), by world."""
    series = results.table("series", "base", "signed", month=month)
    mine = ~np.char.startswith(series["offer"].astype(str), "base-")

    def chips(measure: str, run: int) -> float:
        rows = mine & (series["measure"] == measure) & (series["run"] == run)
        return float(series["value"][rows].sum())

    runs = range(results.plan.runs)
    return np.array([1 - chips("delivered", run) / chips("contracted", run) for run in runs])


def one_year_price(runs: int, month: str) -> Reals:
    """The price of an H100 for a year in the same worlds, $/h; no strategy here pays it."""
    study = load_study("news/backtest-2025").study
    calendar = Calendar(study.horizon.start, study.horizon.end, float(study.money.discount_rate))
    year, number = (int(part) for part in month.split("-"))
    index = 12 * (year - calendar.start.year) + number - calendar.start.month
    paths = [Draws(study, calendar, run).market(MARKET) for run in range(runs)]
    return float(study.markets[MARKET].start) * np.array([path[index] for path in paths])


def new_capacity(results: Results, strategy: str, month: str) -> Reals:
    """Delivered beyond the base fleet, thousands of GB200e, one value a world."""
    series = results.table("series", "base", strategy, month=month, measure="delivered_gb200e")
    mine = ~np.char.startswith(series["offer"].astype(str), "base-")
    runs = range(results.plan.runs)
    return np.array([series["value"][mine & (series["run"] == run)].sum() for run in runs]) / 1e3


def percentile(worlds: Reals, value: float) -> float:
    """Share of worlds below `value`, in percent; worlds equal to it count half."""
    return 100 * float((worlds < value).mean() + (worlds == value).mean() / 2)


def spread(worlds: Reals, unit: str) -> str:
    """P10, P50 and P90, or for what happens or not the share of worlds in which it does."""
    if unit == "happened":
        return f"in {worlds.mean():.0%} of the worlds"
    return " / ".join(shown(float(q), unit) for q in np.quantile(worlds, (0.1, 0.5, 0.9)))


def shown(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "happened":
        return "yes" if value else "no"
    spoken = {"d": f"{value:.0f} d", "share": f"{value:.0%}", "$B": f"${value:.0f}B", "$/h": f"${value:.2f}"}
    return spoken[unit]
