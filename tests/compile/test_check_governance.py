"""The check `governance`: what an order, its options and the tenants of a study cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from capsim.compile.checks import run_checks
from capsim.errors import StudyError
from capsim.policies import orders
from capsim.spec.findings import Finding
from capsim.spec.loader import load_study
from capsim.spec.scheduler import CHANGING, ORDER_OPTIONS, Scheduler

NAMED = "demand.research.tenants={count: 6, zipf: 1.1, names: [alignment, pretraining]}"
BURSTS = (
    "demand.research.evaluation={every: 6 h, jobs: 64, chips: 8, duration: 20 min, priority: 60, "
    "wait_target: 30 min}"
)


def found(root: Path, *sets: str) -> list[Finding]:
    loaded = load_study(root / "configs" / "quickstart.yaml", sets=list(sets))
    return run_checks(loaded, ["governance"])


def test_the_example_of_the_documentation_is_sound(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "study.md").read_text(encoding="utf-8")
    example = text.split("## The queue and its tenants")[1].split("```yaml\n")[1].split("```")[0]
    study = (root / "configs" / "quickstart.yaml").read_text(encoding="utf-8")
    (tmp_path / "base.yaml").write_text(study)
    path = tmp_path / "study.yaml"
    path.write_text(f"include: [base.yaml]\n{example}")
    loaded = load_study(path)
    assert run_checks(loaded, ["governance"]) == []
    spec = loaded.study.scheduler
    assert spec.classes_first and spec.order_options() == {
        "half_life": 14 * 86_400_000,
        "recalculate": 1_800_000,
    }


def test_the_example_of_quotas_by_system_is_sound(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "study.md").read_text(encoding="utf-8")
    (example,) = [part for part in text.split("```")[1::2] if "h100_hgx: 512" in part]
    (tmp_path / "base.yaml").write_text((root / "configs" / "quickstart.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "study.yaml"
    path.write_text(f"include: [base.yaml]\n{example}")
    loaded = load_study(path, sets=[NAMED])
    assert run_checks(loaded, ["governance"]) == []
    assert loaded.study.scheduler.tenants is not None
    assert loaded.study.scheduler.tenants["pretraining"].quotas == {"gb200_nvl72": 4096, "h100_hgx": 0}


def test_orders_and_options_are_the_schedulers() -> None:
    assert {order: set(names) for order, names in ORDER_OPTIONS.items()} == {
        order: set(options) for order, options in orders.OPTIONS.items()
    }
    assert set(CHANGING) == set(orders.CHANGING)
    assert set(get_args(Scheduler.model_fields["order"].annotation)) == set(orders.ORDERS)


def test_without_the_section_nothing_is_said(root: Path) -> None:
    assert found(root) == []
    assert found(root, "scheduler.order=sjf") == []


@pytest.mark.parametrize(
    ("sets", "level", "what", "hint"),
    [
        (
            ["scheduler.order=sjf", "scheduler.options={promote: 8}"],
            "error",
            "the order sjf has no option `promote`",
            "it has none",
        ),
        (
            ["scheduler.order=drf", "scheduler.options={half_life: 7 d}"],
            "error",
            "no option `half_life`",
            "it has recalculate",
        ),
        (
            ["scheduler.order=las", "scheduler.options={thresholds: [10 h, 1 h]}"],
            "error",
            "thresholds do not increase",
            "write them from least",
        ),
        (
            ["scheduler.order=drf", "scheduler.by_class=false"],
            "error",
            "preemption with the order drf goes by class only",
            "leave by_class out",
        ),
        (
            ["scheduler.tenants={alignement: {share: 2}}", NAMED],
            "error",
            "there is no tenant `alignement`",
            "did you mean `alignment`",
        ),
        (
            ["scheduler.tenants={'1': {quota: 64, cohort: lab}}"],
            "error",
            "is alone in the cohort `lab`",
            "name the cohort of another tenant",
        ),
        (["scheduler.tenants={'1': {borrow: 64}}"], "error", "`1` borrows from nobody", "add cohort"),
        (
            ["scheduler.tenants={'1': {quota: 7}}"],
            "error",
            "`1` may have 7 chips, the smallest campaign asks for 8",
            "write a quota of at least 8",
        ),
        (
            ["scheduler.others={quota: 0}"],
            "error",
            "`1` may have 0 chips",
            "write a quota of at least 8",
        ),
        (
            ["scheduler.others={quota: 64, cohort: lab}"],
            "error",
            "cannot share a cohort",
            "name each of them",
        ),
        (
            ["scheduler.tenants={base-model: {quota: 9000}}"],
            "error",
            "base-model asks for 9,216 chips, its tenant `base-model` may have 9,000",
            "raise the quota to 9,216",
        ),
        (
            ["scheduler.tenants={lab: {quota: 9000}}", "demand.training_runs.base-model.tenant=lab"],
            "error",
            "base-model asks for 9,216 chips, its tenant `lab` may have 9,000",
            "raise the quota",
        ),
        (
            ["demand.training_runs.base-model.tenant='1'", "scheduler.tenants={'1': {quota: 256}}", BURSTS],
            "error",
            "an evaluation burst of base-model asks for 512 chips",
            "raise the quota to 512",
        ),
        (
            ["scheduler.limits={campaigns: {max_chips: 7}}"],
            "error",
            "the smallest campaign asks for 8 chips",
            "write at least 8",
        ),
        (
            ["scheduler.limits={runs: {max_chips: 9000}}"],
            "error",
            "the largest named run asks for 9,216 chips",
            "write at least 9,216",
        ),
        (
            ["scheduler.limits={bursts: {max_chips: 511}}", BURSTS],
            "error",
            "an evaluation burst asks for 512 chips",
            "write at least 512",
        ),
        (
            ["scheduler.limits={runs: {max_chips: 2G}}"],
            "error",
            "2,000,000,000 chips",
            "write at most 1,073,741,824",
        ),
        (
            ["scheduler.limits={bursts: {max_running: 1}}"],
            "warning",
            "there are no bursts that this limits",
            "leave it out",
        ),
        (["scheduler.reclaim=false"], "warning", "`reclaim` without tenants", "add tenants"),
        (
            [NAMED, "scheduler.tenants={alignment: {quota: {gb200: 64}}}"],
            "error",
            "there is no system `gb200`",
            "gb200_nvl72",
        ),
        (
            [NAMED, "scheduler.tenants={alignment: {quota: {gb200_nvl72: 1}}}"],
            "error",
            "`alignment` may have 1 chips, the smallest campaign asks for",
            "write a quota of at least",
        ),
        (
            ["scheduler.tenants={base-model: {quota: {gb200_nvl72: 64}}}"],
            "error",
            "chips of gb200_nvl72, its tenant `base-model` may have 64",
            "raise the quota to",
        ),
        (
            ["demand.research.tenants={count: 1, zipf: 1, names: [a, b]}"],
            "error",
            "2 names for 1 tenants",
            "raise the count",
        ),
        (
            ["demand.research.tenants={count: 3, zipf: 1, names: [a, a]}"],
            "error",
            "a tenant is named twice",
            "name each once",
        ),
        (
            ["scheduler.retries=1", "demand.research.fates.failed=0"],
            "warning",
            "no campaign fails",
            "give research fates",
        ),
    ],
)
def test_what_is_wrong_is_said(root: Path, sets: list[str], level: str, what: str, hint: str) -> None:
    findings = found(root, *sets)
    assert any(f.level == level and what in f.where.what and hint in f.where.hint for f in findings), findings
    assert all(f.where.line for f in findings)


def test_a_named_run_needs_its_least_chips_on_one_of_its_systems(root: Path) -> None:
    """It asks for 4,608 to 9,216 chips of either."""
    for chips, wrong in ((4607, True), (4608, False)):
        sets = f"scheduler.tenants={{base-model: {{quota: {{gb300_nvl72: {chips}}}}}}}"
        said = "base-model asks for 4,608 chips of gb300_nvl72, its tenant `base-model` may have 4,607"
        assert any(said in f.where.what for f in found(root, sets)) == wrong


@pytest.mark.parametrize(
    ("row", "what", "hint"),
    [
        ("offer: own-cluster, until: 2028-03-01", "is not a time of the horizon", "between 2026-01-01"),
        ("offer: own-cluster, until: 2026-01-01", "is not a time of the horizon", "between 2026-01-01"),
        ("offer: own-cluster, until: 2026-03-01, tenants: ['7']", "there is no tenant `7`", "write one of"),
    ],
)
def test_reservations_that_cannot_be(root: Path, row: str, what: str, hint: str) -> None:
    sets = f"scheduler.reservations=[{{{row}, from: 2026-02-01, chips: 72}}]"
    assert any(what in f.where.what and hint in f.where.hint for f in found(root, sets))


def test_reservations_that_keep_more_than_a_strategy_has(root: Path) -> None:
    """All but one rack of own-cluster; what begins while that lasts may have that rack."""
    row = "{offer: own-cluster, from: %s, until: %s, chips: %d}"
    first = row % ("2026-02-01", "2026-03-01", 4536)
    for start, chips, wrong in (
        ("2026-02-28", 73, True),
        ("2026-03-01", 4608, False),
        ("2026-02-28", 72, False),
    ):
        second = row % (start, "2026-04-01", chips)
        findings = found(root, f"scheduler.reservations=[{first}, {second}]")
        assert bool(findings) == wrong
        for finding in findings:
            assert "4,680 chips of `own-cluster` are reserved on 2026-02-28" in finding.where.what
            assert finding.where.hint == "reserve fewer, or at another time" and finding.where.line


def test_reservations_name_offers_and_their_systems(root: Path) -> None:
    row = "from: 2026-02-01, until: 2026-03-01, chips: 72"
    rows = f"[{{offer: own-clutser, {row}}}, {{offer: own-cluster, system: gb300_nvl72, {row}}}]"
    with pytest.raises(StudyError) as caught:
        found(root, f"scheduler.reservations={rows}")
    assert "no offer `own-clutser`; did you mean `own-cluster`" in str(caught.value)
    assert "no system of the offer `gb300_nvl72`; did you mean `gb200_nvl72`" in str(caught.value)


def test_wrong_values_are_refused_while_loading(root: Path) -> None:
    with pytest.raises(StudyError) as caught:
        found(root, "scheduler.order=lifo", "scheduler.tenants={a: {qouta: 8}}", "scheduler.retries=0")
    text = str(caught.value)
    assert "`lifo`" in text and "did you mean `quota`" in text and "`0` is out of bounds" in text
