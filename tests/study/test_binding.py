"""What binds, on made-up results whose lateness is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import synthetic
from comparing import compare_in, head_of, plan_of

from capsim.report.reasons import binding_text
from capsim.results.folder import open_folder
from capsim.results.reading import Results
from capsim.results.schema import RunResult
from capsim.study.binding import MS_DAY, Binding, binding
from capsim.study.compare import compare
from capsim.study.figures import table

CONTEXT = synthetic.context()


def found_in(results: Results, strategy: str) -> dict[str, Binding]:
    return {b.kind: b for b in binding(results, CONTEXT, strategy, "base")}


def test_the_greatest_gap_is_found_where_it_is(results: Results) -> None:
    found = found_in(results, "azure")
    delivery = found["delivery"]
    assert (delivery.quarter, delivery.subject) == ("25Q4", "azure-offer")
    series = results.table("series", "base", "azure", month=["2025-11", "2025-12"])
    gap = sum(series["value"][series["measure"] == "contracted"]) - sum(
        series["value"][series["measure"] == "delivered"]
    )
    assert delivery.amount == pytest.approx(gap / 24)
    assert delivery.of == 100_000
    late = sorted(results.table("contracts", "base", "azure")["late_days_mean"])
    assert delivery.late_p90 == late[10], "the 11th of 12 is the least that 90 % do not exceed"


def test_power_queue_slip_and_serving(results: Results) -> None:
    found = found_in(results, "azure")
    assert found["power"].amount == pytest.approx(0.05 * found["power"].of)
    assert found["placement"].subject == "R2"
    late = results.table("contracts", "base", "azure")["late_days_mean"]
    assert found["placement"].amount == pytest.approx(late.mean())
    assert found["slip"].subject == "R2"
    assert found["serving"].amount == pytest.approx(0.01)
    assert "broken" not in found, "1 % is below what binds"


def test_what_binds_is_in_order_of_time(results: Results) -> None:
    quarters = [b.quarter for b in binding(results, CONTEXT, "azure", "base") if b.quarter]
    assert quarters == sorted(quarters)


def never(prepared: synthetic.Synthetic, run: int) -> RunResult:
    """Like the made-up run, but R2 never finishes."""
    result = synthetic.simulate(prepared, run)
    result.tables["training"]["finish_ms"][1] = -1
    result.tables["training"]["slip_days"][1] = 76.0
    return result


def test_a_run_that_never_finishes_is_never_and_binds(tmp_path: Path) -> None:
    plan = dataclasses.replace(plan_of(4), strategies=("azure",))
    with open_folder(tmp_path / "run", head_of(plan), resume=False) as folder:
        results = compare(plan, folder, synthetic.prepared(), never)
    assert table(results, "base").rows[0].slip_days[1] == float("inf")
    slip = found_in(results, "azure")["slip"]
    assert (slip.subject, slip.of) == ("R2", 0.0)
    assert slip.amount == pytest.approx(426 - 350), "counted to the end of the horizon"
    assert binding_text(slip) == "26Q4 R2 76 d after its target, not done in 100 %"


def in_default(prepared: synthetic.Synthetic, run: int) -> RunResult:
    """Like the made-up run, but in even runs the supplier has defaulted in 2025-11, in odd ones in 2026-12."""
    result = synthetic.simulate(prepared, run)
    when = 20 if run % 2 == 0 else 400
    result.tables["events"] = {
        "time_ms": np.array([when * MS_DAY] * 2),
        "kind": np.array(["default"] * 2),
        "subject": np.array(["azure-offer"] * 2),
        "text": np.array(["tranche 1", "tranche 2"]),
    }
    return result


def test_a_supplier_that_defaulted_is_named_with_its_share_of_runs(tmp_path: Path) -> None:
    plan = dataclasses.replace(plan_of(4), strategies=("azure",))
    with open_folder(tmp_path / "run", head_of(plan), resume=False) as folder:
        results = compare(plan, folder, synthetic.prepared(), in_default)
    delivery = found_in(results, "azure")["delivery"]
    assert (delivery.quarter, delivery.defaulted, delivery.unconverted) == ("25Q4", 0.5, 0.0)
    assert binding_text(delivery).endswith("d late, its supplier defaulted in 50 %")


def test_nothing_binds_where_all_is_there(tmp_path: Path) -> None:
    results = compare_in(tmp_path / "run", runs=2, late=0.0)
    assert {"delivery", "placement"}.isdisjoint(found_in(results, "multi"))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Binding("delivery", "26Q4", "azure", 120_000, 400_000, 181.0),
            "26Q4 delivery of azure: 120k of 400k chips not there, P90 181 d late",
        ),
        (Binding("power", "27Q3", "cipher", 5_500, 78_000), "27Q3 power for cipher: 5.5k of 78k chips dark"),
        (Binding("placement", "28Q3", "R5", 40.0, 300_000), "28Q3 R5 queues 40 d for 300k chips"),
        (Binding("serving", "", "chat", 0.123, 1e15), "chat: 12.3 % of tokens unserved"),
    ],
)
def test_words(found: Binding, text: str) -> None:
    assert binding_text(found) == text
