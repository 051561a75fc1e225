"""The built-in study: sound in every case, sized as documented, honest about what is assumed."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsim.compile.calendar import Calendar
from capsim.compile.checks import run_checks
from capsim.control.price_paths import market_path
from capsim.spec.loader import Loaded, load_study, read_study
from capsim.spec.provenance import values_of
from capsim.spec.study import Study

NAMES = [
    "azure-exclusive",
    "azure-plus-aws",
    "multi-cloud",
    "aws-chips-equity",
    "vendor-direct",
    "neocloud",
    "power-first",
    "everything",
    "wait-and-see",
]
CASES = [
    "base",
    "full-demand",
    "published-demand",
    "aws-200k",
    "aws-320k",
    "aws-500k",
    "hindsight",
    "grid-late",
    "refusal-kept",
    "supplier-default",
    "research-rented",
    "talks-close",
    "headline-demand",
    "no-growth-surprise",
]
# Nominal GB200e of a chip, the ratios that the sizing table of the study was made with.
NOMINAL = {
    "gb200_nvl72": 1.0,
    "gb300_nvl72": 1.0,
    "rubin_nvl72": 3.0,
    "mi455x_helios": 1.3,
    "trn3_ultraserver144": 0.40,
    "tpu_v7_pod": 0.85,
}
# Thousands of new chips by strategy, system and year of planned delivery: the sizing table.
SIZES: dict[str, dict[tuple[str, int], float]] = {
    "azure-exclusive": {
        ("gb300_nvl72", 2026): 330,
        ("gb300_nvl72", 2027): 60,
        ("rubin_nvl72", 2027): 213,
        ("rubin_nvl72", 2028): 457,
    },
    "azure-plus-aws": {
        ("gb200_nvl72", 2025): 27.6,
        ("gb200_nvl72", 2026): 110.4,
        ("gb300_nvl72", 2025): 18.4,
        ("gb300_nvl72", 2026): 173.6,
        ("gb300_nvl72", 2027): 60,
        ("rubin_nvl72", 2027): 213,
        ("rubin_nvl72", 2028): 457,
    },
    "multi-cloud": {
        ("gb200_nvl72", 2025): 27.6,
        ("gb200_nvl72", 2026): 110.4,
        ("gb300_nvl72", 2025): 18.4,
        ("gb300_nvl72", 2026): 173.6,
        ("rubin_nvl72", 2027): 190,
        ("rubin_nvl72", 2028): 457,
        ("tpu_v7_pod", 2027): 150,
    },
    "aws-chips-equity": {
        ("gb200_nvl72", 2025): 27.6,
        ("gb200_nvl72", 2026): 110.4,
        ("gb300_nvl72", 2025): 18.4,
        ("gb300_nvl72", 2026): 73.6,
        ("trn3_ultraserver144", 2026): 250,
        ("trn3_ultraserver144", 2027): 600,
        ("trn3_ultraserver144", 2028): 690,
        ("inf2_node12", 2026): 12,
        ("inf2_node12", 2027): 12,
        ("rubin_nvl72", 2027): 150,
        ("rubin_nvl72", 2028): 370,
    },
    "vendor-direct": {
        ("rubin_nvl72", 2026): 60,
        ("rubin_nvl72", 2027): 160,
        ("rubin_nvl72", 2028): 180,
        ("mi455x_helios", 2026): 60,
        ("mi455x_helios", 2027): 175,
        ("mi455x_helios", 2028): 165,
    },
    "neocloud": {
        ("gb300_nvl72", 2026): 154,
        ("gb200_nvl72", 2026): 176,
        ("gb300_nvl72", 2027): 57,
        ("rubin_nvl72", 2027): 214,
        ("rubin_nvl72", 2028): 457,
    },
    "power-first": {
        ("gb300_nvl72", 2026): 78 + 252,
        ("rubin_nvl72", 2027): 261,
        ("rubin_nvl72", 2028): 440,
    },
}
DEFAULTS = ("peak_hour", "training_share", "storage", "startup")
"""Values that the study leaves to the schema's defaults."""
ENVELOPE = {2026: 0.33e6, 2027: 1.03e6, 2028: 2.40e6}


