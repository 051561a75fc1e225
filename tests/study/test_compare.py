"""Comparisons: one digest over workers and interruptions, nothing lost, clear messages."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import synthetic
from comparing import compare_in, head_of, plan_of

from capsim.errors import CapsimError, InputError
from capsim.results.folder import open_folder
from capsim.study.compare import compare, remaining
from capsim.study.workers import Task, simulate_all


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the uninterrupted comparison of 6 runs, in one process."""
    return compare_in(tmp_path_factory.mktemp("whole") / "run").digest


@pytest.mark.parametrize(("workers", "method"), [(2, "fork"), (2, "spawn"), (4, "fork")])
def test_digest_is_the_same_for_any_workers(tmp_path: Path, digest: str, workers: int, method: str) -> None:
    assert compare_in(tmp_path / "run", workers=workers, start_method=method).digest == digest


def test_digest_sees_another_world(tmp_path: Path, digest: str) -> None:
    assert compare_in(tmp_path / "run", seed=8).digest != digest


def test_digest_does_not_see_wall_time(tmp_path: Path, digest: str) -> None:
    assert compare_in(tmp_path / "run", sleep=0.001).digest == digest


def test_every_run_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    compare_in(tmp_path / "run", runs=3, on_run=told.append)
    assert sum(told) == 12


def test_resuming_a_complete_comparison_simulates_nothing(tmp_path: Path, digest: str) -> None:
    compare_in(tmp_path / "run")
    told: list[int] = []
    assert compare_in(tmp_path / "run", resume=True, on_run=told.append).digest == digest
    assert told == []


def test_more_runs_extend_a_comparison(tmp_path: Path, digest: str) -> None:
    compare_in(tmp_path / "run", runs=4)
    told: list[int] = []
    assert compare_in(tmp_path / "run", resume=True, on_run=told.append).digest == digest
    assert sum(told) == 2 * 4


def _compare_quietly(path: str, workers: int) -> None:
    os.setsid()
    compare_in(Path(path), workers=workers, sleep=0.01)


@pytest.fixture(scope="module")
def forkserver() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["comparing"])
    return context


def test_kill_at_20_random_points_and_resume(
    tmp_path: Path, digest: str, forkserver: multiprocessing.context.ForkServerContext
) -> None:
    chance = random.Random(7)
    interrupted = 0
    for point in range(20):
        path = tmp_path / str(point)
        process = forkserver.Process(target=_compare_quietly, args=(str(path), 1 + point % 2))
        process.start()
        _wait_for(path / "parts")
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.join()
        done = {p.name: p.stat().st_mtime_ns for p in (path / "parts").glob("*.parquet")}
        interrupted += len(done) < 6
        assert compare_in(path, resume=True).digest == digest
        after = {p.name: p.stat().st_mtime_ns for p in (path / "parts").glob("*.parquet")}
        assert done.items() <= after.items(), "finished runs were touched"
        assert len(after) == 6
        assert not list(path.rglob("*.writing*"))
    assert interrupted >= 10, "the kills came too late to test anything"


def _wait_for(path: Path) -> None:
    for _ in range(2000):
        if path.exists():
            return
        time.sleep(0.005)
    raise AssertionError(f"{path} never appeared")


def test_orphaned_workers_end(tmp_path: Path, forkserver: multiprocessing.context.ForkServerContext) -> None:
    process = forkserver.Process(target=_compare_quietly, args=(str(tmp_path / "run"), 2))
    process.start()
    _wait_for(tmp_path / "run" / "parts")
    process.kill()
    process.join()
    assert process.pid is not None
    for _ in range(300):
        if not _members(process.pid):
            return
        time.sleep(0.02)
    raise AssertionError("workers outlived their parent")


