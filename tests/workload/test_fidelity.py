"""The bars of the workload models against the truth tables, and how the tables are read."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from capsim.errors import InputError
from capsim.workload.calibration import read_calibration, shipped, write_calibration
from capsim.workload.fidelity import calibration_of, fidelity
from capsim.workload.inference_rows import serving_entries
from capsim.workload.known import known
from capsim.workload.measurements import read_table
from capsim.workload.training_fidelity import training_entries
from capsim.workload.training_table import shipped_rows

TRAINING_HEAD = "model,kind,params_b_active,params_b_total,chip,chips,precision,seq,tflops_chip,group,source"
SERVING_HEAD = (
    "model,chip,framework,precision,tp,ep,isl,osl,concurrency,ttft_ms,tpot_ms,out_tok_s_chip,note,source"
)


@pytest.fixture(scope="module")
def training(shared: Path) -> dict[str, Any]:
    """Leave-one-out errors on the published training rows."""
    return fidelity("training", shared / "truth" / "training.csv")


@pytest.fixture(scope="module")
def inference(shared: Path) -> dict[str, Any]:
    """Leave-one-out errors on the published serving rows."""
    return fidelity("inference", shared / "truth" / "inference_measured.csv")


def table(folder: Path, head: str, *rows: str) -> Path:
    """A CSV file."""
    path = folder / "table.csv"
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


@pytest.mark.shared
def test_training_bars(training: dict[str, Any]) -> None:
    assert training["median"] <= 0.10
    assert training["p90"] <= 0.36
    assert training["views"]["anchored"]["median"] <= 0.04
    assert training["rows"] == 478
    assert 1 - (training["expressed"] + len(training["excluded"])) / training["rows"] <= 0.03


@pytest.mark.shared
def test_inference_bars(inference: dict[str, Any]) -> None:
    by = inference["by"]["measure and kind"]
    dense, mixture = by["out_tok_s_chip at max load, dense"], by["out_tok_s_chip at max load, moe"]
    assert dense["median"] <= 0.12 and dense["p90"] <= 0.30
    assert mixture["median"] <= 0.20
    groups = inference["by"]["measure and group"]
    for publisher in ("github:aws-neuron/aws-neuron-sdk", "github:Mutinifni/splitwise-sim"):
        assert groups[f"tpot_ms, {publisher}"]["median"] <= 0.10
        assert groups[f"ttft_ms, {publisher}"]["median"] <= 0.20
    assert inference["expressed"] == inference["rows"] == 570


@pytest.mark.shared
def test_calibrated_on_its_series_bar(inference: dict[str, Any]) -> None:
    for name, part in inference["views"]["series"]["by"]["measure and kind"].items():
        assert part["median"] <= 0.12, name


@pytest.mark.shared
def test_the_roofline_alone_is_near_on_dense_models(inference: dict[str, Any]) -> None:
    alone = inference["views"]["uncalibrated"]["by"]["measure and kind"]
    assert alone["out_tok_s_chip at max load, dense"]["median"] <= 0.13


@pytest.mark.shared
def test_bands_hold_about_two_thirds_of_the_errors(shared: Path) -> None:
    from math import log

    from capsim.workload.training import shape_rate
    from capsim.workload.training_fidelity import read_training

    catalog, inside, rows = known(), 0, 0
    for row in read_table(shared / "truth" / "training.csv"):
        if row.text("group") in {"excluded", "mlperf"}:
            continue
        r = read_training(row, catalog)
        found = shape_rate(
            r.shape,
            r.chip,
            catalog.chips[r.chip],
            catalog.system(r.chip),
            r.precision,
            r.chips,
            seq=r.seq,
            calibration=shipped(),
            group=r.group,
            without=(r.group, r.model),
            end_to_end=r.end_to_end,
        )
        rows += 1
        inside += abs(log(found.flops_per_chip / 1e12 / r.tflops)) <= found.log_error
    assert 0.55 < inside / rows < 0.80


@pytest.mark.shared
def test_shipped_points_are_what_the_truth_gives(shared: Path) -> None:
    """The data files can be made again: no number in them was set by hand."""
    entries, _ = training_entries(read_table(shared / "truth" / "training.csv"), known())
    kept = [{k: v for k, v in row.items() if k not in {"as_of", "confidence"}} for row in shipped_rows()]
    assert kept == [{k: str(v) for k, v in entry.items()} for entry in entries]
    serving, _ = serving_entries(read_table(shared / "truth" / "inference_measured.csv"), known())
    assert len(serving) == len(shipped().serving)
    for entry, point in zip(serving, shipped().serving, strict=True):
        assert entry["speed"] == pytest.approx(2.718281828**point.log_speed, rel=1e-3)


@pytest.mark.shared
def test_left_out_means_left_out(shared: Path) -> None:
    """A table's own figures do not reach its predictions: doubled figures double the errors, not the predictions."""
    source = shared / "truth" / "training.csv"
    before = fidelity("training", source)["predictions"]
    assert [p["predicted"] for p in before] == [
        p["predicted"] for p in fidelity("training", source, shipped())["predictions"]
    ]
    removed = shipped().training_table(("mbridge", "deepseek-v3")).points
    assert not [p for p in removed if (p.group, p.model) == ("mbridge", "deepseek-v3")]
    assert [p for p in removed if p.model == "deepseek-v3"]


