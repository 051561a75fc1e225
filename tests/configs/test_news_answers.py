"""Sentences of the READMEs of the news follow from the figures: another figure, another sentence. No simulation."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import replace

import news_backtest
import numpy as np
import pytest
from news_answers import ANSWERS, verdict
from news_figures import (
    Figures,
    FlipFound,
    consistent,
    flip_command,
    flip_words,
    gain,
    listed,
    money,
    paired,
    typical,
)
from news_flips import EFFICIENCY, FLIPS, TALKS
from news_record import LINES, METRICS

from capsim.spec.loader import load_study, read_study

BILLION = 1e9
#: differences between runs that leave a paired interval of about 0.02 B.
JITTER = np.tile([-0.01, 0.0, 0.01, 0.0], 2)
#: figures that are not dollars.
PLAIN = ("paid_idle_share", "hhi_provider", "runs_on_time", "runs_total")


def figures(name: str, given: Mapping[tuple[str, str], Mapping[str, float]] | None = None) -> Figures:
    """Figures of a study's cases and strategies, all 1, with the given ones ($B) in place of theirs."""
    draft = read_study(f"news/{name}")
    study = draft.resolve("base").study
    values = {}
    for number, case in enumerate(["base", *draft.cases]):
        for order, strategy in enumerate(study.strategies):
            ours = (given or {}).get((case, strategy), {})
            values[case, strategy] = {
                metric: np.full(8, ours.get(metric, 1.0))
                if metric in PLAIN
                else BILLION * (ours.get(metric, 1.0) + (number + order + 1) * JITTER)
                for metric in (*METRICS, *LINES)
            }
    return Figures(values, tuple(flip(a.path, a.first, a.second, a.case) for a in FLIPS.get(name, ())))


def flip(path: str, first: str = "a", second: str = "b", case: str = "base") -> FlipFound:
    """A flip at $2 of a study with $1, below which the first is cheaper."""
    return FlipFound(
        path, case, first, second, 8, 1.0, "$1/h", 2.0, "$2/h", 1.5, 2.5, "$1.5/h", "$2.5/h",
        (None, None), (0.25, 4.0), ("$0.25/h", "$4/h"), first, 0.0,
    )  # fmt: skip


def answer(name: str, given: Mapping[tuple[str, str], Mapping[str, float]] | None = None) -> str:
    """All that is said of a study with these figures."""
    found = ANSWERS[name](figures(name, given))
    return "\n".join([found.short, *found.lines])


def total(value: float) -> dict[str, float]:
    return {"total_npv": value}


@pytest.mark.parametrize(
    ("less", "words"),
    [
        ((2.0, 0.5), "$2.0B less (1.5 to 2.5 B)"),
        ((-2.0, 0.5), "$2.0B more (1.5 to 2.5 B)"),
        ((0.25, 0.125), "$250M less (125 to 375 M)"),
        ((-0.5, 1.0), "$500M more (-0.5 to +1.5 B, within the noise of these runs)"),
        ((0.1, 0.2), "$100M less (-100 to +300 M, within the noise of these runs)"),
    ],
)
def test_words_follow_sign_and_noise(less: tuple[float, float], words: str) -> None:
    assert gain(less) == words


def test_a_paired_difference_is_that_of_the_same_runs() -> None:
    """Means 2 and 1; the differences 1 and 1 leave no interval although the runs differ by 8."""
    assert paired(np.array([1e9, 9e9]), np.array([2e9, 10e9])) == (1.0, 0.0)


def test_small_words() -> None:
    assert (money(7.44), money(-0.23), listed(["a"]), listed(["a", "b", "c"])) == (
        "$7.4B",
        "-$230M",
        "a",
        "a, b and c",
    )


@pytest.mark.parametrize(
    ("value", "half", "equity", "word"),
    [
        (1.0, 0.5, 8.0, "wins"),
        (0.4, 0.5, 8.0, "open"),
        (-0.4, 0.5, 8.0, "open"),
        (-1.0, 0.5, 8.0, "equity decides"),
        (-9.0, 0.5, 8.0, "loses"),
    ],
)
def test_a_cell_is_won_lost_or_open(value: float, half: float, equity: float, word: str) -> None:
    assert verdict(value, half, equity) == word


