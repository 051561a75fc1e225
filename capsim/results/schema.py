"""What one simulated run leaves behind.

A run is one strategy in one case in one world. Scalars go to one row of ``runs.parquet``; tables are
kept long, one file each, with the run's keys as the first columns. Chip-time is integer chip-milliseconds,
money nominal USD unless a name ends in ``_npv``.

Conventions: ``month`` is text, `YYYY-MM`; ``*_ms`` are ms since the start of the horizon, -1 for
never; ``gang`` is pretraining, RL trainer or RL rollout; ``share`` of ``gangs`` is the done share of the
gang's work; ``slip_days`` is nan for a run that never finished; ``system`` of ``assignment`` may also be
`rented` or `unserved`; ``quota`` is -1 for none; ``served`` is the x of Jain's index (docs/metrics.md);
columns are typed by name (capsim/results/columns.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: scalar figures of a run: name -> (unit, meaning). Definitions: docs/metrics.md.
METRICS: dict[str, tuple[str, str]] = {
    "total_npv": (
        "USD",
        "cash_npv + lost_tokens_npv + lost_research_npv + slip_npv: what strategies are ranked by",
    ),
    "cash_npv": ("USD", "all payments, discounted, less what is worth something at the horizon"),
    "cash_nominal": ("USD", "all payments within the horizon, not discounted"),
    "lost_tokens_npv": ("USD", "unserved tokens at the study's price, discounted"),
    "lost_research_npv": ("USD", "research work offered and not done, at the study's price, discounted"),
    "slip_npv": ("USD", "days of named runs after their target at the study's price, discounted"),
    "equity": ("USD", "equity and warrants after haircut, shown apart"),
    "headline": ("USD", "headline value of the contracts held"),
    "binding": ("USD", "value that is owed under the contracts held"),
    "delivered": ("USD", "value of what was delivered within the horizon"),
    "useful_pflop_days_npv": ("PFLOP-day", "useful training and research work, discounted like money"),
    "useful_gb200e_hours_npv": ("GB200e-h", "useful work in achieved reference chip-hours, discounted"),
    "usd_per_pflop_day": ("USD", "training and research share of cash_npv over useful_pflop_days_npv"),
    "usd_per_mtok": (
        "USD",
        "inference share of cash_npv over millions of tokens served within objectives, discounted",
    ),
    "runs_on_time": ("count", "named runs finished by their target"),
    "runs_finished": ("count", "named runs finished within the horizon"),
    "runs_total": ("count", "named runs of the study"),
    "slo_attainment": ("share", "tokens served within their objectives over tokens requested"),
    "tokens_unmet": ("share", "tokens not served over tokens requested"),
    "research_unmet": ("share", "research work not done over research work offered"),
    "days_to_1m": (
        "day",
        "days from the start until 1,000,000 GB200e are delivered, powered, healthy for 30 days; nan: never",
    ),
    "paid_idle_npv": ("USD", "committed chip-hours paid for and not used, discounted"),
    "paid_idle_share": ("share", "committed chip-hours paid for and not used over chip-hours paid"),
    "valley_chip_hours": (
        "chip-h",
        "chips that services left below the day's peak and jobs used",
    ),
    "bought_twice_npv": ("USD", "on-demand rent paid while compatible committed chips were idle"),
    "wait_p50_h": ("h", "queue wait of research campaigns, median"),
    "wait_p99_h": ("h", "queue wait of research campaigns, 99th percentile"),
    "slowdown_mean": ("1", "bounded slowdown of research campaigns, mean"),
    "ettr": ("share", "effective training time ratio of named runs, weighted by chip-time"),
    "mfu": (
        "share",
        "model FLOP/s of productive training and research time over the dense peak at their precision",
    ),
    "peak_gw": ("GW", "greatest facility power"),
    "mean_gw": ("GW", "mean facility power"),
    "hhi_provider": ("1", "concentration of committed NPV by provider, 0..10,000"),
    "hhi_family": ("1", "concentration of committed NPV by software stack"),
    "stranded": ("USD", "obligations after the horizon"),
    "jobs": ("count", "jobs submitted"),
    "jobs_started": ("count", "job starts"),
    "failures": ("count", "node and domain failures simulated"),
    "repairs": ("count", "repairs simulated"),
    "simpy_events": ("count", "events of the control processes"),
    "preemptions": ("count", "jobs preempted"),
    "seconds": ("s", "wall time of the run (not part of the digest)"),
}

#: of 100 paid chip-hours: int64 chip-milliseconds; the first equals the sum of the others.
LADDER: tuple[str, ...] = (
    "paid", "late", "dark", "broken", "fragmented", "idle", "redone", "productive",
)  # fmt: skip

#: lines of cash; every dollar is in exactly one.
CASH_LINES: tuple[str, ...] = (
    "commitment", "prepayment", "drawdown", "min_spend", "purchase", "operation", "shell", "power",
    "on_demand", "spot", "porting", "premium", "termination", "credit", "recovery", "resale", "salvage",
    "egress", "undrawn",
)  # fmt: skip

#: lines of what is worth something at the horizon's end: nobody has paid it by then.
AT_THE_END: tuple[str, ...] = ("salvage", "undrawn")

#: tables of a run: name -> columns.
TABLES: dict[str, tuple[str, ...]] = {
    "series": ("month", "offer", "system", "measure", "value"),
    "cash": ("month", "offer", "line", "usd", "npv"),
    "equity": ("month", "offer", "usd"),
    "training": (
        "name", "earliest_ms", "target_ms", "start_ms", "finish_ms", "slip_days", "ettr", "system", "site",
        "chips", "blocks", "interruptions", "queued_h", "redone_chip_ms",
    ),
    "gangs": (
        "name", "gang", "system", "site", "start_ms", "finish_ms", "chips", "chip_ms", "share",
    ),
    "evaluation": ("name", "bursts", "started", "within_target", "wait_p50_h", "wait_p95_h", "chip_ms"),
    "services": ("name", "tokens_requested", "tokens_served", "tokens_in_objective", "lost_npv", "usd"),
    "assignment": ("workload", "kind", "system", "chip_ms", "work", "share", "unit"),
    "research": (
        "size_class", "campaigns", "started", "finished", "wait_mean_h", "wait_p50_h", "wait_p95_h",
        "wait_p99_h", "slowdown_mean",
    ),
    "tenants": (
        "tenant", "share", "quota", "jobs", "started", "finished", "chip_ms", "wait_mean_h", "wait_p50_h",
        "wait_p95_h", "slowdown_mean", "served",
    ),
    "quotas": ("tenant", "system", "quota", "chip_ms"),
    "reservations": (
        "offer", "system", "start_ms", "end_ms", "chips", "reserved_chip_ms", "used_chip_ms", "idle_chip_ms",
    ),
    "contracts": (
        "offer", "chips", "term_value", "binding", "paid", "credits", "idle_share", "exit_end_2028",
        "late_days_mean",
    ),
    "owed": ("year", "payments", "owed_if_stopped", "idle_rent", "bought_twice"),
    "exposure": ("year", "provider", "chips", "owed", "prepaid"),
    "chip_time": ("offer", *(f"{rung}_ms" for rung in LADDER)),
    "events": ("time_ms", "kind", "subject", "text"),
}  # fmt: skip

#: tables that only some studies ask for: without rows they are not part of the digest.
ASKED_FOR: frozenset[str] = frozenset({"tenants", "quotas", "reservations"})

#: measures of the table ``series``: chips (mean of the month) unless noted; `unported` is the part of the
#: healthy chips that a stack that is still being ported does not let work, in months in which there is any.
SERIES: tuple[str, ...] = (
    "contracted", "delivered", "powered", "healthy", "training", "research", "inference", "spare", "idle",
    "delivered_gb200e", "unported",
)  # fmt: skip


@dataclass
class RunResult:
    """Everything that one run produced.

    ``metrics`` has every key of METRICS, ``ladder`` every key of LADDER, ``cash_npv`` the discounted sum of
    each cash line, ``tables`` maps a name of TABLES to equally long columns (lists or numpy arrays).
    """

    strategy: str
    case: str
    run: int
    metrics: dict[str, float]
    ladder: dict[str, int]
    cash_npv: dict[str, float]
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
