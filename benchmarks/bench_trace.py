"""Traces end to end. Goals (one core): 1 M SWF jobs read in at most 3 s, replayed in at most 10 s in all."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest

from capsim.workload.traces import read_jobs

JOBS = 1_000_000
CHIPS = 524_160
LOAD = 0.9


@cache
def trace_file() -> Path:
    """1 M SWF jobs, Poisson arrivals at the load, seed 1.

    Sizes 2^k, k = 3…17, p ∝ 2^(−0.7(k−3)); run time lognormal, median 30 min, σ 2, 10 s … 14 d;
    requested = run × (1 + Exp(mean 1.5)).
    """
    rng = np.random.default_rng(1)
    k = np.arange(3, 18)
    weight = 2.0 ** (-0.7 * (k - 3))
    size = 2 ** rng.choice(k, JOBS, p=weight / weight.sum())
    run = np.clip(1800 * np.exp(2 * rng.standard_normal(JOBS)), 10, 14 * 86_400).astype(np.int64)
    requested = np.ceil(run * (1 + rng.exponential(1.5, JOBS))).astype(np.int64)
    gap = float((size * run).mean()) / (LOAD * CHIPS)
    submit = np.cumsum(rng.exponential(gap, JOBS)).astype(np.int64)
    unknown = np.full(JOBS, -1)
    known = {1: np.arange(1, JOBS + 1), 2: submit, 4: run, 5: size, 8: size, 9: requested}
    table = pa.table({str(field): known.get(field, unknown) for field in range(1, 19)})
    path = Path(mkdtemp(prefix="capsim-bench-")) / "mix.swf"
    with open(path, "wb") as file:
        file.write(f"; Version: 2.2\n; MaxProcs: {CHIPS}\n".encode())
        arrow_csv.write_csv(table, file, arrow_csv.WriteOptions(include_header=False, delimiter=" "))
    return path


def bench_read_one_million_jobs(benchmark: Any) -> None:
    """Goal: at most 3 s."""
    benchmark.pedantic(read_jobs, args=(trace_file(),), rounds=3)


@pytest.mark.parametrize("policy", ["fcfs", "easy"])
def bench_replay_one_million_jobs(benchmark: Any, policy: str) -> None:
    """Goal: at most 10 s, import, reading, scheduling, figures and output included."""
    path = trace_file()
    words = [sys.executable, "-m", "capsim", "trace", "replay", str(path), "--policy", policy]
    words += ["--out", str(path.with_name("starts.csv")), "--quiet"]
    benchmark.pedantic(subprocess.run, args=(words,), kwargs={"check": True}, rounds=3, warmup_rounds=1)
