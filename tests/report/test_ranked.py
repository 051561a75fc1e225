"""Figures in, lines out."""

from __future__ import annotations

import dataclasses
import math
from datetime import date

import pytest
import synthetic

from capsim.report.layout import Line
from capsim.report.ranked import capacity_table, chosen_rows, ladder_table, ranked_table, scale_of
from capsim.results.reading import Plan
from capsim.study.figures import PLAIN, Row, Table
from capsim.study.statistics import Difference, Mean, Tail


def row(strategy: str, rank: int, total: float, difference: Difference | None, **plain: float) -> Row:
    """A row of known figures."""
    means = dict.fromkeys(PLAIN, 0.0) | {
        "cash_npv": 150e9,
        "lost_tokens_npv": 20e9,
        "lost_research_npv": 1e9,
        "slip_npv": 3.2e9,
        "equity": 4e9,
        "usd_per_pflop_day": 41.7,
        "runs_on_time": 5.25,
        "runs_total": 7.0,
        "slo_attainment": 0.9876,
        "tokens_unmet": 0.0312,
        "headline": 250e9,
        "binding": 187e9,
        "delivered": 120e9,
        "paid_idle_npv": 6.6e9,
        "paid_idle_share": 0.044,
        "bought_twice_npv": 0.3e9,
        "wait_p50_h": 0.25,
        "wait_p99_h": 96.0,
        "ettr": 0.91,
        "mfu": 0.37,
        "peak_gw": 3.14,
        "hhi_provider": 4321.0,
    }
    ladder = {"late": 0.1, "dark": 0.02, "broken": 0.01, "fragmented": 0.03, "idle": 0.04, "redone": 0.02}
    return Row(
        strategy=strategy,
        rank=rank,
        shared=rank == 2,
        total=Mean(total, 6e9),
        difference=difference,
        plain=means | plain,
        worst=Tail(total + 30e9, "worst of 32"),
        regret=(1e9, 2e9),
        slip_days=(30.4, math.inf),
        days_to_1m=(900.0, math.inf),
        ladder=ladder | {"productive": 0.78},
        owed={2027: 90e9, 2028: 60e9, 2029: 30e9},
    )


ROWS = (
    row("multi-cloud", 1, 174.2e9, Difference(-21.5e9, 4e9, 1e-6, True)),
    row("azure-plus-aws", 2, 190e9, Difference(-5.7e9, 6e9, 0.06, False)),
    row("neocloud", 2, 191e9, Difference(-4.7e9, 6e9, 0.1, False)),
    row("azure-exclusive", 4, 195.7e9, None),
    row("power-first", 5, 230e9, Difference(34.3e9, 5e9, 1e-9, True)),
    row("wait-and-see", 6, 400e9, Difference(204.3e9, 15e9, 1e-12, True)),
)
TABLE = Table("base", "azure-exclusive", ROWS, tuple(r.strategy for r in reversed(ROWS)))
PLAN = Plan(tuple(r.strategy for r in ROWS), ("base",), 32, "azure-exclusive")
CONTEXT = synthetic.context(start=date(2025, 11, 1), end=date(2031, 1, 1))

#: words of the first lines; the spaces between them are tested apart.
RANKED_120 = """\
# strategy TOTAL $B vs base, $B cash lost slip equity* $/PFLOP on time slip, d SLO unmet worst
mean ±95 % paired ±95 % NPV work $B apart -day runs p50/p90 % % of 32
1 multi-cloud 174.2 ±6.0 -21.5 ±4.0 150.0 21.0 3.2 4.0 41.7 5.2/7 30/never 98.8 3.1 204.2
2= azure-plus-aws 190.0 ±6.0 -5.7 ±6.0 ~ 150.0 21.0 3.2 4.0 41.7 5.2/7 30/never 98.8 3.1 220.0"""


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def words(lines: list[Line]) -> list[list[str]]:
    return [line.text.split() for line in lines]


def test_figures_of_a_row_at_120_columns() -> None:
    lines = ranked_table(TABLE, CONTEXT, PLAN, 120)
    assert words(lines)[:4] == [line.split() for line in RANKED_120.splitlines()]
    assert max(map(len, texts(lines))) <= 120
    assert words(lines)[5][:6] == ["4", "azure-exclusive", "195.7", "±6.0", "base", "150.0"]


