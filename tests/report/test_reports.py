"""Whole reports on made-up results: every block is there, in order, and fits; JSON says the same."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import synthetic
from comparing import compare_in

from capsim.report.comparison import comparison_report, demand_line, provenance_line
from capsim.report.depth import depth_report, named_runs, periods
from capsim.report.jsonout import comparison_json, run_json
from capsim.report.layout import Line, listed, paragraph
from capsim.report.numbers import figure, scale_for, usd
from capsim.report.terminal import DEFAULT_WIDTH, width_of, write
from capsim.results.reading import Plan, Results
from capsim.study.context import Context
from capsim.study.figures import table
from capsim.study.statistics import mean

CONTEXT = synthetic.context()
Report = Callable[[Results, Context, int, bool], list[Line]]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A finished comparison, 12 runs of two cases."""
    return compare_in(tmp_path_factory.mktemp("runs") / "done", runs=12, cases=("base", "late"))


@pytest.fixture(scope="session")
def single(results: Results) -> Results:
    """One strategy of it."""
    plan = Plan(("multi",), ("base",), 12, "multi")
    rows = {key: row for key, row in results.rows.items() if key[:2] == ("multi", "base")}
    return Results(plan, rows, results.path, results.digest, results.seconds)


@pytest.mark.parametrize("report", [comparison_report, depth_report])
@pytest.mark.parametrize("width", [64, 80, 120, 200])
@pytest.mark.parametrize("wide", [False, True])
def test_reports_fit(results: Results, single: Results, report: Report, width: int, wide: bool) -> None:
    shown = results if report is comparison_report else single
    for line in report(shown, CONTEXT, width, wide):
        assert len(line.text) <= max(width, len(str(results.path)) + 40), line.text
        assert line.text == line.text.rstrip()
        assert not re.search(r"\bnan\b|\binf\b|e[+-]\d\d", line.text), line.text


def test_blocks_of_a_comparison_are_in_order(results: Results) -> None:
    text = "\n".join(line.text for line in comparison_report(results, CONTEXT, 120, False))
    wanted = [
        "capsim compare", "4 strategies x 2 cases x 12 runs", "2025-11..2026-12", "study 3f9a1c  seed 7",
        "Facts dated up to 2025-12-20", "40 ASSUMED", "Demand in GB200e", "Simulated: 96.0k jobs, 4,800 failures",
        "RANKED BY TOTAL", "vs base", "never in TOTAL", "capacity and risk", "of 100 chip-", "by case",
        "Why  ", "What binds", "Not chosen", "What flips it", "Weakest input", "Left out",
        "CVaR95 needs 400 runs",
        "Kept in", "next: capsim run synthetic -s ",
    ]  # fmt: skip
    places = [text.find(part) for part in wanted]
    assert -1 not in places, wanted[places.index(-1)]
    assert places == sorted(places)


def test_why_names_best_and_base_with_the_difference_of_the_table(results: Results) -> None:
    lines = [line.text for line in comparison_report(results, CONTEXT, 120, False)]
    why = next(line for line in lines if line.startswith("Why"))
    figures = table(results, "base")
    best, base = figures.rows[0], figures.base
    gap = base.total.value - best.total.value
    assert f"{best.strategy} beats azure by ${gap / 1e9:.1f}B: " in why


def test_what_was_not_chosen_is_dearer_by_so_much_in_the_same_worlds(results: Results) -> None:
    text = " ".join(line.text for line in comparison_report(results, CONTEXT, 120, True)).split("Not chosen")[
        1
    ]
    best, *others = (row.strategy for row in table(results, "base").rows)
    for other in others:
        gap = mean(results.metric("total_npv", other, "base") - results.metric("total_npv", best, "base"))
        assert f"{other} {gap.value / 1e9:+.1f} ±{gap.half / 1e9:.1f}: " in text


def test_only_two_base_rows_are_compared_when_the_base_is_best(results: Results) -> None:
    figures = table(results, "base")
    plan = Plan(results.plan.strategies, ("base",), 12, figures.rows[0].strategy)
    shown = Results(plan, results.rows, results.path, results.digest, results.seconds)
    why = next(x.text for x in comparison_report(shown, CONTEXT, 120, False) if x.text.startswith("Why"))
    assert f"{figures.rows[0].strategy} beats {figures.rows[1].strategy} by" in why


def test_demand_is_compared_with_what_was_published(results: Results) -> None:
    context = synthetic.context(published_spend=(600e9, "spend through 2030"))
    text = demand_line(results, context, table(results, "base"))
    assert re.fullmatch(
        r"Demand in GB200e \(central path\): 96\.4k end 2025-12, 174k end 2026-12; "
        r"at azure's \$3\.20/h that is \$4\.31B, "
        r"1 % of the \$600B of spend through 2030",
        text,
    )


def test_provenance_counts_in_order_and_assumed_last() -> None:
    text = provenance_line(CONTEXT)
    assert text.endswith("Inputs: 12 vendor, 8 secondary, 5 derived, 3 recalled, 40 ASSUMED")


def test_depth_shows_who_ran_where(single: Results) -> None:
    text = "\n".join(line.text for line in depth_report(single, CONTEXT, 120, False))
    chat = next(line for line in text.splitlines() if line.startswith(" chat"))
    assert chat.split()[:4] == ["chat", "90.0", "9.0", "1.0"]
    assert chat.endswith("98.0 % in SLO")
    for part in (
        "k chips, P50",
        "delivered",
        "Runs ",
        "R1 due 2026-04",
        "Contracts ",
        "multi-offer paid",
        "Events, run 0",
    ):
        assert part in text


