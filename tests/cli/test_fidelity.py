"""``capsim fidelity``, ``calibrate``, ``validate`` and ``catalog serve`` from the user's side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import run

TABLE = """model,chip,precision,chips,seq,tflops_chip,group
llama3-8b,h100,bf16,64,8192,400,mine
nobody-knows,h100,bf16,64,8192,400,mine
llama3-8b,abacus,bf16,64,8192,400,mine
"""
SERVING = """model,chip,precision,tp,isl,osl,concurrency,out_tok_s_chip
llama3.3-70b,h100,fp8,2,1000,1000,max,2100
llama3.1-405b,inf2,bf16,1,1000,1000,max,1
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency tables of the tests stay out of the user's cache."""
    monkeypatch.setenv("CAPSIM_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A training table with two rows that cannot be expressed."""
    path = tmp_path / "own.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_training_table_names_what_it_cannot_express(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    code, out, err = run(capsys, "fidelity", "training", str(table))
    assert (code, err) == (0, "")
    assert "line 3: nobody-knows on h100 not expressed: model 'nobody-knows' has no card" in out
    assert "line 4: llama3-8b on abacus not expressed: chip 'abacus' is not in the catalog" in out
    assert out.splitlines()[-1].startswith("3 rows, 1 expressed, 1 comparisons")


def test_json_ends_with_the_totals(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    code, out, _ = run(capsys, "fidelity", "training", str(table), "--json")
    found = json.loads(out)
    assert code == 0
    assert list(found)[-6:] == ["rows", "expressed", "median", "p90", "signed", "by"]
    assert (found["rows"], found["expressed"]) == (3, 1)
    assert found["median"] == found["p90"] == abs(found["signed"])


ODD = """group,mfu,chips,precision,chip,model,params_b_active,params_b_total,note,unknown
x,40%,64,bf16,H100,llama3-8b,,,,
x,40,64,bf16,h100,llama3-8b,,,,
,0.5,,,tpu v5p,Llama3-8B,,,,
,0.4,1,nvfp4,GB300,mystery,70,,,7
,0.4,8,fp8,MI300X,mystery,80,8,,
,0.4,-8,bf16,trainium2,llama3-8b,,,,
,nan,8,bf16,trainium2,llama3-8b,,,,
,0.4,8,int3,trainium2,llama3-8b,,,,
,,,,,,,,,
"""


def test_odd_rows_are_predicted_or_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Any order of columns, empty cells, names as people write them; the rest is listed with its reason."""
    path = tmp_path / "odd.csv"
    path.write_text(ODD, encoding="utf-8")
    code, out, err = run(capsys, "fidelity", "training", str(path), "--json")
    found = json.loads(out, parse_constant=lambda word: pytest.fail(word))
    assert (code, err, found["rows"], found["expressed"]) == (0, "", 9, 3)
    assert [row["line"] for row in found["predictions"]] == [2, 4, 5]
    assert all(0 < row["predicted"] < 2 * row["measured"] for row in found["predictions"])
    reasons = {row["line"]: row["reason"] for row in found["unexpressed"]}
    assert reasons[3] == "mfu is a share of the peak, at most 1: 40"
    assert reasons[6] == "params_b_total 8 is less than params_b_active 80"
    assert reasons[7] == "chips is not a positive number: -8"
    assert reasons[8] == "mfu is not a positive number: nan"
    assert "precision 'int3' is not one of" in reasons[9]
    assert "chip '' is not in the catalog" in reasons[10]


def test_a_sequence_that_no_memory_holds_is_listed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "long.csv"
    rows = "llama3.3-70b,h100,fp8,{},{},1000,1,50\n"
    path.write_text("model,chip,precision,tp,isl,osl,concurrency,ttft_ms\n" + rows.format(8, 100_000)
                    + rows.format(2, 2_000_000), encoding="utf-8")  # fmt: skip
    code, out, _ = run(capsys, "fidelity", "inference", str(path))
    assert code == 0 and "2 rows, 1 expressed" in out
    assert "with a sequence of 2,001,000 tokens does not fit 2 x h100_sxm" in out


def test_a_header_alone_is_an_error_of_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text("model,chip,precision,mfu\n", encoding="utf-8")
    code, out, err = run(capsys, "fidelity", "training", str(path))
    assert (code, out) == (2, "") and "no rows below the header" in err


def test_serving_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "serving.csv"
    path.write_text(SERVING, encoding="utf-8")
    code, out, err = run(capsys, "fidelity", "inference", str(path))
    assert (code, err) == (0, "")
    assert "does not fit" in out
    assert "2 rows, 1 expressed" in out


def test_calibrate_then_use_it(capsys: pytest.CaptureFixture[str], table: Path, tmp_path: Path) -> None:
    out = tmp_path / "cal.yaml"
    code, said, err = run(capsys, "calibrate", str(table), "-o", str(out))
    assert code == 0 and "1 training measurements" in said and "not used" in err
    assert run(capsys, "calibrate", str(table), "-o", str(out)).code == 0
    mine = tmp_path / "notes.yaml"
    mine.write_text("not: a calibration\n", encoding="utf-8")
    assert run(capsys, "calibrate", str(table), "-o", str(mine)).code == 2
    assert mine.read_text(encoding="utf-8") == "not: a calibration\n"
    assert run(capsys, "calibrate", str(table), "-o", str(mine), "--force").code == 0
    other = tmp_path / "other.csv"
    other.write_text(TABLE.replace("mine", "yours"), encoding="utf-8")
    plain = json.loads(run(capsys, "fidelity", "training", str(other), "--json").out)
    own = json.loads(run(capsys, "fidelity", "training", str(other), "--calibration", str(out), "--json").out)
    assert own["median"] < 0.015 < plain["median"]


def test_a_study_includes_a_calibration(
    capsys: pytest.CaptureFixture[str], root: Path, table: Path, tmp_path: Path
) -> None:
    from capsim.spec.loader import load_study

    assert run(capsys, "calibrate", str(table), "-o", str(tmp_path / "cal.yaml")).code == 0
    text = (root / "configs" / "quickstart.yaml").read_text(encoding="utf-8")
    study = tmp_path / "study.yaml"
    study.write_text(
        text.replace('include: ["builtin:catalog"', 'include: ["builtin:catalog", cal.yaml'), "utf-8"
    )
    found = load_study(str(study)).study.calibration
    assert found is not None
    assert [(float(e.tflops_chip), e.chip) for e in found.training] == [(400.0, "h100_sxm")]


@pytest.mark.parametrize("command", [("fidelity", "training"), ("fidelity", "inference"), ("calibrate",)])
def test_bad_files_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    more = ("-o", str(tmp_path / "x.yaml")) if command == ("calibrate",) else ()
    for content in (b"", b"\xff\xfe", b"a,b\n1,2\n", b"model,chip,precision\n"):
        path = tmp_path / "bad.csv"
        path.write_bytes(content)
        code, out, err = run(capsys, *command, str(path), *more)
        assert code == 2 and out == "" and "bad.csv" in err and "Traceback" not in err
    code, _, err = run(capsys, *command, str(tmp_path / "none.csv"), *more)
    assert code == 2 and "none.csv" in err


def test_validate_needs_the_truth(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "validate", "--shared", str(tmp_path), "-o", str(tmp_path / "v.md"))
    assert code == 2 and "--shared" in err
    assert not (tmp_path / "v.md").exists()


@pytest.mark.parametrize("width", [80, 120])
def test_catalog_serve(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = run(capsys, "catalog", "serve", "llama-3.1-8b")
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= width
    row = next(line for line in out.splitlines() if "inf2_node12" in line)
    assert "Mtok" in out and row.split()[-2:] == ["1.08", "list"]


def test_catalog_serve_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "catalog", "serve", "deepseek-v3", "--json").out)
    by_system = {entry["system"]: entry for entry in found["systems"]}
    assert "GB" in by_system["maia100_node4"]["refusal"]
    served = by_system["gb200_nvl72"]
    assert served["tokens_per_chip"] > 500 and served["usd_per_mtok"] > 0
    assert served["tokens_per_mw"] == pytest.approx(served["tokens_per_chip"] / 2.5e-3)


def test_catalog_serve_wrong_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "catalog", "serve", "deepsek")
    assert code == 2 and "deepseek" in err
    assert run(capsys, "catalog", "serve", "dense-8b", "--precision", "fp3").code == 2
