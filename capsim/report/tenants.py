"""Tenants in `capsim run`: who waited how long, who got which part, and how evenly."""

from __future__ import annotations

from typing import Any

import numpy as np

from capsim.report.layout import Column, Line, listed, paragraph, tabulate
from capsim.report.numbers import figure, percent
from capsim.results.reading import Results

MOST_TENANTS = 12


def tenants_table(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """The tenants with the most chip-time, means over runs; nothing where they are not told apart."""
    found = results.table("tenants", case, strategy)
    if not len(found["tenant"]):
        return []
    total = float(found["chip_ms"].sum())
    weights = {name: float(found["share"][found["tenant"] == name][0]) for name in set(found["tenant"])}
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(found["tenant"].tolist()):
        mine = found["tenant"] == name
        means = {key: _mean(found[key][mine]) for key in ("jobs", "finished", *WAITS, "slowdown_mean")}
        part = float(found["chip_ms"][mine].sum()) / total if total else 0.0
        quota = int(found["quota"][mine][0])
        share = weights[name] / sum(weights.values())
        rows.append({"tenant": name, "share": share, "quota": quota, "part": part, **means})
    rows.sort(key=lambda row: -float(row["part"]))
    columns = [
        Column[dict[str, Any]]("", "tenant", lambda r: str(r["tenant"]), left=True),
        Column[dict[str, Any]]("share", "%", lambda r: percent(r["share"], 1), 3),
        Column[dict[str, Any]]("quota,", "chips", lambda r: f"{r['quota']:,}" if r["quota"] >= 0 else "-", 4),
        Column[dict[str, Any]]("jobs", "a run", lambda r: f"{r['jobs']:,.0f}", 2),
        Column[dict[str, Any]]("finished", "%", lambda r: percent(r["finished"] / max(r["jobs"], 1)), 2),
        Column[dict[str, Any]]("chip-time", "%", lambda r: percent(r["part"], 1)),
        Column[dict[str, Any]]("wait, h", "mean", lambda r: figure(r["wait_mean_h"], 2)),
        Column[dict[str, Any]]("", "p50", lambda r: figure(r["wait_p50_h"], 2), 1),
        Column[dict[str, Any]]("", "p95", lambda r: figure(r["wait_p95_h"], 2)),
        Column[dict[str, Any]]("bounded", "slowdown", lambda r: figure(r["slowdown_mean"]), 1),
    ]
    more = len(rows) - MOST_TENANTS
    text = f"Jain's index over the tenants {jain_of_runs(found):.3f} (1: all fare alike)"
    text += f"; and {more:,} more tenants (--json has them all)" if more > 0 else ""
    return [*tabulate(columns, rows[:MOST_TENANTS], width), *paragraph("Tenants", text, width)]


def quota_lines(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """What tenants with quotas by system had of each: part of what they had there together, over runs."""
    found = results.table("quotas", case, strategy)
    keys = list(zip(found["tenant"].tolist(), found["system"].tolist(), strict=True))
    items = []
    for tenant, system in dict.fromkeys(keys):
        mine = np.array([key == (tenant, system) for key in keys])
        here = np.array([key[1] == system for key in keys])
        total = float(found["chip_ms"][here].sum())
        part = float(found["chip_ms"][mine].sum()) / total if total else 0.0
        items.append(
            f"{tenant}: {int(found['quota'][mine][0]):,} of {system}, {percent(part)} % of what these had"
        )
    return listed("Quotas", items, width) if items else []


def reservation_lines(results: Results, strategy: str, case: str, width: int) -> list[Line]:
    """What each reservation kept, and which part of it was used and idle, means over runs."""
    found = results.table("reservations", case, strategy)
    items = []
    keys = list(zip(found["offer"], found["system"], found["start_ms"].tolist(), strict=True))
    for key in dict.fromkeys(keys):
        mine = np.array([other == key for other in keys])
        kept = float(found["reserved_chip_ms"][mine].sum())
        used, idle = (float(found[f"{name}_chip_ms"][mine].sum()) for name in ("used", "idle"))
        shares = f"{percent(used / kept)} % used, {percent(idle / kept)} % idle" if kept else "never there"
        items.append(f"{float(found['chips'][mine].mean()):,.0f} chips of {key[0]} ({key[1]}) {shares}")
    return listed("Reserved", items, width) if items else []


WAITS = ("wait_mean_h", "wait_p50_h", "wait_p95_h")


def jain_of_runs(found: dict[str, Any]) -> float:
    """Mean over runs of Jain's index (Σx)² / (n Σx²), x = `served` of each tenant with jobs."""
    indices = []
    for run in np.unique(found["run"]):
        x = found["served"][found["run"] == run]
        x = x[np.isfinite(x)]
        if (x > 0).any():
            indices.append(float(x.sum() ** 2 / (len(x) * np.dot(x, x))))
    return float(np.mean(indices)) if indices else float("nan")


def fairness(results: Results, strategy: str, case: str) -> dict[str, Any] | None:
    """How evenly the tenants fared, means over runs: Jain's index, who waited longest and how long, hours.

    None where the study does not tell tenants apart.
    """
    found = results.table("tenants", case, strategy)
    names = dict.fromkeys(found["tenant"].tolist())
    if not names:
        return None
    waits = {name: _mean(found["wait_mean_h"][found["tenant"] == name]) for name in names}
    known = {name: wait for name, wait in waits.items() if np.isfinite(wait)}
    worst = max(known, key=lambda name: known[name]) if known else None
    return {
        "jain_tenants": jain_of_runs(found),
        "worst_tenant": worst,
        "worst_wait_mean_h": known[worst] if worst is not None else None,
    }


def _mean(values: Any) -> float:
    known = values[np.isfinite(values.astype(np.float64))]
    return float(known.mean()) if len(known) else float("nan")