def test_runs_that_never_ran_have_no_time_to_lose() -> None:
    day = 86_400_000
    training = {
        "name": np.array(["R1", "R2", "R3"] * 2),
        "target_ms": np.full(6, 180 * day),
        "finish_ms": np.array([190 * day, -1, 200 * day, 190 * day, -1, -1]),
        "slip_days": np.array([10.0, 99.0, 20.0, 10.0, 99.0, 99.0]),
        "ettr": np.array([0.9, 0.0, 0.8, 0.8, 0.0, 0.0]),
    }
    nothing = {name: np.array([]) for name in ("name", "gang", "chips", "run")}
    stub: Any = SimpleNamespace(table=lambda name, *_: training if name == "training" else nothing)
    (line,) = named_runs(stub, CONTEXT, "s", "base", 200)
    assert " ".join(line.text.split()) == (
        "Runs R1 due 2026-04 +10 d (p90 10), ETTR 85 % | R2 due 2026-04 not done in any run |"
        " R3 due 2026-04 +20 d (p90 never), ETTR 80 %, never in 50 %"
    )


def test_what_leaving_costs_is_told_within_the_horizon(single: Results) -> None:
    for end, told in ((date(2027, 7, 1), "the horizon"), (date(2031, 1, 1), "2028")):
        text = " ".join(x.text.strip() for x in depth_report(single, synthetic.context(end=end), 120, False))
        assert f"exit at the end of {told} $1" in text


def test_the_rules_of_dispatch_and_valleys_are_told(single: Results) -> None:
    told = synthetic.context(dispatch={"multi": "research cheapest"})
    text = " ".join(x.text.strip() for x in depth_report(single, told, 120, False))
    assert "; dispatch: research cheapest" in text
    # every synthetic run has 2M chip-hours in valleys
    assert "jobs used 2.00M chip-hours in the valleys of services" in text
    plain = " ".join(x.text.strip() for x in depth_report(single, CONTEXT, 120, False))
    assert "dispatch:" not in plain


def test_periods_cover_every_month_once() -> None:
    months = [f"{2025 + (10 + i) // 12}-{(10 + i) % 12 + 1:02d}" for i in range(62)]
    for room in range(6, 70):
        found = periods(months, room)
        assert [m for p in found for m in p.months] == months
        assert len(found) <= room
    assert [p.name for p in periods(months, 16)][-3:] == ["28Q4", "2029", "2030"]


def test_json_is_finite_and_equals_the_table(results: Results, single: Results) -> None:
    found = json.loads(comparison_json(results, CONTEXT))
    assert found["schema"] == "capsim.compare/1"
    ranked = found["cases"]["base"]["ranked"]
    figures = table(results, "base")
    assert [r["strategy"] for r in ranked] == [r.strategy for r in figures.rows]
    assert ranked[0]["total"]["value"] == figures.rows[0].total.value
    assert next(r for r in ranked if r["strategy"] == "azure")["difference"] is None
    assert found["cases"]["base"]["tenants"] == {row["strategy"]: None for row in ranked}
    bridge = found["cases"]["base"]["bridge"]
    assert math.fsum(line["usd"] for line in bridge["lines"]) == bridge["difference"]
    depth = json.loads(run_json(single, CONTEXT))
    assert depth["schema"] == "capsim.run/1"
    assert depth["cases"]["base"]["figures"]["means"]["ettr"] == pytest.approx(0.93)
    assert len(depth["cases"]["base"]["training"]) == 24


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (12.345, "12.3"),
        (0.01234, "0.012"),
        (math.nan, "-"),
        (math.inf, "never"),
        (-4.56, "-4.56"),
    ],
)
def test_figures(value: float, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.234e12, "$1.23T"), (999.9e9, "$1.00T"), (45.6e9, "$45.6B"), (-7.8e6, "-$7.80M"), (12, "$12.0")],
)
def test_money(value: float, shown: str) -> None:
    assert usd(value) == shown


@pytest.mark.parametrize(
    ("largest", "name", "decimals"),
    [(2.5e12, "$B", 0), (250e9, "$B", 1), (2.5e9, "$B", 2), (400e6, "$M", 1), (3e3, "$k", 2), (0, "$", 2)],
)
def test_scale(largest: float, name: str, decimals: int) -> None:
    scale = scale_for(largest)
    assert (scale.name, scale.decimals) == (name, decimals)


def test_no_minus_zero() -> None:
    assert scale_for(1e11).show(-1e6) == "0.0"


def test_lists_break_between_items() -> None:
    lines = [
        line.text for line in listed("What binds", ["first thing here", "second thing here", "third"], 50)
    ]
    assert lines == ["What binds     first thing here |", "               second thing here | third"]


def test_paragraphs_hang() -> None:
    lines = [line.text for line in paragraph("Why", "a b c " * 20, 60)]
    assert lines[0].startswith("Why            a b c")
    assert all(line.startswith(" " * 15 + "a") or line.startswith(" " * 15) for line in lines[1:])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream, expected in ((Terminal(), "\x1b[1mx\x1b[0m\n"), (io.StringIO(), "x\n")):
        write([Line("x", "bold")], stream)
        assert stream.getvalue() == expected
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    write([Line("x", "bold")], stream)
    assert stream.getvalue() == "x\n"


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of(io.StringIO()) == DEFAULT_WIDTH
    monkeypatch.setenv("COLUMNS", "80")
    assert width_of(io.StringIO()) == 80
    monkeypatch.setenv("COLUMNS", "10")
    assert width_of(io.StringIO()) == 64