def test_a_flip_says_where_how_surely_and_by_which_command() -> None:
    found = flip("offers.x.price")
    assert flip_words("y", found) == (
        "`a` and `b` swap at `offers.x.price` $2/h ($1.5/h to $2.5/h): below it `a` is cheaper, above it `b`; "
        "the study has $1/h (`capsim compare news/y --flip offers.x.price --between a,b --runs 8`)."
    )
    other = replace(found, below="b", high=math.inf, case="late", ends=("$1/h", None))
    assert "($1.5/h to not bounded): below it `b` is cheaper, above it `a`" in flip_words("y", other)
    assert flip_command("y", other).endswith("--cases late --runs 8 --low '$1/h'`")
    assert flip_words("y", replace(found, root=None)).startswith(
        "No `offers.x.price` from $0.25/h to $4/h makes `b` cheaper than `a`; the study has $1/h"
    )


@pytest.mark.parametrize("name", FLIPS)
def test_flips_are_asked_of_strategies_and_cases_that_exist(name: str) -> None:
    draft = read_study(f"news/{name}")
    for asked in FLIPS[name]:
        assert {asked.first, asked.second} <= set(draft.resolve("base").study.strategies)
        assert asked.case in ("base", *draft.cases)


def test_existing_capacity_or_new_builds() -> None:
    even = answer("aws-38b")
    assert "Existing capacity and new builds cannot be told apart; 500k chips" in even
    assert "No size of new builds surely beats the default" in even
    told = answer(
        "aws-38b",
        {
            ("base", "existing-320k"): total(0.5),
            ("base", "new-500k"): total(0.2),
            ("base", "existing-500k"): {"paid_idle_share": 0.4},
        },
    )
    assert "Capacity that exists is worth more than new builds at 320k chips" in told
    assert "is beaten by new builds of 500k" in told
    assert "40 % are idle at 500k and 100 % at 230k." in told and "limits what more chips" not in told
    assert "limits what more chips are worth" in answer(
        "aws-38b", {("base", "existing-500k"): {"paid_idle_share": 0.7}}
    )


def test_the_right_costs_or_saves() -> None:
    found = answer(
        "first-refusal",
        {
            ("kept", "aws"): {"total_npv": 0.5, "cash_npv": 0.5, "hhi_provider": 9000.0},
            ("short-kept", "both"): {"total_npv": 3.0, "lost_tokens_npv": 3.0},
        },
    )
    assert "the plan costs $500M less in the median world (less in 8 of 8), on average $500M less (" in found
    assert (
        "cash -$500M in the median world; supplier concentration (HHI) 1 without and 9,000 with it" in found
    )
    assert "the plan costs $2.0B more in the median world (more in 8 of 8), on average $2.0B more (" in found
    assert (
        "By their signs 2 of these 6 effects are no chance: with the right the plan costs more in 1 and"
        in found
    )
    assert "less in 1, where a month of rent" in found
    other = answer("first-refusal", {("kept", "aws"): total(1.5)})
    assert (
        "By their signs 1 of these 6 effects are no chance: with the right the plan costs more in 1 and"
        in other
    )
    assert "less in 0." in other


def test_signs_tell_what_an_outlier_hides() -> None:
    """Seven of eight worlds save 1, one loses 20: noise on average (p = 0.07), no chance with eight of nine."""
    worlds = np.array([1.0] * 7 + [-20.0])
    assert typical(worlds) == "$1.0B less in the median world (less in 7 of 8)"
    assert not consistent(worlds) and consistent(np.append(worlds, 1.0))
    assert typical(-worlds) == "$1.0B more in the median world (more in 7 of 8)"
    assert not consistent(np.zeros(8))


def test_late_parts_or_not() -> None:
    late = answer("neocloud-prepayment", {("base", "neocloud"): {"lost_research_npv": 2.0, "cash_npv": 1.4}})
    assert "work that waits for late parts costs more than that saves" in late
    assert "it is paid years before it is drawn down" in late
    early = answer("neocloud-prepayment", {("base", "neocloud"): {"lost_research_npv": 0.5, "cash_npv": 0.6}})
    assert "no more work waits for it" in early and "drawn down" not in early