def _members(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell that starts the tests in the background has them ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("interruptible")
def test_interrupt_keeps_every_finished_run(tmp_path: Path, digest: str, workers: int) -> None:
    told: list[int] = []

    def interrupt(count: int) -> None:
        told.append(count)
        if len(told) == 10:
            os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "run"
    with pytest.raises(CapsimError, match=r"interrupted: \d of 6 worlds are kept in .*--resume goes on"):
        compare_in(path, workers=workers, on_run=interrupt, sleep=0.005)
    assert json.loads((path / "manifest.json").read_text())["status"] == "interrupted"
    again: list[int] = []
    assert compare_in(path, resume=True, on_run=again.append).digest == digest
    assert sum(told) + sum(again) == 24, "a finished run was simulated again"


def test_terminate_is_as_orderly_as_interrupt(tmp_path: Path) -> None:
    with pytest.raises(CapsimError, match="interrupted"):
        compare_in(tmp_path / "run", on_run=lambda _: os.kill(os.getpid(), signal.SIGTERM))


def test_killed_worker_is_named_and_nothing_is_lost(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "run"
    told: list[int] = []

    def kill_one(count: int) -> None:
        told.append(count)
        if len(told) == 6:
            worker = next(p for p in multiprocessing.active_children() if p.name == "capsim-worker")
            worker.kill()

    with pytest.raises(CapsimError, match=r"killed by SIGKILL.*--resume"):
        compare_in(path, workers=2, on_run=kill_one, sleep=0.01)
    again: list[int] = []
    assert compare_in(path, resume=True, on_run=again.append).digest == digest
    assert sum(again) == 24 - sum(told)


@pytest.mark.parametrize("workers", [1, 2])
def test_defect_in_a_run_keeps_the_others(tmp_path: Path, digest: str, workers: int) -> None:
    path = tmp_path / "run"
    with pytest.raises((ValueError, RuntimeError), match="made-up defect"):
        compare_in(path, workers=workers, fail_in_run=3)
    assert len(list((path / "parts").glob("*.parquet"))) >= 2
    assert compare_in(path, resume=True).digest == digest


def test_flipped_bit_is_found_named_and_done_again(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "run"
    compare_in(path)
    victim = sorted((path / "parts").glob("*.parquet"))[2]
    raw = bytearray(victim.read_bytes())
    raw[len(raw) // 2] ^= 4
    victim.write_bytes(raw)
    plan = plan_of()
    with open_folder(path, head_of(plan), resume=True) as folder:
        assert folder.damaged == [f"parts/{victim.name}"]
        assert remaining(plan, folder) == [Task("base", 2, plan.strategies)]
        assert compare(plan, folder, synthetic.prepared(), synthetic.simulate).digest == digest


def test_damaged_table_is_merged_again(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "run"
    compare_in(path)
    whole = (path / "series.parquet").read_bytes()
    (path / "series.parquet").write_bytes(whole[:-100])
    assert compare_in(path, resume=True).digest == digest
    assert (path / "series.parquet").read_bytes() == whole


def test_two_runs_into_one_folder(
    tmp_path: Path, forkserver: multiprocessing.context.ForkServerContext
) -> None:
    process = forkserver.Process(target=_compare_quietly, args=(str(tmp_path / "run"), 1))
    process.start()
    _wait_for(tmp_path / "run" / "parts")
    with pytest.raises(CapsimError, match=rf"another capsim \(process {process.pid}\) writes to"):
        compare_in(tmp_path / "run", resume=True)
    process.join()
    assert process.exitcode == 0


def test_unfinished_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="made-up defect"):
        compare_in(tmp_path / "run", fail_in_run=3)
    with pytest.raises(InputError, match=r"unfinished comparison \(\d of 6 worlds done\); add --resume"):
        compare_in(tmp_path / "run")


def test_complete_folder_is_kept_as_previous(tmp_path: Path, digest: str) -> None:
    compare_in(tmp_path / "run")
    compare_in(tmp_path / "run", seed=8)
    manifest = json.loads((tmp_path / "run.previous" / "manifest.json").read_text())
    assert manifest["result_digest"] == digest


def test_another_study_does_not_resume(tmp_path: Path) -> None:
    compare_in(tmp_path / "run", runs=1)
    plan = plan_of(1)
    with pytest.raises(InputError, match="its study is 3f9a1c, now it is abcdef"):
        open_folder(tmp_path / "run", head_of(plan) | {"digest": "abcdef"}, resume=True)


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not a run folder"):
        compare_in(tmp_path)
    assert [p.name for p in tmp_path.iterdir() if p.name != "lock"] == ["thesis.tex"]


def test_cases_are_kept_apart(tmp_path: Path) -> None:
    results = compare_in(tmp_path / "run", runs=2, cases=("base", "late"))
    assert set(results.table("training", "late", "azure")["case"]) == {"late"}
    assert [(w.case, w.run) for w in simulated_order()] == [
        ("base", 0),
        ("base", 1),
        ("late", 0),
        ("late", 1),
    ]


def simulated_order() -> list[Task]:
    """Worlds in the order of the plan."""
    return [Task(case, run, ()) for case, run in plan_of(2, ("base", "late")).worlds]


def test_strategies_of_a_world_run_back_to_back() -> None:
    tasks = [Task("base", run, ("azure", "multi")) for run in range(3)]
    order = [
        (f.result.run, f.result.strategy)
        for f in simulate_all(tasks, synthetic.prepared(), synthetic.simulate, 1)
    ]
    assert order == [(run, s) for run in range(3) for s in ("azure", "multi")]


def test_parts_of_worlds_that_workers_shared_are_those_of_one_worker(tmp_path: Path) -> None:
    for workers in (1, 2):
        compare_in(tmp_path / str(workers), runs=3, workers=workers)
    one, two = ([p.name for p in sorted((tmp_path / w / "parts").iterdir())] for w in ("1", "2"))
    assert one == two


def test_no_thread_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    compare_in(tmp_path / "run", runs=2, workers=2)
    assert threading.active_count() == before
    assert not [p for p in multiprocessing.active_children() if p.name == "capsim-worker"]