@pytest.fixture(scope="module")
def loaded(root: Path) -> Loaded:
    return load_study(root / "configs" / "frontier-lab.yaml")


@pytest.fixture(scope="module")
def study(loaded: Loaded) -> Study:
    return loaded.study


def deliveries(study: Study, strategy: str) -> Iterator[tuple[datetime.date, str, float]]:
    """Planned date, system and chips of everything a strategy holds, options included."""
    plan = study.strategies[strategy]
    for name, held in plan.hold.items():
        offer = study.offers[name]
        if offer.kind == "powered_shell":
            continue
        if isinstance(held, list):
            for order in held:
                yield order.at, order.chip, float(order.quantity)
            continue
        assert offer.quantity is not None
        chips = float(offer.quantity.max) if held == "max" else float(held)
        for tranche in offer.tranches:
            for system, share in (tranche.chips or offer.chips).items():
                yield tranche.at, system, chips * float(tranche.share) * float(share)
    for reference in plan.options:
        name, _, wanted = reference.rpartition(".")
        for option in study.offers[name].options:
            if option.name == wanted:
                yield option.deliver, option.chip, float(option.quantity)


def test_nine_strategies_and_the_cases(study: Study) -> None:
    assert list(study.strategies) == NAMES
    assert ["base", *study.cases] == CASES
    assert (study.compare.against, study.compare.runs) == ("azure-exclusive", 16)
    assert study.demand.research is not None
    assert study.demand.research.campaigns == 300_000
    assert [run.name for run in study.demand.training_runs] == ["R1", "R2", "R3", "R4", "R5", "R6", "R7"]
    assert [service.name for service in study.demand.inference] == ["chat", "api", "agents", "batch", "small"]


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_sound(root: Path, case: str) -> None:
    draft = read_study(root / "configs" / "frontier-lab.yaml")
    findings = run_checks(draft.resolve(case))
    assert [str(finding.where) for finding in findings if finding.level == "error"] == []
    known = "vendor-direct never has a system with the least number of chips for R7"
    unexpected = [str(f.where) for f in findings if f.level == "warning" and known not in str(f.where)]
    assert unexpected == []


@pytest.mark.parametrize("strategy", SIZES)
def test_sizes_are_those_of_the_table(study: Study, strategy: str) -> None:
    found: dict[tuple[str, int], float] = {}
    for day, system, chips in deliveries(study, strategy):
        found[system, day.year] = found.get((system, day.year), 0.0) + chips / 1e3
    assert found.keys() == SIZES[strategy].keys()
    for key, thousands in SIZES[strategy].items():
        assert found[key] == pytest.approx(thousands, rel=0.003, abs=0.15), key


@pytest.mark.parametrize("strategy", [name for name in SIZES if name != "vendor-direct"])
def test_strategies_contract_about_the_same_capacity(study: Study, strategy: str) -> None:
    """Nominal GB200e by the end of 2026, 2027 and 2028; the one-year bridge of power-first leaves in 2027."""
    for year, wanted in ENVELOPE.items():
        total = sum(
            chips * NOMINAL.get(system, 0.0)
            for day, system, chips in deliveries(study, strategy)
            if day.year <= year
        )
        if strategy == "power-first" and year > 2026:
            total -= 252e3
        assert total == pytest.approx(wanted, rel=0.17 if strategy == "power-first" else 0.11), year


