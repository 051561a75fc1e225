"""A comparison as a command performs it: set up, find or simulate its results in a run folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from capsim.results.folder import open_folder, read_results
from capsim.results.reading import Results
from capsim.study.compare import OnRun, compare, remaining
from capsim.study.setup import Setup

RUNS = Path("runs")

Progress = Callable[[int], AbstractContextManager[OnRun]]
"""Opens a progress bar for so many runs and gives what to tell it."""


@dataclass(frozen=True)
class Performed:
    """Results, and names of damaged parts that had to be simulated again."""

    results: Results
    damaged: tuple[str, ...]


def default_workers() -> int:
    """One process for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def perform(
    setup: Setup, *, command: str, progress: Progress, out: Path | None, resume: bool, workers: int | None
) -> Performed:
    """Simulate what is missing of the comparison in its run folder, `runs/DIGEST-SEED` unless `out`."""
    from capsim.engine.simulate import simulate

    path = out if out is not None else RUNS / setup.folder_name
    with open_folder(path, setup.head(command), resume) as folder:
        for case, text in setup.specs.items():
            folder.write_text("spec.yaml" if case == setup.plan.cases[0] else f"spec-{case}.yaml", text)
        count = sum(len(task.strategies) for task in remaining(setup.plan, folder))
        with progress(count) as on_run:
            results = compare(
                setup.plan,
                folder,
                setup.prepared,
                simulate,
                workers=workers if workers is not None else default_workers(),
                on_run=on_run,
            )
        return Performed(results, tuple(folder.damaged))


def perform_one(
    setup: Setup, *, command: str, progress: Progress, out: Path | None, resume: bool, workers: int | None
) -> Performed:
    """The same for one strategy, read from a finished comparison of the same study if there is one."""
    strategy = setup.plan.strategies[0]
    if out is None:
        found = read_results(RUNS / setup.folder_name, setup.head(command), setup.plan)
        if found is not None:
            return Performed(found, ())
        out = RUNS / f"{setup.folder_name}-{strategy}"
    return perform(setup, command=command, progress=progress, out=out, resume=resume, workers=workers)
