"""Comparisons and runs as JSON; the schema is described in docs/metrics.md and versioned by `schema`."""

from __future__ import annotations

import dataclasses
from typing import Any

from capsim.report.depth import Work, assignment
from capsim.report.documents import dump, json_head
from capsim.report.periods import periods_json
from capsim.report.reasons import rival
from capsim.report.tenants import fairness, jain_of_runs
from capsim.results.reading import Results
from capsim.study.binding import binding
from capsim.study.bridge import bridge
from capsim.study.context import Context
from capsim.study.figures import Row, Table
from capsim.study.figures import table as figures_of
from capsim.study.reweighting import flips, weakest

COMPARE_SCHEMA = "capsim.compare/1"
RUN_SCHEMA = "capsim.run/1"


def comparison_json(results: Results, context: Context) -> str:
    """The figures of `capsim compare`."""
    cases = {case: _case(results, context, figures_of(results, case)) for case in results.plan.cases}
    return dump(_head(results, context, COMPARE_SCHEMA) | {"cases": cases})


def run_json(results: Results, context: Context) -> str:
    """The figures of `capsim run`: as a comparison of one strategy, with its tables."""
    strategy = results.plan.strategies[0]
    cases = {}
    for case in results.plan.cases:
        table = figures_of(results, case)
        cases[case] = {
            "figures": _row(table.rows[0]),
            "cash_npv": results.cash_lines(strategy, case),
            "assignment": [_work(work) for work in assignment(results, strategy, case)],
            "training": _records(results, "training", strategy, case),
            "gangs": _records(results, "gangs", strategy, case),
            "evaluation": _records(results, "evaluation", strategy, case),
            "services": _records(results, "services", strategy, case),
            "research": _records(results, "research", strategy, case),
            "tenants": _records(results, "tenants", strategy, case),
            "quotas": _records(results, "quotas", strategy, case),
            "reservations": _records(results, "reservations", strategy, case),
            "jain_tenants": _jain(results, strategy, case),
            "contracts": _records(results, "contracts", strategy, case),
            "owed": _records(results, "owed", strategy, case),
            "binds": [dataclasses.asdict(b) for b in binding(results, context, strategy, case)],
            "weakest": _effects(results, context, strategy, case),
            **periods_json(results, context, strategy, case),
        }
    return dump(_head(results, context, RUN_SCHEMA) | {"strategy": strategy, "cases": cases})


def _head(results: Results, context: Context, schema: str) -> dict[str, Any]:
    plan = results.plan
    return {
        **json_head(schema, context),
        "bands": [dataclasses.asdict(band) for band in context.bands],
        "horizon": {"start": context.start.isoformat(), "end": context.end.isoformat()},
        "as_of": context.as_of.isoformat(),
        "plan": {
            "strategies": list(plan.strategies),
            "cases": list(plan.cases),
            "runs": plan.runs,
            "against": plan.against,
        },
        "inputs": dict(context.provenance),
        "result_digest": results.digest,
        "seconds": round(results.seconds, 3),
        "folder": str(results.path),
        "simulated": {
            name: int(sum(row.metrics[name] for row in results.rows.values()))
            for name in ("jobs", "failures", "repairs", "simpy_events")
        },
    }


def _case(results: Results, context: Context, table: Table) -> dict[str, Any]:
    best = table.rows[0].strategy
    other = rival(table)
    order = [row.strategy for row in table.rows]
    found: dict[str, Any] = {"ranked": [_row(row) for row in table.rows], "by_cash": list(table.by_cash)}
    found["tenants"] = {strategy: fairness(results, strategy, table.case) for strategy in order}
    if other is not None:
        found["bridge"] = dataclasses.asdict(bridge(results, context, other.strategy, best, table.case))
        found["flips"] = [dataclasses.asdict(f) for f in flips(results, context, order, table.case)]
    found["binds"] = [dataclasses.asdict(b) for b in binding(results, context, best, table.case)]
    found["weakest"] = _effects(results, context, best, table.case)
    found |= periods_json(results, context, best, table.case)
    return found


def _row(row: Row) -> dict[str, Any]:
    record = dataclasses.asdict(row)
    plain = record.pop("plain")
    for name in ("slip_days", "days_to_1m"):
        p50, p90 = record[name]
        record[name] = {"p50": p50, "p90": p90}
    record["regret"] = {"mean": row.regret[0], "max": row.regret[1]}
    record["owed"] = {str(year): usd for year, usd in row.owed.items()}
    return {**record, "means": plain}


def _work(work: Work) -> dict[str, Any]:
    return {**dataclasses.asdict(work), "unserved": work.unserved}


def _effects(results: Results, context: Context, strategy: str, case: str) -> list[dict[str, Any]]:
    return [
        {
            "input": effect.assumed.label,
            "kind": effect.assumed.kind,
            "subjects": list(effect.assumed.subjects),
            "value": effect.assumed.mid,
            "low": effect.assumed.low,
            "high": effect.assumed.high,
            "total_at_low": effect.low,
            "total_at_high": effect.high,
        }
        for effect in weakest(results, context, strategy, case)
    ]


def _jain(results: Results, strategy: str, case: str) -> float | None:
    """Jain's index over tenants, mean over runs; None where they are not told apart."""
    found = results.table("tenants", case, strategy)
    return jain_of_runs(found) if len(found["tenant"]) else None


def _records(results: Results, name: str, strategy: str, case: str) -> list[dict[str, Any]]:
    table = results.table(name, case, strategy)
    columns = {key: values.tolist() for key, values in table.items() if key not in ("strategy", "case")}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
