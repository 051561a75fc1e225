"""Strategies × cases × runs on common random numbers, kept as they finish, resumable at any moment."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from capsim.errors import CapsimError
from capsim.results.digest import combined_digest
from capsim.results.folder import RunFolder
from capsim.results.reading import Plan, Results
from capsim.study.workers import Finished, Prepared, Simulate, Task, simulate_all

if TYPE_CHECKING:
    from capsim.results.parquet import RunRow

OnRun = Callable[[int], None]
"""Told how many further runs are finished."""


@dataclass
class _Keeper:
    """Collects finished runs of a world and publishes the world when it is whole."""

    folder: RunFolder
    missing: dict[tuple[str, int], tuple[str, ...]]
    pending: dict[tuple[str, int], list[Finished]] = field(default_factory=dict)

    def take(self, finished: Finished) -> None:
        """Take one finished run."""
        world = finished.result.case, finished.result.run
        runs = self.pending.setdefault(world, [])
        runs.append(finished)
        if len(runs) == len(self.missing[world]):
            self._publish(world)

    def flush(self) -> None:
        """Publish worlds that are not whole, so that an orderly end loses nothing that was computed."""
        for world in list(self.pending):
            self._publish(world)

    def _publish(self, world: tuple[str, int]) -> None:
        order = self.missing[world]
        runs = sorted(self.pending.pop(world), key=lambda f: order.index(f.result.strategy))
        self.folder.add([f.result for f in runs], [f.digest for f in runs])


def remaining(plan: Plan, folder: RunFolder) -> list[Task]:
    """The worlds of `plan` that are not finished in `folder`, with the strategies that they lack."""
    tasks = []
    for case, run in plan.worlds:
        done = folder.rows(case, run)
        if lacking := tuple(s for s in plan.strategies if s not in done):
            tasks.append(Task(case, run, lacking))
    return tasks


def compare(
    plan: Plan,
    folder: RunFolder,
    prepared: Prepared,
    simulate: Simulate,
    *,
    workers: int = 1,
    on_run: OnRun | None = None,
    start_method: str | None = None,
) -> Results:
    """Simulate what `folder` lacks of `plan`, merge, and return the results.

    The digest depends on the results alone: not on workers, wall time or interruptions. Raises CapsimError
    after Ctrl-C, a killed worker or a full disk; everything that finished before is in the folder.
    """
    started = time.perf_counter()
    tasks = remaining(plan, folder)
    same = folder.manifest.get("status") == "complete" and folder.manifest.get("plan") == plan_record(plan)
    if same and not tasks and folder.intact():
        return collect(plan, folder, float(folder.manifest.get("seconds", 0.0)))
    if tasks:
        _simulate(tasks, folder, prepared, simulate, workers, on_run, start_method)
    spent = float(folder.manifest.get("seconds", 0.0)) + time.perf_counter() - started
    files = folder.merge(plan.worlds, plan.strategies)
    results = collect(plan, folder, spent)
    folder.write_manifest(
        status="complete",
        plan=plan_record(plan),
        seconds=round(spent, 3),
        result_digest=results.digest,
        parts=folder.part_hashes(plan.worlds),
        files=files,
    )
    return results


def _simulate(
    tasks: list[Task],
    folder: RunFolder,
    prepared: Prepared,
    simulate: Simulate,
    workers: int,
    on_run: OnRun | None,
    start_method: str | None,
) -> None:
    started = time.perf_counter()
    before = float(folder.manifest.get("seconds", 0.0))
    folder.write_manifest(status="running", result_digest=None, parts={}, files={})
    keeper = _Keeper(folder, {(t.case, t.run): t.strategies for t in tasks})
    try:
        with _terminable(), closing(simulate_all(tasks, prepared, simulate, workers, start_method)) as runs:
            for finished in runs:
                keeper.take(finished)
                if on_run is not None:
                    on_run(1)
    except KeyboardInterrupt:
        _stop(keeper, before + time.perf_counter() - started)
        left = sum(1 for t in tasks if (t.case, t.run) not in folder.parts)
        raise CapsimError(
            f"interrupted: {len(tasks) - left} of {len(tasks)} worlds are kept in {folder.path}; "
            "--resume goes on"
        ) from None
    except Exception:
        _stop(keeper, before + time.perf_counter() - started)
        raise


def _stop(keeper: _Keeper, seconds: float) -> None:
    """Keep what is finished; a disk that is full must not hide why the comparison ended."""
    try:
        keeper.flush()
        keeper.folder.write_manifest(status="interrupted", seconds=round(seconds, 3))
    except CapsimError:
        return


@contextmanager
def _terminable() -> Iterator[None]:
    """Make SIGTERM end a comparison as orderly as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def collect(plan: Plan, folder: RunFolder, seconds: float) -> Results:
    """The results of a finished `plan` in `folder`."""
    rows = {
        row.key: row
        for world in plan.worlds
        for row in folder.rows(*world).values()
        if row.strategy in plan.strategies
    }
    return Results(plan, rows, folder.path, digest_of(plan, rows), seconds)


def digest_of(plan: Plan, rows: Mapping[tuple[str, str, int], RunRow]) -> str:
    """The digest of the results of `plan`."""
    return combined_digest(rows[s, case, run].digest for case, run in plan.worlds for s in plan.strategies)


def plan_record(plan: Plan) -> dict[str, Any]:
    """`plan` as the manifest holds it."""
    return {
        "strategies": list(plan.strategies),
        "cases": list(plan.cases),
        "runs": plan.runs,
        "against": plan.against,
    }
