"""What binds a strategy, and when: late chips, missing power, gangs that wait, tokens unserved."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from capsim.results.reading import Results
from capsim.study.context import Context, quarter_of
from capsim.study.statistics import order_quantile

MS_DAY = 86_400_000
#: a gap below this share of what is contracted in the quarter binds nothing.
LEAST_GAP = 0.02
#: a named run that queues less than this, on average, is not held up.
LEAST_QUEUE_H = 24.0
#: a service that leaves less than this share of its tokens unserved is not bound.
LEAST_UNSERVED = 0.005

#: a named run that is later than this, on average, is late.
LEAST_SLIP_DAYS = 7.0

BindingKind = Literal["delivery", "power", "broken", "placement", "slip", "serving"]


@dataclass(frozen=True)
class Binding:
    """One thing that binds: in `quarter` (`27Q3`), at `subject`.

    `amount` by kind, a mean: chips not there (delivery, power, broken), days queued (placement), days late
    (slip), share of tokens unserved (serving). `of` is what it is missing from: chips contracted or
    delivered, chips wanted; for a slip the share of runs in which it finishes at all.
    `late_p90` is the P90 over runs of an offer's mean delay in days (delivery); `defaulted` and `unconverted`
    are the shares of runs in which, by the end of the quarter, its supplier had defaulted or it had not
    become a contract.
    """

    kind: BindingKind
    quarter: str
    subject: str
    amount: float
    of: float
    late_p90: float = math.nan
    defaulted: float = 0.0
    unconverted: float = 0.0


def binding(results: Results, context: Context, strategy: str, case: str) -> list[Binding]:
    """What binds `strategy`, in order of time; at most one entry a kind."""
    found = [
        *_gap(results, context, strategy, case, "delivery", "contracted", "delivered"),
        *_gap(results, context, strategy, case, "power", "delivered", "powered"),
        *_gap(results, context, strategy, case, "broken", "powered", "healthy"),
        *_placement(results, context, strategy, case),
        *_slip(results, context, strategy, case),
        *_serving(results, strategy, case),
    ]
    return sorted(found, key=lambda b: (b.quarter == "", b.quarter))


def _gap(
    results: Results, context: Context, strategy: str, case: str, kind: BindingKind, upper: str, lower: str
) -> list[Binding]:
    """The offer and quarter with the greatest mean gap between two measures of the chips."""
    series = results.table("series", case, strategy, measure=[upper, lower])
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    months: dict[str, set[str]] = defaultdict(set)
    columns = (series[name] for name in ("month", "offer", "measure", "value"))
    for month, offer, measure, value in zip(*columns, strict=True):
        quarter = f"{month[2:4]}Q{(int(month[5:7]) + 2) // 3}"
        months[quarter].add(month)
        sums[quarter, offer][measure == lower] += value
    worst: Binding | None = None
    for (quarter, offer), (high, low) in sums.items():
        share = 1 / (results.plan.runs * len(months[quarter]))
        gap = (high - low) * share
        if gap > max(LEAST_GAP * high * share, worst.amount if worst else 0.0):
            worst = Binding(kind, quarter, offer, gap, high * share)
    if worst is None:
        return []
    if kind == "delivery":
        return [_with_causes(worst, results, context, strategy, case)]
    return [worst]


def _with_causes(late: Binding, results: Results, context: Context, strategy: str, case: str) -> Binding:
    """Why chips of an offer are not there: how late it is, and whether it has a supplier and a contract."""
    contracts = results.table("contracts", case, strategy, offer=late.subject)
    days = order_quantile(contracts["late_days_mean"], 0.9) if len(contracts["run"]) else math.nan
    shares = {}
    for kind in ("default", "conversion"):
        events = results.table("events", case, strategy, subject=late.subject, kind=kind)
        when = [quarter_of(context.date_of(ms / MS_DAY)) for ms in events["time_ms"]]
        runs = {run for run, quarter in zip(events["run"], when, strict=True) if quarter <= late.quarter}
        shares[kind] = len(runs) / results.plan.runs
    return replace(late, late_p90=days, defaulted=shares["default"], unconverted=shares["conversion"])


def _placement(results: Results, context: Context, strategy: str, case: str) -> list[Binding]:
    """The named run that queues longest for its chips."""
    training = results.table("training", case, strategy)
    worst: Binding | None = None
    for name in dict.fromkeys(training["name"]):
        mine = training["name"] == name
        queued = float(np.nanmean(training["queued_h"][mine]))
        if queued >= LEAST_QUEUE_H and (worst is None or queued / 24 > worst.amount):
            when = context.date_of(float(training["earliest_ms"][mine].mean()) / MS_DAY)
            chips = float(training["chips"][mine].max())
            worst = Binding("placement", quarter_of(when), str(name), queued / 24, chips)
    return [worst] if worst else []


def _slip(results: Results, context: Context, strategy: str, case: str) -> list[Binding]:
    """The named run that is latest; one that never finishes counts to the end of the horizon."""
    training = results.table("training", case, strategy)
    end = (context.end - context.start).days
    target = training["target_ms"] / MS_DAY
    late = np.where(training["finish_ms"] < 0, end - target, training["slip_days"])
    worst: Binding | None = None
    for name in dict.fromkeys(training["name"]):
        mine = training["name"] == name
        slip = float(late[mine].mean())
        if slip >= LEAST_SLIP_DAYS and (worst is None or slip > worst.amount):
            due = quarter_of(context.date_of(float(target[mine].mean())))
            done = float((training["finish_ms"][mine] >= 0).mean())
            worst = Binding("slip", due, str(name), slip, done)
    return [worst] if worst else []


def _serving(results: Results, strategy: str, case: str) -> list[Binding]:
    """The service that leaves the greatest share of its tokens unserved."""
    services = results.table("services", case, strategy)
    worst: Binding | None = None
    for name in dict.fromkeys(services["name"]):
        mine = services["name"] == name
        asked, served = services["tokens_requested"][mine].sum(), services["tokens_served"][mine].sum()
        share = float(1 - served / asked) if asked > 0 else 0.0
        if share >= LEAST_UNSERVED and (worst is None or share > worst.amount):
            worst = Binding("serving", "", str(name), share, float(asked))
    return [worst] if worst else []
