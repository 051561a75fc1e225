"""Results made up without an engine: consistent sums, common random numbers, quick.

The same prepared strategy and run give the same result in any process. What the tables hold follows the
conventions of capsim/results/schema.py, so that statistics and reports can be tested on known figures.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from capsim.results.schema import CASH_LINES, LADDER, METRICS, RunResult
from capsim.study.context import Assumed, Context

START = date(2025, 11, 1)
END = date(2027, 1, 1)
MONTHS = [f"{2025 + (10 + i) // 12}-{(10 + i) % 12 + 1:02d}" for i in range(14)]
RUNS = ("R1", "R2")
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Synthetic:
    """A made-up strategy: `price` USD per GB200e-hour of `chips`, delivered `late` days late on average."""

    strategy: str
    case: str = "base"
    seed: int = 7
    price: float = 3.0
    chips: int = 100_000
    late: float = 30.0
    lost: float = 5e9
    offer: str = ""
    sleep: float = 0.0
    extra_cash: dict[str, float] = field(default_factory=dict)
    fail_in_run: int | None = None


def simulate(prepared: Synthetic, run: int) -> RunResult:
    """One made-up run."""
    if prepared.sleep:
        time.sleep(prepared.sleep)
    if prepared.fail_in_run == run:
        raise ValueError("made-up defect")
    world = np.random.default_rng([prepared.seed, run])  # common to all strategies
    own = np.random.default_rng([prepared.seed, run, sum(map(ord, prepared.strategy))])
    slow = float(world.exponential(1.0))
    late = prepared.late * slow
    demand = float(world.normal(1.0, 0.1))
    offer = prepared.offer or f"{prepared.strategy}-offer"
    delivered = [0.0 if 30 * i < late else float(prepared.chips) for i in range(len(MONTHS))]
    series, cash, commitment = _tables(prepared, offer, delivered, slow)
    lines = dict.fromkeys(CASH_LINES, 0.0) | prepared.extra_cash | {"commitment": commitment}
    lost_tokens = prepared.lost * demand * (1 + 0.02 * float(own.normal()))
    slips = [late - 10, late + 20 * slow]
    slip = 30e6 * sum(max(0.0, s) for s in slips)
    metrics = dict.fromkeys(METRICS, 0.0) | _figures(prepared, late, slow, slips, lines, lost_tokens, slip)
    return RunResult(
        strategy=prepared.strategy,
        case=prepared.case,
        run=run,
        metrics=metrics,
        ladder=_ladder(prepared, late),
        cash_npv=lines,
        tables={"series": series, "cash": cash, **_details(prepared, offer, late, slips, slow)},
    )


def _tables(
    prepared: Synthetic, offer: str, delivered: list[float], slow: float
) -> tuple[dict[str, Any], dict[str, Any], float]:
    series: dict[str, list[Any]] = {name: [] for name in ("month", "offer", "system", "measure", "value")}
    cash: dict[str, list[Any]] = {name: [] for name in ("month", "offer", "line", "usd", "npv")}
    total = 0.0
    for i, month in enumerate(MONTHS):
        values = {
            "contracted": float(prepared.chips),
            "delivered": delivered[i],
            "powered": delivered[i] * 0.95,
            "healthy": delivered[i] * 0.94,
            "delivered_gb200e": delivered[i],
            "training": delivered[i] * 0.4,
            "research": delivered[i] * 0.2,
            "inference": delivered[i] * 0.3,
            "idle": delivered[i] * 0.04,
            "spare": 0.0,
        }
        for measure, value in values.items():
            for name, entry in zip(series, (month, offer, "gb300_nvl72", measure, value), strict=True):
                series[name].append(entry)
        usd = prepared.price * delivered[i] * 730.5
        npv = usd * 1.08 ** -(i / 12)
        total += npv
        for name, entry in zip(cash, (month, offer, "commitment", usd, npv), strict=True):
            cash[name].append(entry)
    for line, usd in prepared.extra_cash.items():
        for name, entry in zip(cash, (MONTHS[0], offer, line, usd, usd), strict=True):
            cash[name].append(entry)
    return series, cash, total


def _figures(
    prepared: Synthetic,
    late: float,
    slow: float,
    slips: list[float],
    lines: dict[str, float],
    lost: float,
    slip: float,
) -> dict[str, float]:
    cash = sum(lines.values())
    research = 0.1 * lost
    return {
        "cash_npv": cash,
        "lost_tokens_npv": lost,
        "lost_research_npv": research,
        "slip_npv": slip,
        "total_npv": cash + lost + research + slip,
        "headline": cash * 3,
        "binding": cash * 2,
        "delivered": cash,
        "equity": 1e9 if prepared.price < 3 else 0.0,
        "usd_per_pflop_day": 1234.5 * prepared.price,
        "usd_per_mtok": 0.21 * prepared.price,
        "runs_on_time": float(sum(s <= 0 for s in slips)),
        "runs_finished": 2.0,
        "runs_total": 2.0,
        "slo_attainment": 0.987,
        "tokens_unmet": min(1.0, 0.01 * slow),
        "days_to_1m": float("nan") if late > 60 else 300 + late,
        "paid_idle_npv": 0.04 * cash,
        "paid_idle_share": 0.04,
        "bought_twice_npv": 1e8,
        "valley_chip_hours": 2e6,
        "wait_p50_h": 0.4,
        "wait_p99_h": 30.0 + late,
        "ettr": 0.93,
        "mfu": 0.38,
        "peak_gw": prepared.chips * 2.5e-6,
        "hhi_provider": 5200.0,
        "jobs": 1000.0,
        "failures": 50.0,
        "repairs": 49.0,
        "simpy_events": 300.0,
        "seconds": 0.01 + prepared.sleep,
    }


def _ladder(prepared: Synthetic, late: float) -> dict[str, int]:
    paid = prepared.chips * 1000 * HOUR_MS
    shares = {
        "late": min(0.3, late / 1000),
        "dark": 0.02,
        "broken": 0.01,
        "fragmented": 0.03,
        "idle": 0.04,
        "redone": 0.02,
    }
    rungs = {name: int(paid * share) for name, share in shares.items()}
    rungs["paid"] = paid
    rungs["productive"] = paid - sum(rungs[name] for name in shares)
    return {name: rungs[name] for name in LADDER}


def _details(prepared: Synthetic, offer: str, late: float, slips: list[float], slow: float) -> dict[str, Any]:
    day = 24 * HOUR_MS
    return {
        "training": {
            "name": list(RUNS),
            "earliest_ms": [60 * day, 200 * day],
            "target_ms": [180 * day, 350 * day],
            "start_ms": [61 * day, int((200 + late) * day)],
            "finish_ms": [int((180 + slips[0]) * day), int((350 + slips[1]) * day)],
            "slip_days": list(slips),
            "ettr": [0.93, 0.91],
            "system": ["gb300_nvl72", "gb300_nvl72"],
            "site": ["azure", "azure"],
            "chips": [60_000, 80_000],
            "blocks": [3, 4],
            "interruptions": [12, 20],
            "queued_h": [1.0, 24 * late],
            "redone_chip_ms": [HOUR_MS * 1000, HOUR_MS * 2000],
        },
        "gangs": {
            "name": ["R1", "R1", "R1"],
            "gang": ["pretraining", "RL trainer", "RL rollout"],
            "system": ["gb300_nvl72"] * 3,
            "site": [offer] * 3,
            "start_ms": [0, day, day],
            "finish_ms": [day, 2 * day, 2 * day],
            "chips": [1000, 300, 700],
            "chip_ms": [1000 * day, 300 * day, 700 * day],
            "share": [1.0, 1.0, 1.0],
        },
        "evaluation": {
            "name": ["R1"],
            "bursts": [400],
            "started": [400],
            "within_target": [0.95],
            "wait_p50_h": [0.1],
            "wait_p95_h": [0.5],
            "chip_ms": [400 * HOUR_MS],
        },
        "services": {
            "name": ["chat"],
            "tokens_requested": [1e15],
            "tokens_served": [0.99e15],
            "tokens_in_objective": [0.98e15],
            "lost_npv": [prepared.lost],
            "usd": [2e9],
        },
        "assignment": {
            "workload": ["pretraining", "research", "chat", "chat", "chat"],
            "kind": ["training", "research", "inference", "inference", "inference"],
            "system": ["gb300_nvl72", "gb300_nvl72", "gb300_nvl72", "rented", "unserved"],
            "chip_ms": [4 * HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, HOUR_MS, 0],
            "work": [4.0, 2.0, 90.0, 9.0, 1.0],
            "share": [1.0, 1.0, 0.9, 0.09, 0.01],
            "unit": ["PFLOP-day", "PFLOP-day", "tokens", "tokens", "tokens"],
        },
        "contracts": {
            "offer": [offer],
            "chips": [prepared.chips],
            "term_value": [prepared.price * prepared.chips * 8766.0 * 5],
            "binding": [prepared.price * prepared.chips * 8766.0 * 4],
            "paid": [prepared.price * prepared.chips * 8766.0],
            "credits": [1e6 * late],
            "idle_share": [0.04],
            "exit_end_2028": [1e9],
            "late_days_mean": [late],
        },
        "owed": {
            "year": [2026, 2027, 2028],
            "payments": [5e9, 6e9, 7e9],
            "owed_if_stopped": [30e9, 20e9, 10e9],
            "idle_rent": [2e8, 1e8, 0.0],
            "bought_twice": [1e7, 0.0, 0.0],
        },
        "exposure": {
            "year": [2026, 2026, 2027],
            "provider": ["own", prepared.strategy, prepared.strategy],
            "chips": [50_000, prepared.chips, prepared.chips],
            "owed": [10e9, 20e9, 20e9],
            "prepaid": [0.0, 1e9, 0.0],
        },
        "chip_time": {
            "offer": [offer],
            **{f"{rung}_ms": [value] for rung, value in _ladder(prepared, late).items()},
        },
        "events": {
            "time_ms": [10 * day, int((90 + late) * day)],
            "kind": ["outage", "delivery"],
            "subject": ["azure", f"{offer} tranche 1"],
            "text": ["outage azure 6 h", f"{offer} tranche 1 +{late:.0f} d"],
        },
    }


MENU = (
    Synthetic("azure", price=3.2, late=60),
    Synthetic("multi", price=2.9, late=20, lost=3e9, extra_cash={"porting": 4e8}),
    Synthetic("neocloud", price=2.9, late=22, lost=3e9, extra_cash={"prepayment": 3e9, "drawdown": -2.8e9}),
    Synthetic("wait", price=3.0, chips=40_000, late=5, lost=30e9, extra_cash={"on_demand": 2e9}),
)


def prepared(case: str = "base", **changes: Any) -> dict[tuple[str, str], Synthetic]:
    """The made-up strategies, keyed as the comparison wants them."""
    return {(s.strategy, case): Synthetic(**{**vars(s), "case": case, **changes}) for s in MENU}


def context(**changes: Any) -> Context:
    """What the report knows of the made-up study."""
    known: dict[str, Any] = {
        "name": "synthetic",
        "asked": "synthetic",
        "digest": "3f9a1c" + "0" * 58,
        "seed": 7,
        "start": START,
        "end": END,
        "as_of": date(2025, 12, 20),
        "discount_rate": 0.08,
        "provenance": {"vendor": 12, "secondary": 8, "derived": 5, "recalled": 3, "assumed": 40},
        "assumed": (
            Assumed("cost of a day's slip", "slip", (), 30e6, 0.0, 100e6, "$30M/d (ASSUMED, $0..$100M)"),
            Assumed(
                "value of chat tokens", "tokens", ("chat",), 2.7, 1.0, 5.0, "$2.7/Mtok (derived, $1..$5)"
            ),
            Assumed("value of lost research", "research", (), 2.5, None, None, "$2.5/h"),
            Assumed("price of multi-offer", "offer", ("multi-offer",), 2.9, None, None, "$2.9/h"),
        ),
        "token_prices": {"chat": 2.7},
        "research_price": 2.5,
        "offer_prices": {"multi-offer": 2.9, "azure-offer": 3.2},
        "common_offers": frozenset(),
        "unavailable": {"openai-google": "no terms published"},
        "published_spend": None,
        "demand": {month: 90_000.0 * (1 + i / 14) for i, month in enumerate(MONTHS)},
    }
    return Context(**{**known, **changes})
