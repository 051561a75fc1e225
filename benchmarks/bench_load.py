"""Loading studies. Goals (one core): 10,000 entries in at most 3 s; the built-in study in at most 0.2 s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capsim.spec.loader import load_study
from tests.spec.large import write_large


def bench_ten_thousand_entries(benchmark: Any, tmp_path: Path) -> None:
    """Goal: at most 3 s."""
    path = tmp_path / "large.yaml"
    write_large(path, 10_000)
    benchmark.pedantic(load_study, args=(path,), rounds=3)


def bench_built_in_study(benchmark: Any) -> None:
    """Goal: at most 0.2 s warm."""
    load_study("frontier-lab")
    benchmark(load_study, "frontier-lab")
