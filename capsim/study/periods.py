"""What binds a strategy quarter by quarter, its calendar years, and where its paid chip-time went."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from capsim.results.reading import Results
from capsim.results.schema import LADDER
from capsim.study.binding import LEAST_GAP
from capsim.study.context import DAYS_YEAR, Context

#: constraints in the order in which they stand between a signed contract and work.
CONSTRAINTS = ("delivery", "power", "repair", "porting", "chips")
#: a yearly budget is used up when less than this share of it is left.
BUDGET_LEFT = 0.01


@dataclass(frozen=True)
class Quarter:
    """A quarter, means over its months and runs.

    Attributes:
        name: `26Q3`.
        contracted: chips that the contracts say, `idle` those that were free.
        short: by constraint, chips that are missing because of it: not delivered, without power, in repair,
            on a stack that is being ported; `chips` are the reference chips by which what was delivered is
            short of demand's central path.
        of: by constraint, what they are missing from.
        binds: the constraint that takes most, where it takes more than 2 %; empty otherwise.
        budgets: offers whose yearly budget for renting on demand is used up.
    """

    name: str
    contracted: float
    idle: float
    short: dict[str, float]
    of: dict[str, float]
    binds: str
    budgets: tuple[str, ...]


@dataclass(frozen=True)
class Year:
    """A calendar year, nominal USD, means over runs; chips, debts and prepayments by provider at its end."""

    year: int
    payments: float
    owed: float
    idle_rent: float
    bought_twice: float
    chips_by: dict[str, float]
    owed_by: dict[str, float]
    prepaid_by: dict[str, float]


def quarters(results: Results, context: Context, strategy: str, case: str) -> list[Quarter]:
    """Every quarter of the horizon and what binds in it."""
    series = results.table("series", case, strategy)
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    months: dict[str, set[str]] = defaultdict(set)
    for month, measure, value in zip(series["month"], series["measure"], series["value"], strict=True):
        name = quarter_name(month)
        months[name].add(month)
        sums[name][measure] += float(value)
    for month in context.demand:
        months[quarter_name(month)].add(month)
    spent = _budgets(results, context, strategy, case)
    return [
        _quarter(name, sums[name], sorted(months[name]), results.plan.runs, context, spent)
        for name in sorted(months)
    ]


def quarter_name(month: str) -> str:
    """`26Q3` for `2026-08`."""
    return f"{month[2:4]}Q{(int(month[5:7]) + 2) // 3}"


def _quarter(
    name: str,
    sums: dict[str, float],
    months: list[str],
    runs: int,
    context: Context,
    spent: dict[str, set[int]],
) -> Quarter:
    mean = {measure: total / runs / len(months) for measure, total in sums.items()}

    def chips(measure: str) -> float:
        return mean.get(measure, 0.0)

    demand = float(np.mean([context.demand.get(month, 0.0) for month in months]))
    of = {
        "delivery": chips("contracted"),
        "power": chips("delivered"),
        "repair": chips("powered"),
        "porting": chips("healthy"),
        "chips": demand,
    }
    short = {
        "delivery": max(chips("contracted") - chips("delivered"), 0.0),
        "power": max(chips("delivered") - chips("powered"), 0.0),
        "repair": max(chips("powered") - chips("healthy"), 0.0),
        "porting": chips("unported"),
        "chips": max(demand - chips("delivered_gb200e"), 0.0),
    }
    binding = [c for c in CONSTRAINTS if short[c] > LEAST_GAP * of[c]]
    binds = max(binding, key=lambda c: short[c] / of[c], default="")
    years = {int(max(context.middle_of(month), 0.0) / DAYS_YEAR) for month in months}
    budgets = tuple(sorted(offer for offer, used_up in spent.items() if used_up & years))
    return Quarter(name, chips("contracted"), chips("idle"), short, of, binds, budgets)


def _budgets(results: Results, context: Context, strategy: str, case: str) -> dict[str, set[int]]:
    """By offer, the years since the start of the horizon in which its budget was used up, on average."""
    found: dict[str, set[int]] = {}
    for offer, budget in context.budgets.items():
        cash = results.table("cash", case, strategy, line="on_demand", offer=offer)
        by_year: dict[int, float] = defaultdict(float)
        for month, usd in zip(cash["month"], cash["usd"], strict=True):
            by_year[int(max(context.middle_of(month), 0.0) / DAYS_YEAR)] += float(usd) / results.plan.runs
        found[offer] = {year for year, usd in by_year.items() if usd >= (1 - BUDGET_LEFT) * budget > 0}
    return found


def years(results: Results, strategy: str, case: str) -> list[Year]:
    """Every calendar year of the horizon."""
    runs = results.plan.runs
    owed = results.table("owed", case, strategy)
    exposure = results.table("exposure", case, strategy)
    found = []
    for year in sorted({int(y) for y in owed["year"]}):
        mine, theirs = owed["year"] == year, exposure["year"] == year
        columns = ("payments", "owed_if_stopped", "idle_rent", "bought_twice")
        paid, stopped, idle, twice = (math.fsum(owed[column][mine]) / runs for column in columns)
        by: dict[str, dict[str, float]] = {}
        for column in ("chips", "owed", "prepaid"):
            by[column] = {}
            for who, value in zip(exposure["provider"][theirs], exposure[column][theirs], strict=True):
                if value:
                    by[column][str(who)] = by[column].get(str(who), 0.0) + float(value) / runs
        found.append(Year(year, paid, stopped, idle, twice, by["chips"], by["owed"], by["prepaid"]))
    return found


@dataclass(frozen=True)
class ChipTime:
    """Where the paid chip-time of an offer went: chip-ms by rung of LADDER, summed over runs, exact.

    `paid` equals the sum of the others.
    """

    offer: str
    rungs: dict[str, int]


def chip_time(results: Results, strategy: str, case: str) -> list[ChipTime]:
    """Every offer with chips; whole numbers throughout, so that sums close."""
    table = results.table("chip_time", case, strategy)
    found = []
    for offer in dict.fromkeys(str(name) for name in table["offer"]):
        mine = table["offer"] == offer
        rungs = {rung: sum(int(value) for value in table[f"{rung}_ms"][mine]) for rung in LADDER}
        if rungs["paid"]:
            found.append(ChipTime(offer, rungs))
    return found
