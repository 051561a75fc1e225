"""Costs that do not depend on the jobs: compiling, loading, a step from simpy into the kernel and back."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from typing import Any

import numpy as np
import simpy

from capsim.bench import plain_simpy
from capsim.bench.cases import Case
from capsim.bench.inputs import MIXES, draw
from capsim.bench.measure import cluster_of
from capsim.kernel import replay

WARM = "import capsim.kernel.api, capsim.kernel.replay, capsim.kernel.conservative"


def _seconds(words: list[str], folder: str | None = None) -> float:
    environment = os.environ | ({"NUMBA_CACHE_DIR": folder} if folder else {})
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def cold_compile() -> float:
    """Wall seconds of ``capsim warmup`` with nothing compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        return _seconds(["-m", "capsim", "warmup"], folder)


def warm_start(repeats: int = 3) -> float:
    """Wall seconds of a process that loads the compiled kernel and ends: Python and numba included."""
    return min(_seconds(["-c", WARM]) for _ in range(repeats))


def crossing(times: int = 20_000) -> float:
    """Seconds of one ``Cluster.advance`` called by a simpy process, above those of the process alone.

    The cluster is the large fleet in racks; its one job runs throughout, so the kernel has nothing to do.
    """
    one = tuple(np.array([value], dtype=np.int64) for value in (0, 10 * times, 64, 10 * times))
    case = Case("easy", places="racks", jobs=1)
    cluster = cluster_of(case, one)  # type: ignore[arg-type]

    def clock(env: simpy.Environment, step: Any) -> Generator[Any, Any, None]:
        for _ in range(times):
            yield env.timeout(1)
            step(int(env.now))

    def run(step: Any) -> float:
        env = simpy.Environment()
        env.process(clock(env, step))
        began = time.process_time()
        env.run()
        return time.process_time() - began

    alone = min(run(int) for _ in range(3))
    return (run(cluster.advance) - alone) / times


def against_simpy(policy: str, jobs: int, chips: int) -> tuple[float, float]:
    """Seconds of the kernel and of the plain simpy model for the same jobs, whose starts must be equal.

    Jobs of the first mix at load .9 on interchangeable chips.
    """
    columns = draw(MIXES["first"], jobs, chips, 0.9)
    submit, run, size, requested = columns
    began = time.process_time()
    theirs = plain_simpy.schedule(columns, chips, policy)
    simpy_seconds = time.process_time() - began
    repeats = 5
    began = time.process_time()
    for _ in range(repeats):
        ours = replay.run(submit, size, run, requested, chips, policy).start
    seconds = (time.process_time() - began) / repeats
    if ours.tolist() != theirs:
        raise AssertionError(f"the plain simpy model and the kernel disagree under {policy}")
    return seconds, simpy_seconds
