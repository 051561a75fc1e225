"""The catalog against the published tables and facts beside the checkout."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from capsim.catalog.library import load_catalog
from capsim.catalog.prices import price_history, prices

pytestmark = pytest.mark.shared
TABLES = ("training.csv", "inference_measured.csv", "inference_estimates.csv")
RENAMED = {
    "gb200_nvl72": "gb200",
    "gb300_nvl72": "gb300",
    "rubin_nvl72": "rubin",
    "tpu_v7_ironwood": "tpu_v7",
}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("table", TABLES)
def test_every_chip_and_model_of_the_tables_is_known(shared: Path, table: str) -> None:
    catalog = load_catalog()
    rows = _rows(shared / "truth" / table)
    unknown = {("chip", row["chip"]) for row in rows if catalog.resolve("chips", row["chip"]) is None}
    unknown |= {("model", row["model"]) for row in rows if catalog.resolve("models", row["model"]) is None}
    assert len(rows) > 400
    assert unknown == set()


def test_parameters_agree_with_the_training_table(shared: Path) -> None:
    catalog = load_catalog()
    for row in _rows(shared / "truth" / "training.csv"):
        key = catalog.resolve("models", row["model"])
        assert key is not None
        card = catalog.models[key]
        tied = key.startswith("mpt-")  # published with the embeddings of other vocabularies and lengths
        for field in ("params_b_active", "params_b_total"):
            if row[field]:
                tolerance = 0.4 if tied else 0.07
                assert float(row[field]) == pytest.approx(float(getattr(card, field)), rel=tolerance), row[
                    "model"
                ]


def test_peaks_and_memory_are_those_of_the_facts(shared: Path) -> None:
    facts = yaml.safe_load((shared / "facts" / "accelerators.yaml").read_text(encoding="utf-8"))["chips"]
    chips = load_catalog().chips
    left_out = {"openai_broadcom_titan"}
    assert {RENAMED.get(name, name) for name in facts} - set(chips) == left_out
    for name, fact in facts.items():
        if name in left_out:
            continue
        chip = chips[RENAMED.get(name, name)]
        peaks = {kind: fact["tflops"].get(kind) for kind in ("bf16", "fp8", "fp4", "int8")}
        assert {kind: float(value) for kind, value in chip.tflops.items()} == {
            k: v for k, v in peaks.items() if v
        }
        assert (float(chip.hbm_gb), float(chip.hbm_tbs)) == (fact["hbm_gb"], fact["hbm_tbs"])
        assert float(chip.scaleup_gbs) == fact["scaleup"]["bw"]
        recalled = {"R", "all"} if fact["src"].get("tflops", "").startswith("R ") else set()
        assert not recalled or chip.tflops["bf16"].confidence == "recalled"


def test_prices_are_those_of_the_facts(shared: Path) -> None:
    facts = _rows(shared / "facts" / "prices.csv")
    assert [float(row["usd_per_chip_hour"]) for row in facts] == [
        float(p.usd_per_chip_hour) for p in prices()
    ]
    assert [row["provider"] for row in facts] == [p.provider for p in prices()]
    for row, found in zip(facts, prices(), strict=True):
        written = row["effective_or_read_date"]
        assert written.startswith("before 2026") or str(found.as_of.year) in written


def test_history_is_that_of_the_facts(shared: Path) -> None:
    facts = _rows(shared / "facts" / "ondemand_price_history.csv")
    known = {row.instance for row in price_history()}
    kept = [row for row in facts if row["instance"] in known]
    assert {row["instance"].split(".")[0] for row in facts if row["instance"] not in known} == {
        "dl1",
        "p3",
        "p3dn",
    }
    assert len(kept) == len(price_history())
    for row, found in zip(kept, price_history(), strict=True):
        assert (row["region"], row["generated"]) == (found.region, found.as_of.isoformat())
        per_chip = float(row["usd_per_instance_hour"]) / found.chips
        assert found.usd_per_chip_hour == pytest.approx(per_chip, abs=1e-4)