def test_ties_are_marked_and_explained() -> None:
    lines = texts(ranked_table(TABLE, CONTEXT, PLAN, 120))
    assert [line.split()[0] for line in lines[2:8]] == ["1", "2=", "2=", "4", "5", "6"]
    assert "~ cannot be told apart from azure-exclusive (paired t, Holm over 5)" in lines[8]
    assert [("~" in line) for line in lines[2:8]] == [False, True, True, False, False, False]


def test_no_tie_no_note() -> None:
    clear = Table("base", "azure-exclusive", (ROWS[0], *ROWS[3:]), ())
    assert not any("~" in line for line in texts(ranked_table(clear, CONTEXT, PLAN, 120)))


def test_columns_line_up() -> None:
    lines = texts(ranked_table(TABLE, CONTEXT, PLAN, 120))
    ends = {line.rstrip().rfind(" ") for line in lines[2:8]}
    assert len(ends) == 1, "the last column starts at the same place in every row"
    signs = {line.find("±") for line in lines[2:8]}
    assert len(signs) == 1


@pytest.mark.parametrize("width", [64, 80, 100, 120, 160])
def test_nothing_is_wider_than_the_terminal_and_what_gives_way_is_named(width: int) -> None:
    for lines in (
        ranked_table(TABLE, CONTEXT, PLAN, width),
        capacity_table(TABLE, CONTEXT, width, wide=True),
        ladder_table(TABLE, width, wide=True),
    ):
        assert max(map(len, texts(lines))) <= width
        kept = any("never" in text or "HHI" in text or "MFU" in text for text in texts(lines)[:3])
        assert kept or any("too narrow here for" in text for text in texts(lines))


def test_the_essential_columns_never_leave() -> None:
    heads = " ".join(texts(ranked_table(TABLE, CONTEXT, PLAN, 64))[:2])
    for column in ("strategy", "TOTAL $B", "vs base", "cash", "lost"):
        assert column in heads


def test_capacity_shows_first_rows_base_and_last() -> None:
    lines = texts(capacity_table(TABLE, CONTEXT, 120, wide=False))
    assert [line.split()[1] for line in lines[2:7]] == [
        r.strategy for r in ROWS if r.strategy != "power-first"
    ]
    assert lines[7] == " .. 1 more rows: --wide"
    assert len(texts(capacity_table(TABLE, CONTEXT, 120, wide=True))) == 8


def test_figures_of_capacity() -> None:
    line = texts(capacity_table(TABLE, CONTEXT, 130, wide=False))[2].split()
    assert line == [
        "1", "multi-cloud", "250.0/187.0/120.0", "28Q2/>2030", "6.6", "4", "0.3", "0.25/96", "91", "3.1",
        "90.0/60.0/30.0", "4321",
    ]  # fmt: skip


def test_the_base_is_shown_even_when_it_is_in_the_middle() -> None:
    rows = tuple(
        row(f"s{i}", i + 1, 1e11 + i, None if i == 5 else Difference(1.0, 1.0, 1.0, False)) for i in range(8)
    )
    assert [r.strategy for r in chosen_rows(Table("base", "s5", rows, ()))] == [
        "s0",
        "s1",
        "s2",
        "s3",
        "s5",
        "s7",
    ]


def test_ladder_adds_up_to_100() -> None:
    for line in texts(ladder_table(TABLE, 120, wide=True))[2:]:
        assert sum(map(float, line.split()[1:8])) == pytest.approx(100)


def test_money_of_a_small_study_has_its_own_unit() -> None:
    small = Table("base", "a", (row("a", 1, 45.6e6, None),), ("a",))
    scale = scale_of(small)
    assert (scale.name, scale.show(45.6e6), scale.money(-1.2e6)) == ("$M", "45.6", "-$1.2M")


def test_one_run_has_no_interval() -> None:
    from dataclasses import replace

    lone = replace(ROWS[3], total=Mean(195.7e9, math.nan))
    line = texts(ranked_table(Table("base", "azure-exclusive", (lone,), ()), CONTEXT, PLAN, 120))[2]
    assert "195.7" in line
    assert "±" not in line
    assert "nan" not in line


def test_a_million_chips_is_no_figure_of_a_small_study() -> None:
    def heading(demand: float, *days: float) -> str:
        rows = tuple(dataclasses.replace(r, days_to_1m=(days[0], days[-1])) for r in TABLE.rows)
        found = dataclasses.replace(TABLE, rows=rows)
        return capacity_table(found, synthetic.context(demand={"2026-12": demand}), 120, False)[0].text

    assert "1M GB200e" not in heading(8e3, math.inf)
    assert "1M GB200e" in heading(8e3, 400.0, math.inf)
    assert "1M GB200e" in heading(2e6, math.inf)
