"""Simulated gangs: published counts, effective time, lemon nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.engine.gangs import DAY, Gangs, Site, run_for, run_to_the_end
from capsim.report import reliability


def test_llama_3s_interruptions_are_the_rates_arithmetic() -> None:
    """419 in 54 days of wall time on 16,384 GPUs, mean of 20 seeds."""
    mean, half = reliability._mean_count(16_384, 0.474, 54)
    assert abs(mean - 16_384 * 54 * 0.474 / 1000) <= half < 0.05 * mean


def test_rsc_1s_rate_gives_its_projection_at_16384_gpus() -> None:
    mean, _ = reliability._mean_count(16_384, 6.5 / 8, 54)
    assert 54 * 24 / mean == pytest.approx(1.8, abs=0.05)


def test_only_lemon_nodes_explain_rsc_1s_small_jobs() -> None:
    assert reliability.job_hours(0.0, 1) == pytest.approx(28.8, rel=0.03)
    assert reliability.job_hours(*reliability.LEMON_ASSUMED) > 3 * 7.9
    assert reliability.job_hours(*reliability.LEMON_FITTED) == pytest.approx(7.9, rel=0.03)


@pytest.mark.parametrize("chips", reliability.ETTR_CHIPS)
@pytest.mark.parametrize("setting", reliability.ETTR_SETTINGS)
def test_effective_time_is_the_closed_form_within_a_point(chips: int, setting: tuple[float, float]) -> None:
    _, form, simulated = reliability.ettr(chips, *setting)
    assert simulated == pytest.approx(form, abs=0.01)


def test_a_fleet_of_lemons_of_one_mean_rate_spares_the_jobs() -> None:
    """At one mean rate, lemons that are in repair hit nobody: jobs fail less often than with equal nodes."""
    gangs = Gangs(1024, 15, restart_s=600)
    equal = run_for(Site(2048, 0.8125), gangs, 330, seed=1)
    lemons = run_for(Site(2048, 0.8125, 0.015, 330), gangs, 330, seed=1)
    assert lemons.interruptions < 0.95 * equal.interruptions


def test_a_gang_without_failures_works_all_the_time_but_its_stalls() -> None:
    done = run_to_the_end(Site(4, 0.0), Gangs(16, 1, interval_s=900, stall_s=100), 1.0, seed=0)
    assert (done.work, done.elapsed, done.interruptions) == (3_600_000, 3_900_000, 0)
    assert run_for(Site(4, 0.0), Gangs(16, 2), 1.5, seed=0).elapsed == 1.5 * DAY


def test_the_table_of_the_page_is_current(root: Path) -> None:
    page = (root / "docs" / "scheduling.md").read_text(encoding="utf-8")
    assert reliability.with_ettr_table(page) == page, "run: capsim validate"
    assert page.count("| 500,000 |") == 3
