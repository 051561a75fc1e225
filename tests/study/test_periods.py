"""Quarters, years and chip-time of made-up results whose figures are known."""

from __future__ import annotations

import dataclasses

import pytest
import synthetic

from capsim.report.numbers import scale_for
from capsim.report.periods import chip_time_table, when_it_binds, year_table
from capsim.results.reading import Results
from capsim.results.schema import LADDER
from capsim.study.periods import chip_time, quarters, years

CONTEXT = synthetic.context()


def words(lines: list[object]) -> str:
    return " ".join(" ".join(getattr(line, "text", "") for line in lines).split())


def test_quarters_bind_where_chips_are_missing(results: Results) -> None:
    modest = dataclasses.replace(CONTEXT, demand=dict.fromkeys(CONTEXT.demand, 1_000.0))
    found = quarters(results, modest, "azure", "base")
    assert [quarter.name for quarter in found] == ["25Q4", "26Q1", "26Q2", "26Q3", "26Q4"]
    for quarter in found:
        # delivered chips have power for 95 % of them, and 94 % are healthy; all was delivered in the end
        there = quarter.of["power"]
        assert quarter.short["power"] == pytest.approx(0.05 * there)
        assert quarter.short["repair"] == pytest.approx(0.01 * there)
        assert quarter.short["delivery"] == pytest.approx(100_000 - there)
    assert (found[0].binds, found[-1].binds) == ("delivery", "power")
    assert "power: up to 5.0k of 100k without power" in words(
        when_it_binds(results, modest, "azure", "base", 120)
    )


def test_other_demand_binds_otherwise(results: Results) -> None:
    thirsty = dataclasses.replace(CONTEXT, demand=dict.fromkeys(CONTEXT.demand, 400_000.0))
    found = quarters(results, thirsty, "azure", "base")
    assert {quarter.binds for quarter in found[1:]} == {"chips"}
    assert found[-1].short["chips"] == pytest.approx(300_000)
    assert "k GB200e short of demand" in words(when_it_binds(results, thirsty, "azure", "base", 120))


def test_a_budget_that_is_used_up_is_named(results: Results) -> None:
    # the made-up `wait` rents for $2B in the first month
    tight = dataclasses.replace(CONTEXT, budgets={"wait-offer": 2e9})
    found = quarters(results, tight, "wait", "base")
    assert found[0].budgets == ("wait-offer",)
    loose = dataclasses.replace(CONTEXT, budgets={"wait-offer": 3e9})
    assert not any(quarter.budgets for quarter in quarters(results, loose, "wait", "base"))


def test_years_are_means_of_the_runs(results: Results) -> None:
    first, second, _ = years(results, "azure", "base")
    assert (first.year, first.payments, first.idle_rent) == (2026, pytest.approx(5e9), pytest.approx(2e8))
    assert first.chips_by == {"own": pytest.approx(50_000), "azure": pytest.approx(100_000)}
    assert second.prepaid_by == {}


@pytest.mark.parametrize("width", [80, 120])
def test_the_year_table_fits_and_names_suppliers(results: Results, width: int) -> None:
    lines = year_table(results, "azure", "base", scale_for(1e10), width)
    assert max(len(line.text) for line in lines) <= width
    assert "2026 chips azure 67 %, own 33 %; owed azure 67 %, own 33 %" in words(lines)


def test_chip_time_closes_as_kept_and_as_printed(results: Results) -> None:
    (one,) = chip_time(results, "azure", "base")
    assert one.rungs["paid"] == sum(one.rungs[rung] for rung in LADDER[1:])
    for width in (80, 120):
        lines = chip_time_table(results, "azure", "base", width)
        assert max(len(line.text) for line in lines) <= width
        numbers = [float(cell.replace(",", "")) for cell in lines[-1].text.split()[1:]]
        assert numbers[0] == pytest.approx(sum(numbers[1:]))