def test_the_best_order_of_power_and_chips() -> None:
    assert "The best order, Rubin half a year after power, costs $500M less (" in answer(
        "power-first-300mw", {("base", "power-first"): total(0.5)}
    )
    found = answer(
        "power-first-300mw", {("base", "chips-with-power"): total(0.2), ("base", "chips-first"): total(0.4)}
    )
    assert "The best order on average is chips for the day power is due." in found
    assert "paid sooner, and dark until the shell comes" in found
    assert "paid sooner" not in answer("power-first-300mw", {("base", "chips-first"): total(0.4)})


def test_trainium_cell_by_cell() -> None:
    """$1/h and $4B of rent: where it saves $2B it may cost $1.50, where it costs $6B more it may not cost anything."""
    given = {
        ("port6", "trainium"): {"total_npv": 1.0, "commitment": 4.0, "equity": 4.0},
        ("port6", "more-nvidia"): total(3.0),
        ("mfu20-port24", "trainium"): {"total_npv": 7.0, "commitment": 4.0},
        ("mfu20-port24", "more-nvidia"): total(1.0),
    }
    found = answer("trainium-for-investment", given)
    assert "| 35 % | +2.00 ±0.01 (wins, $1.50/h)" in found
    assert "-6.00 ±0.0" in found and "(loses, not even free) |" in found
    assert "beats more Nvidia in 1 of 9 cells, loses in 1 and cannot be told apart in 7" in found
    assert "In the worst cell 150% of the investment" in found


def test_the_frontier_of_training_efficiency() -> None:
    base = figures("trainium-for-investment")
    peak = 881 / 0.35
    ends = {"value": 881.0, "root": 0.5 * peak, "low": 0.4 * peak, "high": math.inf, "below": "more-nvidia"}
    flips = [replace(f, **ends) if f.path == EFFICIENCY else f for f in base.flips]
    lines = ANSWERS["trainium-for-investment"](replace(base, flips=tuple(flips))).lines
    assert any(
        "they cost the same at a training efficiency of 50% (40% to not bounded), Trainium is cheaper above it"
        in line
        for line in lines
    )
    assert (
        "; it would have to train at 50% with 6 months, 50% with 15 months and 50% with 24 months of porting"
        in _short(replace(base, flips=tuple(flips)))
    )
    none = {**ends, "root": None, "searched": (0.1 * peak, 0.9 * peak)}
    flips = [replace(f, **none) if f.path == EFFICIENCY else f for f in base.flips]
    assert "would have to train" not in _short(replace(base, flips=tuple(flips)))
    lines = ANSWERS["trainium-for-investment"](replace(base, flips=tuple(flips))).lines
    assert any(
        "they swap at no training efficiency from 10% to 90%, more Nvidia stays cheaper" in line
        for line in lines
    )


def test_the_price_at_which_trainium_would_pay() -> None:
    base = figures("trainium-for-investment")
    assert "it does below $2/h with 6 months of porting, below $2/h with 15 months" in _short(base)
    never = [
        replace(f, root=None, below="more-nvidia") if (f.path, f.case) == (TALKS, "port24") else f
        for f in base.flips
    ]
    short = _short(replace(base, flips=tuple(never)))
    assert (
        "below $2/h with 15 months of porting; at no price that was searched with 24 months of porting"
        in short
    )


def _short(found: Figures) -> str:
    return ANSWERS["trainium-for-investment"](found).short


def test_hope_or_cover() -> None:
    shares = {"headline": 0.1, "binding": 0.1}
    given = {
        ("base", "headline"): {"headline": 900.0, "binding": 70.0, "total_npv": 3.0},
        ("base", "binding"): {"headline": 600.0, "binding": 50.0, "total_npv": 2.0},
        ("base", "binding-and-overflow"): total(1.0),
    }
    found = ANSWERS["headline-or-binding"](replace(figures("headline-or-binding", given), shares=shares))
    assert found.short.startswith("Of $900.0B with public terms $500.0B bind;")
    assert any("binds $700.0B: $200.0B are shells" in line for line in found.lines)
    assert any("cover beats hope" in line for line in found.lines)
    given["base", "binding-and-overflow"] = total(2.5)
    found = ANSWERS["headline-or-binding"](replace(figures("headline-or-binding", given), shares=shares))
    assert not any("cover beats hope" in line for line in found.lines)


