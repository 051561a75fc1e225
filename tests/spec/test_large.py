"""A study of 10,000 entries loads in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from capsim.errors import StudyError
from capsim.spec.loader import load_study
from tests.spec.large import write_large


def test_ten_thousand_entries(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    write_large(path, 10_000)
    began = time.process_time()
    assert len(load_study(path).study.offers) > 10_000
    # The goal is 3 s (benchmarks/bench_load.py measures it); the bound here only catches a change of order.
    assert time.process_time() - began < 15.0


def test_the_last_line_of_many_is_found(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    write_large(path, 500)
    with path.open("a") as file:
        file.write("  last: {provider: x, kind: cloud, status: signed, term: 7}\n")
    with pytest.raises(StudyError, match=r"large\.yaml:6004:58: `7` lacks its unit"):
        load_study(path)
