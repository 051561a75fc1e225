"""The validation tables: complete, current, and DeepSeek's published day."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.errors import InputError
from capsim.report.validation import (
    DAY_NODES,
    published_day,
    published_day_nodes,
    truth_folder,
    validation_text,
)
from capsim.workload.reliability import effective_time_ratio, mttf_hours, per_chip_rate, young_daly_seconds


def test_deepseeks_day_within_20_percent_without_calibration() -> None:
    assert published_day_nodes() == pytest.approx(DAY_NODES, rel=0.20)
    assert published_day().tpot_ms <= 50


@pytest.mark.shared
def test_published_tables_are_current(shared: Path, root: Path) -> None:
    """docs/validation.md is what `capsim validate` writes now (versions aside)."""

    def figures(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("Python ")]

    written = (root / "docs" / "validation.md").read_text(encoding="utf-8")
    assert figures(validation_text(shared)) == figures(written), "run: capsim validate"


@pytest.mark.shared
def test_every_start_equals_the_truth(shared: Path, root: Path) -> None:
    text = (root / "docs" / "validation.md").read_text(encoding="utf-8")
    for jobs, row in ((4606, "sdsc_sp2_5k"), (5000, "curie_5k"), (18066, "nasa_full")):
        assert f"| {row} | {jobs} | {jobs} equal | {jobs} equal | {jobs} equal |" in text


def test_missing_truth_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--shared"):
        truth_folder(tmp_path)


@pytest.mark.parametrize(
    ("chips", "restart_min", "stall", "ratio"),
    [
        (16_384, 20, 60, 0.81),
        (16_384, 5, 10, 0.93),
        (16_384, 1, 2, 0.98),
        (100_000, 20, 60, 0.40),
        (100_000, 5, 10, 0.76),
        (500_000, 5, 10, 0.34),
        (500_000, 1, 2, 0.76),
    ],
)
def test_effective_time_of_published_fleets(
    chips: int, restart_min: float, stall: float, ratio: float
) -> None:
    """The fleet table of the reliability facts, at 3.79 failures per 1,000 node-days."""
    failure = mttf_hours(chips, per_chip_rate(3.79)) * 3600
    interval = young_daly_seconds(stall, failure)
    assert effective_time_ratio(interval, stall, restart_min * 60, failure) == pytest.approx(ratio, abs=0.006)


def test_mean_time_to_failure() -> None:
    assert mttf_hours(16_384, 0.474) == pytest.approx(3.09, abs=0.01)
    assert mttf_hours(16_384, per_chip_rate(6.5)) == pytest.approx(1.80, abs=0.01)
    assert mttf_hours(0, 0.474) == float("inf")
    assert effective_time_ratio(600, 30, 300, float("inf")) == pytest.approx(600 / 630)
