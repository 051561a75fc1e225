"""Trace files that a study names: found beside the file that states them, hashed, errors with their place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from capsim.compile.checks import run_checks
from capsim.errors import StudyError
from capsim.spec.demand import TracedResearch
from capsim.spec.loader import load_study

RESEARCH = """
  research:
    trace: {trace}
    scale: {{count: 0.5}}
    model: llama-3.1-70b
    precision: bf16
    systems: [gb200_nvl72]
    priority: 1
    checkpoint: {{stall: 10 s, restart: 10 min}}
    value_lost: $3/gb200e-h
"""
FRAME = """capsim: 1
name: traced
horizon: {start: 2026-01-01, end: 2026-03-01}
money: {discount_rate: 0%/y}
as_of: 2025-12-31
include: ["builtin:catalog"]
scheduler: {autoscale: 6 h, locality_penalty: 0%}
compare: {against: s}
offers:
  own: {provider: own, kind: cloud, status: live, chips: {gb200_nvl72: 100%}, quantity: {min: 720, max: 720, lot: 72},
        tranches: [{at: 2025-06-01, share: 100%, delivery: existing}], term: 5y, price: {per_chip_hour: $2.90/h}}
strategies: {s: {hold: {own: max}}}
demand:
  scale: 1"""
JOBS = "job,submit,size,run\n1,0,8,600\n2,60,16,3600\n"


def study(folder: Path, trace: str = "jobs.csv", more: str = "") -> Path:
    """A study of a traced research stream in a folder of its own."""
    (folder / "studies").mkdir(exist_ok=True)
    path = folder / "studies" / "study.yaml"
    path.write_text(FRAME + RESEARCH.format(trace=trace) + more)
    return path


def test_the_path_starts_at_the_study_and_the_digest_is_part_of_it(tmp_path: Path) -> None:
    path = study(tmp_path)
    file = tmp_path / "studies" / "jobs.csv"
    file.write_text(JOBS)
    loaded = load_study(path)
    research = loaded.study.demand.research
    assert isinstance(research, TracedResearch)
    assert Path(research.path) == file
    digest = hashlib.sha256(JOBS.encode()).hexdigest()
    assert research.sha256 == digest
    assert (str(file), digest) in [(s.file, s.sha256) for s in loaded.sources]
    file.write_text(JOBS + "3,90,8,60\n")
    assert load_study(path).digest != loaded.digest
    # a study that states the digest refuses another content
    with pytest.raises(
        StudyError, match=r"study.yaml:\d+:\d+: .*jobs.csv has another content; its digest is"
    ):
        load_study(study(tmp_path, more=f"    sha256: {digest}\n"))


def test_a_missing_file_is_named_at_its_place(tmp_path: Path) -> None:
    path = study(tmp_path, trace="gone.swf")
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "gone.swf" in text)
    with pytest.raises(StudyError) as error:
        load_study(path)
    (problem,) = error.value.problems
    assert (problem.line, problem.column) == (line, 12)
    assert "gone.swf: there is no such file" in problem.what


@pytest.mark.parametrize("name", ['""', '"."', '"a\\0b"', "x" * 5000, "/", "7"])
def test_names_that_are_no_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match=r"study.yaml:\d+:12: .*(cannot be read|there is no such file)"):
        load_study(study(tmp_path, trace=name))


@pytest.mark.parametrize("scale", ["{time: 1e12}", "{chips: 1e12}"])
def test_scales_beyond_the_clock_and_the_scheduler(tmp_path: Path, scale: str) -> None:
    path = study(tmp_path)
    (tmp_path / "studies" / "jobs.csv").write_text(JOBS)
    loaded = load_study(path, sets=[f"demand.research.scale={scale}"])
    (finding,) = run_checks(loaded, ["traces"])
    assert finding.level == "error" and "at most 30 years" in str(finding.where)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("arrival,input_tokens,output_tokens\n0,5,5\n", "holds requests to an LLM service, not jobs"),
        ("job,submit,size,run\n1,zero,8,600\n", "jobs.csv:2"),
        ("job,submit,size,run\n1,0,8,0\n", "no job is left after cleaning"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_is_no_job_trace(tmp_path: Path, content: str, message: str) -> None:
    path = study(tmp_path)
    (tmp_path / "studies" / "jobs.csv").write_text(content)
    (finding,) = run_checks(load_study(path), ["traces"])
    assert finding.level == "error" and message in finding.where.what
    assert finding.where.file == str(path) and finding.where.line > 1


def test_the_check_says_how_much_work_comes_of_it(tmp_path: Path) -> None:
    path = study(tmp_path)
    (tmp_path / "studies" / "jobs.csv").write_text(JOBS)
    (finding,) = run_checks(load_study(path), ["traces"])
    # 59 days of one-day rounds of two jobs, half of them
    assert "about 59 campaigns, the largest of 16 chips" in finding.text
