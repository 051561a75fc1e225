"""The backtest: what the study of December 2025 predicted in its worlds, beside what 2026 brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from news_figures import Found, listed

from capsim.results.reading import Reals

OUTCOMES = Path(__file__).resolve().parents[1] / "configs" / "news" / "backtest-2025" / "outcomes.yaml"


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
    return lines


def predictions(found: Found) -> dict[str, Reals]:
    """What each outcome was predicted to be, one value a world."""
    runs = found.results.plan.runs
    contracts = found.results.table("contracts", "base", "announced")
    equity = found.results.table("equity", "base", "announced", offer="openai-amazon-talks-2025")
    share = 0.05  # of every holding, in the study

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
        / share,
        "nvidia-letter": (of("openai-nvidia-2025", "paid") > 0).astype(float),
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
    return {"d": f"{value:.0f} d", "share": f"{value:.0%}", "$B": f"${value:.0f}B"}[unit]
