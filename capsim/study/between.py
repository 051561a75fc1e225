"""Two strategies side by side: the bridge of their costs, of their chip-time, and of the work they do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from capsim.errors import InputError
from capsim.results.folder import files_intact, read_manifest
from capsim.results.reading import Plan, Results
from capsim.results.schema import LADDER
from capsim.spec.loader import read_study
from capsim.spec.quantities import did_you_mean
from capsim.study.bridge import Bridge, bridge
from capsim.study.compare import digest_of
from capsim.study.context import Context
from capsim.study.figures import slips_of
from capsim.study.setup import context_of

SPEC = "spec.yaml"


@dataclass(frozen=True)
class WorkLine:
    """What is done of one workload by each of the two: `unit` says of what, a mean over runs."""

    workload: str
    unit: str
    start: float
    goal: float


@dataclass(frozen=True)
class Between:
    """From strategy `cost.start` to `cost.goal` in one case.

    Attributes:
        cost: total cost, line by line.
        chip_time: productive chip-ms over all runs, by rung: what is paid more (positive) and what of it is
            lost more (negative); the sum is the difference of the productive, exactly.
        productive: productive chip-ms of both, over all runs.
        work: what each does of every workload.
    """

    cost: Bridge
    case: str
    runs: int
    chip_time: dict[str, int]
    productive: tuple[int, int]
    work: tuple[WorkLine, ...]


def between(results: Results, context: Context, start: str, goal: str, case: str) -> Between:
    """Both bridges from `start` to `goal`."""
    ladders = [_ladder(results, strategy, case) for strategy in (start, goal)]
    steps = {"paid": ladders[1]["paid"] - ladders[0]["paid"]}
    steps |= {rung: ladders[0][rung] - ladders[1][rung] for rung in LADDER[1:-1]}
    return Between(
        cost=bridge(results, context, start, goal, case),
        case=case,
        runs=results.plan.runs,
        chip_time=steps,
        productive=(ladders[0]["productive"], ladders[1]["productive"]),
        work=tuple(_work(results, start, goal, case)),
    )


def _ladder(results: Results, strategy: str, case: str) -> dict[str, int]:
    rows = [results.rows[strategy, case, run].ladder for run in range(results.plan.runs)]
    return {rung: sum(int(row[rung]) for row in rows) for rung in LADDER}


def _work(results: Results, start: str, goal: str, case: str) -> list[WorkLine]:
    both = (start, goal)
    useful = [float(results.metric("useful_gb200e_hours_npv", s, case).mean()) for s in both]
    research = [float(1 - results.metric("research_unmet", s, case).mean()) for s in both]
    lines = [
        WorkLine("training and research", "useful GB200e-hours, discounted", *useful),
        WorkLine("research", "share of the work offered", *research),
    ]
    services = [results.table("services", case, s) for s in both]
    for name in dict.fromkeys(str(n) for n in services[0]["name"]):
        shares = []
        for table in services:
            mine = table["name"] == name
            asked = float(table["tokens_requested"][mine].sum())
            shares.append(float(table["tokens_served"][mine].sum()) / asked if asked > 0 else 1.0)
        lines.append(WorkLine(name, "share of the tokens requested", *shares))
    runs = [results.table("training", case, s) for s in both]
    end = float(results.plan.runs)
    for name in dict.fromkeys(str(n) for n in runs[0]["name"]):
        done = [float((slips_of(t)[t["name"] == name] <= 0).sum()) / end for t in runs]
        lines.append(WorkLine(name, "share of runs on time", *done))
    return lines


def is_run_folder(asked: str) -> bool:
    """Whether the user named a run folder in place of a study."""
    return (Path(asked) / "manifest.json").is_file()


def read_comparison(path: Path, strategies: tuple[str, ...], case: str | None) -> tuple[Results, Context]:
    """Results of a finished comparison and what a report needs to know of its study, from its run folder.

    Raises InputError where the folder is unfinished, damaged, or lacks a strategy or the case.
    """
    from capsim.results.parquet import read_runs

    manifest = read_manifest(path)
    if manifest is None or manifest.get("status") != "complete" or not files_intact(path, manifest):
        raise InputError(f"{path} is not a finished comparison; finish it with --resume")
    kept = manifest["plan"]
    chosen = case if case is not None else str(kept["cases"][0])
    for option, wanted, known in (
        ("--bridge", strategies, kept["strategies"]),
        ("--cases", (chosen,), kept["cases"]),
    ):
        for name in wanted:
            if name not in known:
                raise InputError(f"{option}: {path} has no {name!r}; {did_you_mean(name, known)}")
    plan = Plan(strategies, (chosen,), int(kept["runs"]), strategies[0])
    keys = {(strategy, chosen, run) for strategy in strategies for run in range(plan.runs)}
    mine = {row.key: row for row in read_runs(path / "runs.parquet") if row.key in keys}
    spec = path / (SPEC if chosen == kept["cases"][0] else f"spec-{chosen}.yaml")
    study = read_study(str(spec)).resolve(None).study
    context = context_of(
        study, str(path), str(manifest["digest"]), common_offers=frozenset(study.base_fleet), demand={}
    )
    return Results(plan, mine, path, digest_of(plan, mine), float(manifest.get("seconds", 0.0))), context
