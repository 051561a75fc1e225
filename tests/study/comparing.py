"""A whole comparison of made-up strategies in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import synthetic

from capsim.results.folder import open_folder
from capsim.results.reading import Plan, Results
from capsim.study.compare import compare, plan_record


def plan_of(runs: int = 6, cases: tuple[str, ...] = ("base",), against: str = "azure") -> Plan:
    """The made-up menu, compared with its dearest offer."""
    return Plan(tuple(s.strategy for s in synthetic.MENU), cases, runs, against)


def head_of(plan: Plan) -> dict[str, Any]:
    """What a manifest says of a comparison of made-up strategies."""
    return {"study": "synthetic", "digest": "3f9a1c", "seed": 7, "code": "test", "plan": plan_record(plan)}


def compare_in(
    path: Path,
    *,
    runs: int = 6,
    workers: int = 1,
    resume: bool = False,
    cases: tuple[str, ...] = ("base",),
    **changes: Any,
) -> Results:
    """Compare the made-up menu in the folder `path`; `changes` are fields of Synthetic."""
    start_method = changes.pop("start_method", None)
    on_run = changes.pop("on_run", None)
    plan = plan_of(runs, cases)
    prepared = {key: value for case in cases for key, value in synthetic.prepared(case, **changes).items()}
    with open_folder(path, head_of(plan), resume) as folder:
        return compare(
            plan,
            folder,
            prepared,
            synthetic.simulate,
            workers=workers,
            start_method=start_method,
            on_run=on_run,
        )
