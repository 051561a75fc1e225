"""What is written and read back: parts, tables, full disks."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import synthetic
from comparing import compare_in, head_of, plan_of

from capsim.errors import CapsimError, InputError
from capsim.results import atomic
from capsim.results.atomic import publish_bytes, sha256_of
from capsim.results.columns import canonical, canonical_column
from capsim.results.digest import run_digest
from capsim.results.folder import open_folder, read_results
from capsim.results.parquet import encode_part, read_part, read_part_rows, read_table
from capsim.results.reading import Plan
from capsim.results.schema import TABLES


def made(run: int = 0, **changes: object) -> synthetic.RunResult:
    return canonical(synthetic.simulate(dataclasses.replace(synthetic.MENU[1], **changes), run))  # type: ignore[arg-type]


def test_part_comes_back_as_it_was() -> None:
    results = [made(), made(price=1.0)]
    digests = [run_digest(r) for r in results]
    raw = encode_part(results, digests)
    back = read_part(raw)
    assert [run_digest(r) for r, _ in back] == digests == [d for _, d in back]
    assert [row.metrics["cash_npv"] for row in read_part_rows(raw)] == [
        r.metrics["cash_npv"] for r in results
    ]


def test_pages_carry_checksums() -> None:
    raw = bytearray(encode_part([made()], ["d"]))
    raw[300] ^= 1
    with pytest.raises((OSError, ValueError)):
        read_part(bytes(raw))


def test_digest_sees_every_cell_but_wall_time() -> None:
    whole = run_digest(made())
    for table, columns in TABLES.items():
        for name in columns:
            result = made()
            values = result.tables[table][name]
            if len(values):
                values[-1] = f"{values[-1]}x" if isinstance(values[-1], str) else values[-1] + 1
                assert run_digest(result) != whole, f"{table}.{name}"
    for name in made().metrics:
        result = made()
        result.metrics[name] = 12345.678
        assert (run_digest(result) == whole) == (name == "seconds"), name


def test_digest_tells_shifted_texts_apart() -> None:
    first, second = made(), made()
    first.tables["events"]["text"] = ["ab", "c"]
    second.tables["events"]["text"] = ["a", "bc"]
    assert run_digest(first) != run_digest(second)


def test_missing_instants_are_minus_one() -> None:
    assert canonical_column("finish_ms", [5, None, math.nan]).tolist() == [5, -1, -1]
    assert canonical_column("finish_ms", np.array([1.0, np.inf])).tolist() == [1, -1]


def test_incomplete_results_are_a_named_defect() -> None:
    result = synthetic.simulate(synthetic.MENU[0], 3)
    del result.metrics["cash_npv"]
    with pytest.raises(ValueError, match=r"run 3 of azure/base: metrics missing \['cash_npv'\]"):
        canonical(result)
    result = synthetic.simulate(synthetic.MENU[0], 3)
    result.tables["owed"]["year"].append(2030)
    with pytest.raises(ValueError, match="columns of table owed differ in length"):
        canonical(result)


def test_merged_tables_hold_what_the_runs_produced(tmp_path: Path) -> None:
    results = compare_in(tmp_path / "run", runs=3)
    found = read_table(tmp_path / "run" / "cash.parquet", 3, strategy="multi", run=2)
    made_up = canonical(synthetic.simulate(synthetic.MENU[1], 2)).tables["cash"]
    assert found["usd"].tolist() == made_up["usd"].tolist()
    assert list(found["month"]) == made_up["month"]
    assert results.metric("cash_npv", "multi", "base")[2] == pytest.approx(found["npv"].sum())
    runs = pq.read_table(tmp_path / "run" / "runs.parquet")
    assert runs.num_rows == 12
    assert runs.column("strategy").to_pylist()[:4] == ["azure", "multi", "neocloud", "wait"]


def test_manifest_names_every_file_and_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "run"
    results = compare_in(path, runs=3)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["result_digest"] == results.digest
    for name, digest in manifest["files"].items():
        assert sha256_of(path / name) == digest
    for name, digest in manifest["parts"].items():
        assert sha256_of(path / "parts" / name) == digest
    assert len(manifest["parts"]) == 3


def test_nothing_appears_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "sync", full)
    with pytest.raises(
        CapsimError, match=r"disk full while writing .*thing: finished runs are kept; .*--resume"
    ):
        publish_bytes(tmp_path / "thing", b"x")
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from comparing import compare_in
from capsim.errors import CapsimError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def limit(_, seen=[]):
    seen.append(1)
    if len(seen) == 9:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    compare_in(Path({path!r}), on_run=limit)
except CapsimError as error:
    print(error)
    sys.exit(7)
"""


def test_full_disk_keeps_finished_runs(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "run"
    program = FULL_DISK.format(tests=str(root / "tests" / "study"), path=str(path))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 7, done.stderr
    assert "disk full while writing" in done.stdout
    assert len(list((path / "parts").glob("*.parquet"))) == 2
    assert not list(path.rglob("*.writing*"))
    assert compare_in(path, resume=True).digest == compare_in(tmp_path / "other").digest


def test_part_of_a_complete_folder_is_read(tmp_path: Path) -> None:
    whole = compare_in(tmp_path / "run", runs=4)
    head = head_of(plan_of(4))
    fewer = Plan(("multi",), ("base",), 2, "multi")
    found = read_results(tmp_path / "run", head, fewer)
    assert found is not None
    assert (
        found.metric("total_npv", "multi", "base").tolist()
        == whole.metric("total_npv", "multi", "base").tolist()[:2]
    )
    assert set(found.table("cash", "base", "multi")["run"]) == {0, 1}
    assert read_results(tmp_path / "run", head, Plan(("multi",), ("base",), 5, "multi")) is None
    assert read_results(tmp_path / "run", head | {"seed": 8}, fewer) is None
    (tmp_path / "run" / "cash.parquet").write_bytes(b"")
    assert read_results(tmp_path / "run", head, fewer) is None


def test_nothing_is_written_into_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a run folder"):
        open_folder(tmp_path, head_of(plan_of(1)), resume=False)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_damaged_manifest_is_named(tmp_path: Path) -> None:
    compare_in(tmp_path / "run", runs=1)
    (tmp_path / "run" / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(CapsimError, match=r"manifest\.json is damaged"):
        open_folder(tmp_path / "run", head_of(plan_of(1)), resume=True)
