"""The backtest: what the study of December 2025 predicted in its worlds, beside what 2026 brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from news_figures import Found, listed

from capsim.compile.calendar import Calendar
from capsim.control.world import Draws
from capsim.results.reading import Reals
from capsim.spec.loader import load_study

OUTCOMES = Path(__file__).resolve().parents[1] / "configs" / "news" / "backtest-2025" / "outcomes.yaml"

#: of every holding, in the study
SHARE = 0.05


def backtest_2025(found: Found) -> list[str]:
    """A table of predicted distributions and outcomes, and which of them are misses."""
    outcomes: dict[str, Any] = yaml.safe_load(OUTCOMES.read_text())["outcomes"]
    predicted = predictions(found)
    lines = [
        f"Over {found.results.plan.runs} worlds; the percentile is the share of worlds below the outcome, "
        "ties half. A quantity outside 10 to 90 is a miss; an event put at even odds cannot be one.",
        "",
        "| what | predicted P10 / P50 / P90 | what came, and its source | percentile |",
        "|---|---|---|---|",
    ]
    missed, met = [], []
    for name, outcome in outcomes.items():
        worlds, value, unit = predicted[name], float(outcome["value"]), str(outcome["unit"])
        place = percentile(worlds, value)
        if unit != "happened":
            (met if 10 <= place <= 90 else missed).append(str(outcome["what"]))
        came = f"{shown(value, unit)}: {outcome['source']}"
        lines.append(f"| {outcome['what']} | {spread(worlds, unit)} | {came} | {place:.0f} |")
    lines += [
        "",
        f"Inside the predicted range: {listed(met)}." if met else "Nothing was inside the predicted range.",
    ]
    if missed:
        lines.append(f"Missed: {listed(missed)}.")
    for name in ("abilene-expansion", "amazon-contract", "nvidia-letter"):
        happened = float(outcomes[name]["value"])
        right = float((predicted[name] == happened).mean())
        what = str(outcomes[name]["what"])
        lines.append(f"{what[0].upper()}{what[1:]}: {right:.0%} of the worlds had it as it came.")
    for strategy, words in (("signed", "what was signed"), ("announced", "what was announced too")):
        worlds = np.quantile(new_capacity(found, strategy, "2026-12"), (0.1, 0.5, 0.9))
        lines.append(
            f"New capacity at the end of 2026 from {words}, in thousands of GB200: "
            f"{' / '.join(f'{q:,.0f}' for q in worlds)} (P10 / P50 / P90). "
            "No published outcome to set beside it was found."
        )
    return lines


def predictions(found: Found) -> dict[str, Reals]:
    """What each outcome was predicted to be, one value a world."""
    runs = found.results.plan.runs
    contracts = found.results.table("contracts", "base", "announced")
    equity = found.results.table("equity", "base", "announced", offer="openai-amazon-talks-2025")

    def of(offer: str, column: str) -> Reals:
        rows = contracts["offer"] == offer
        return np.array([contracts[column][rows & (contracts["run"] == run)].sum() for run in range(runs)])

    def total(column: str) -> Reals:
        return np.array([contracts[column][contracts["run"] == run].sum() for run in range(runs)])

    return {
        "oracle-late": of("openai-oracle-2025", "late_days_mean"),
        "late-2026": late_share(found, "2026-12"),
        "binding": total("binding") / total("term_value"),
        "abilene-expansion": (of("abilene-expansion", "binding") > 0).astype(float),
        "amazon-contract": (of("openai-amazon-talks-2025", "binding") > 0).astype(float),
        "amazon-equity": np.array([equity["usd"][equity["run"] == run].sum() for run in range(runs)])
        / 1e9
        / SHARE,
        "nvidia-letter": (of("openai-nvidia-2025", "paid") > 0).astype(float),
        "h100-march": one_year_price(found, "2026-03"),
        "h100-june": one_year_price(found, "2026-06"),
    }


def late_share(found: Found, month: str) -> Reals:
    """Share of the signed chips planned by `month` that are not there (base fleet apart), by world."""
    series = found.results.table("series", "base", "signed", month=month)
    mine = ~np.char.startswith(series["offer"].astype(str), "base-")

    def chips(measure: str, run: int) -> float:
        rows = mine & (series["measure"] == measure) & (series["run"] == run)
        return float(series["value"][rows].sum())

    runs = range(found.results.plan.runs)
    return np.array([1 - chips("delivered", run) / chips("contracted", run) for run in runs])


def one_year_price(found: Found, month: str) -> Reals:
    """The price of an H100 for a year in the same worlds, $/h; no strategy here pays it."""
    study = load_study("news/backtest-2025").study
    calendar = Calendar(study.horizon.start, study.horizon.end, float(study.money.discount_rate))
    year, number = (int(part) for part in month.split("-"))
    index = 12 * (year - calendar.start.year) + number - calendar.start.month
    paths = [Draws(study, calendar, run).market("contract-1y") for run in range(found.results.plan.runs)]
    return float(study.markets["contract-1y"].start) * np.array([path[index] for path in paths])


def new_capacity(found: Found, strategy: str, month: str) -> Reals:
    """Delivered beyond the base fleet at face value, thousands of GB200e, one value a world."""
    series = found.results.table("series", "base", strategy, month=month, measure="delivered_gb200e")
    mine = ~np.char.startswith(series["offer"].astype(str), "base-")
    runs = range(found.results.plan.runs)
    return np.array([series["value"][mine & (series["run"] == run)].sum() for run in runs]) / 1e3 / SHARE


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