def test_own_chips_fit_into_the_shells(study: Study) -> None:
    """Critical power of shells by the end of each year covers the bought chips planned until then."""
    for strategy in ("vendor-direct", "power-first"):
        plan = study.strategies[strategy]
        for year in (2026, 2027, 2028):
            end = datetime.date(year, 12, 31)
            power = chips_kw = 0.0
            for name, held in plan.hold.items():
                offer = study.offers[name]
                if offer.kind == "powered_shell":
                    assert offer.power is not None and offer.power.it is not None
                    ready = sum(float(tranche.share) for tranche in offer.tranches if tranche.at <= end)
                    power += ready * float(offer.power.it) * float(str(held))
                elif offer.needs_shell:
                    assert isinstance(held, list)
                    kw = {order.chip: float(study.systems[order.chip].kw_per_chip) for order in held}
                    chips_kw += sum(int(o.quantity) * kw[o.chip] for o in held if o.at <= end)
            assert chips_kw <= power <= 2.7 * chips_kw, (strategy, year)


def test_assumed_numbers_say_why(study: Study) -> None:
    bare = [
        ".".join(map(str, item.path))
        for section in (study.demand, study.uncertainty, study.scheduler, study.money, *study.overflow)
        for item in values_of(section)
        if item.value.confidence == "assumed" and not item.value.source and item.path[-1] not in DEFAULTS
    ]
    assert bare == []


def test_the_first_run_fits_abilene(study: Study) -> None:
    """1e27 FLOP in 100 days at an MFU of .35 and an ETTR of .9 takes 73,000 GB200."""
    run = study.demand.training_runs[0]
    peak = float(study.chips["gb200"].tflops["fp8"]) * 1e12
    chips = float(run.flops) / (100 * 86_400 * peak * 0.35 * 0.9)
    assert chips == pytest.approx(73_000, rel=0.02)
    abilene = study.offers["base-abilene"].quantity
    assert abilene is not None
    assert run.chips.min <= chips <= abilene.max


def test_tokens_match_the_published_rate(study: Study) -> None:
    """api and agents on 2026-03-31, log-linear between the dates, against 21.6T a day."""
    total = 0.0
    for service in study.demand.inference:
        if service.name in ("api", "agents"):
            (first, before), (last, after) = list(service.tokens.items())[:2]
            share = (datetime.date(2026, 3, 31) - first) / (last - first)
            total += float(before) ** (1 - share) * float(after) ** share
    assert total == pytest.approx(21.6e12, rel=0.10)


def test_the_case_of_hindsight_replaces_the_talks(root: Path) -> None:
    study = load_study(root / "configs" / "frontier-lab.yaml", case="hindsight").study
    held = study.strategies["aws-chips-equity"].hold
    assert held["openai-amazon-2026"] == "max"
    overlap = study.offers["openai-amazon-talks-2025"].overlaps
    assert [(item.offer, float(item.share)) for item in overlap] == [("openai-amazon-2026", 1.0)]


def test_hindsight_knows_the_prices_of_2026(root: Path) -> None:
    """What was published after the decision date moves no price; in hindsight it does."""
    file = root / "configs" / "frontier-lab.yaml"
    blind, late = load_study(file).study, load_study(file, case="hindsight").study
    assert [dict(blind.markets[name].mean) for name in ("contract-1y", "spot-h100")] == [{}, {}]
    published = {str(day): float(price) for day, price in late.markets["contract-1y"].mean.items()}
    assert published == {"2026-03-01": 2.35, "2026-06-01": 2.65}


def test_older_chips_end_at_the_price_of_their_work_on_rubin(study: Study) -> None:
    """$3.81 over 9 H100 and over 3 GB200, two years after Rubin comes."""
    calendar = Calendar(study.horizon.start, study.horizon.end, 0.08)
    month = 12 * 3 - 1 + 12  # 2029-10
    for name, most in (("contract-1y", 3.81 / 9), ("contract-1y-blackwell", 3.81 / 3)):
        start = float(study.markets[name].start)
        for world in range(5):
            path = market_path(study, calendar, name, (7, world))
            assert path[0] == 1.0
            assert path[month] * start <= most + 1e-9