def test_what_three_stacks_save() -> None:
    """Late suppliers cost 1.0 alone and 0.4 among three: 0.6 less, on each."""
    late = {(f"late-{stack}", f"{stack}-only"): total(2.0) for stack in ("trainium", "tpu", "nvidia")}
    among = {(f"late-{stack}", "three-stacks"): total(1.4) for stack in ("trainium", "tpu", "nvidia")}
    found = answer("three-stacks", {**late, **among, ("base", "three-stacks"): total(1.0)})
    assert "costs them $600M less than those who depend on it alone (median, mean of the three)." in found
    assert "the plan on it alone costs $1.0B more in the median world (more in 8 of 8), on average" in found
    found = answer(
        "three-stacks", {**among, ("base", "tpu-only"): total(0.5), ("base", "nvidia-only"): total(3.0)}
    )
    assert "costs them $" in found and "more than those who depend on it alone" in found
    assert "**TPU only**: against Nvidia only $2.5B less in the median world (less in 8 of 8)" in found


def test_three_stacks_buy_the_bad_case_or_not() -> None:
    bad = {("base", name): total(2.0) for name in ("trainium-only", "tpu-only", "nvidia-only")}
    found = answer("three-stacks", bad)
    assert "in the worst world $1.0B against $2.0B with Trainium only, $2.0B with TPU only and $2.0B" in found
    assert "what they buy is the bad case" in found
    assert "bad case" not in answer("three-stacks", {**bad, ("base", "tpu-only"): total(0.5)})


def backtest(**worlds: list[float]) -> str:
    """What the backtest says of four worlds, all of them as it came where nothing is given."""
    outcomes = news_backtest.read_outcomes()
    found = {name: np.full(4, float(outcome["value"])) for name, outcome in outcomes.items()}
    found["oracle-late-believed"] = found["oracle-late"]
    found |= {f"capacity-{strategy}": np.full(4, 100.0) for strategy in ("signed", "announced")}
    found |= {name.replace("_", "-"): np.array(values) for name, values in worlds.items()}
    short, lines = news_backtest.backtest_2025(replace(figures("backtest-2025"), worlds=found))
    return "\n".join([short, *lines])


def test_a_backtest_that_had_it_all() -> None:
    found = backtest()
    assert found.startswith("6 of 6 quantities came inside the predicted range.\n")
    assert "Missed" not in found and "100% of the worlds had it as it came" in found


def test_a_miss_says_what_would_have_had_to_be_different() -> None:
    found = backtest(binding=[0.8, 0.86, 0.86, 0.9], amazon_equity=[10.0, 10.0, 10.0, 0.0])
    assert "4 of 6 quantities came inside the predicted range. Missed: announced value that is spent" in found
    assert "Each contract would have had to bind for 0.50 of what the study assumes" in found
    assert "80% still bind" in found
    assert "$10B; it would have had to have 5.0 times as much" in found


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (2.35, "rose by 168% a year; the fastest regime of the study drifts by +35%"),
        # ln (2.35 / 1.70) = .324; over 120 days 28.6 % a year are .164 and 67.9 % .389: 1.98 and .83 deviations
        (2.35, "in place of 20%, it would be at percentile 98 (29%, since 2024) or 80 (68%, since 2023)"),
        (1.75, "in shortage from the start"),
    ],
)
def test_a_price_beyond_every_regime(price: float, words: str) -> None:
    """From $1.70 on 2025-11-01 to 2026-03-01 are 120 days: (2.35 / 1.70)^(365.25 / 120) = 2.68."""
    assumed = news_backtest.Assumptions.of(load_study("news/backtest-2025").study)
    assert (assumed.price, assumed.drift, assumed.equity, assumed.volatility) == (1.70, 0.35, 10e9, 0.2)
    assert assumed.year_late == pytest.approx(0.094)
    said = news_backtest._drift_words(price, datetime.date(2026, 3, 1), assumed)
    assert words in said


def test_percentiles_count_ties_half() -> None:
    worlds = np.array([1.0, 2.0, 2.0, 3.0])
    assert [news_backtest.percentile(worlds, v) for v in (0.0, 2.0, 4.0)] == [0.0, 50.0, 100.0]
    assert news_backtest.spread(np.array([1.0, 0.0]), "happened") == "in 50% of the worlds"
    assert news_backtest.spread(np.array([10.0, 10.0]), "d") == "10 d / 10 d / 10 d"