def test_figures_do_not_reach_predictions(tmp_path: Path) -> None:
    rows = ["llama3-8b,dense,8.03,8.03,h100,64,bf16,8192,{},mine,own"]
    one, two = (
        fidelity("training", table(tmp_path, TRAINING_HEAD, rows[0].format(figure)))["predictions"][0]
        for figure in (400, 800)
    )
    assert one["predicted"] == two["predicted"] and two["measured"] == 800


def test_model_without_a_card_by_its_counts(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        TRAINING_HEAD,
        "brandnew-400b,moe,17,400,gb300,256,fp8,4096,900,lab,x",
        "other,,70,,h100,512,bf16,,400,lab,x",
        "nocounts,,,,h100,512,bf16,,400,lab,x",
    )
    found = fidelity("training", path)
    assert (found["rows"], found["expressed"]) == (3, 2)
    assert "params_b_active" in found["unexpressed"][0]["reason"]
    assert all(abs(p["predicted"] / p["measured"] - 1) < 0.6 for p in found["predictions"])
    head = SERVING_HEAD + ",params_b_active,params_b_total,layers,hidden,kv_bytes_per_token"
    path = table(tmp_path, head, "new-70b,h100,trtllm,fp8,2,1,1000,1000,max,,,2200,,x,70,70,80,8192,327680")
    found = fidelity("inference", path)
    assert found["expressed"] == 1 and found["median"] < 0.2


def test_json_shape(tmp_path: Path) -> None:
    path = table(tmp_path, TRAINING_HEAD, "llama3-8b,dense,8.03,8.03,h100,64,bf16,8192,400,mine,own")
    found = fidelity("training", path)
    assert list(found)[-6:] == ["rows", "expressed", "median", "p90", "signed", "by"]
    assert found["by"]["chip"]["h100_sxm"]["rows"] == 1


def test_other_measured_columns(tmp_path: Path) -> None:
    """MFU, tokens/s and GPU-hours with tokens stand in for TFLOP/s; a bare time does not."""
    head = "model,chip,precision,chips,seq,mfu,tok_s_chip,gpu_hours,tokens,time_min"
    path = table(
        tmp_path,
        head,
        "llama3-8b,h100,bf16,64,8192,0.4,,,,",
        "llama3-8b,h100,bf16,64,8192,,8000,,,",
        "llama3.1-405b,h100,bf16,,,,,30840000,15.6e12,",
        "llama3.1-405b,gb200,fp4,2560,,,,,,18.8",
    )
    found = fidelity("training", path)
    assert found["expressed"] == 3 and "work" in found["unexpressed"][0]["reason"]
    measured = [p["measured"] for p in found["predictions"]]
    assert measured[0] == pytest.approx(0.4 * 989, rel=1e-3)
    assert measured[1] == pytest.approx(8000 * (6 * 8.03e9 + 6 * 32 * 4096 * 8192) / 1e12, rel=1e-3)
    assert measured[2] == pytest.approx(342.2, rel=1e-2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "column"),
        ("a,b\n1,2\n", "no column model, chip, precision"),
        ("model,chip,precision\n", "no rows"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        fidelity("training", path)
    with pytest.raises(InputError):
        fidelity("training", tmp_path / "missing.csv")


def test_binary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="UTF-8"):
        fidelity("inference", path)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("kind", "name"), [("training", "training.csv"), ("inference", "inference_measured.csv")]
)
def test_mutated_tables_never_raise_anything_else(shared: Path, tmp_path: Path, kind: Any, name: str) -> None:
    with (shared / "truth" / name).open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    draw = random.Random(5)
    junk = ["", "nan", "inf", "-1", "0", "1e400", "x", "max", "1e-300", "9" * 30, "TRUE", "ü", "1,5", "1e30"]
    for _ in range(60):
        rows = [lines[0], *(list(row) for row in draw.sample(lines[1:], 6))]
        for _ in range(draw.randint(1, 8)):
            row = rows[draw.randint(0, len(rows) - 1)]
            row[draw.randint(0, len(row) - 1)] = draw.choice(junk)
        if draw.random() < 0.2:
            rows[draw.randint(0, len(rows) - 1)] = draw.choice([[], ["a"], ["a"] * 80])
        path = tmp_path / "mutated.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        try:
            found = fidelity(kind, path)
        except InputError:
            continue
        assert 0 <= found["expressed"] <= found["rows"]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["training.csv", "inference_measured.csv"])
def test_calibration_round_trip(shared: Path, tmp_path: Path, name: str) -> None:
    section, _, kind = calibration_of(shared / "truth" / name)
    write_calibration(tmp_path / "cal.yaml", section, name)
    read = read_calibration(tmp_path / "cal.yaml")
    assert len(getattr(read, kind)) == len(section["calibration"][kind])
    extended = shipped().extended(read)
    assert len(extended.training) + len(extended.serving) > len(shipped().training) + len(shipped().serving)
    extended.training_table() if kind == "training" else extended.serving_table("throughput")


def test_damaged_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cal.yaml"
    for text in ("", "calibration: 3", "calibration: {training: [{model: x}]}", "{", "other: 1"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"cal\.yaml"):
            read_calibration(path)
