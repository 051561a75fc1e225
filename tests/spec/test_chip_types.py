"""Files of chip types: what they give, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capsim.engine.replay_types import types_of
from capsim.errors import InputError, StudyError
from capsim.spec.chip_types import read_chip_types
from capsim.workload.traces import read_jobs

GOOD = """types:
  fast: {chips: 8}
  slow: {chips: 16}
classes:
  vision: {share: 3, speeds: {fast: 1, slow: 0.25}}
  speech: {speeds: {fast: 1}}
round: 5 min
restart: 30 s
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "types.yaml"
    path.write_text(text)
    return path


def jobs(folder: Path, text: str) -> Path:
    path = folder / "jobs.csv"
    path.write_text(text)
    return path


def test_classes_of_the_trace_have_the_speeds_of_the_file(tmp_path: Path) -> None:
    trace = read_jobs(
        jobs(tmp_path, "job,submit,size,run,class\n1,0,4,10,speech\n2,1,16,10,vision\n3,2,16,10,speech\n")
    )
    types = types_of(read_chip_types(written(tmp_path, GOOD)), trace, seed=0)
    assert (types.round_ms, types.restart_ms, types.total) == (300_000, 30_000, 24)
    assert types.job_class.tolist() == [1, 0, 1]
    assert types.fits(trace.size).tolist() == [True, True, False]
    index = np.array([0, 1])
    assert types.job_speed(trace.size[index], index).tolist() == [[1.0, 0.0], [0.0, 0.25]]


def test_classes_are_drawn_by_share_and_keyed_by_the_job(tmp_path: Path) -> None:
    rows = [f"{number},{number},1,10" for number in range(2000)]
    given = read_chip_types(written(tmp_path, GOOD))
    trace = read_jobs(jobs(tmp_path, "job,submit,size,run\n" + "\n".join(rows)))
    fewer = read_jobs(jobs(tmp_path, "job,submit,size,run\n" + "\n".join(rows[500:])))
    drawn = types_of(given, trace, seed=1).job_class
    assert (drawn == 0).mean() == pytest.approx(0.75, abs=0.04)
    assert np.array_equal(drawn[500:], types_of(given, fewer, seed=1).job_class)
    assert not np.array_equal(drawn, types_of(given, trace, seed=2).job_class)


def test_the_example_of_the_documentation_is_read(tmp_path: Path, root: Path) -> None:
    text = (root / "docs" / "traces.md").read_text(encoding="utf-8")
    example = text.split("## Chip types")[1].split("```yaml\n")[1].split("```")[0]
    given = read_chip_types(written(tmp_path, example))
    assert set(given.types) == {"v100", "k80"} and given.restart == 20_000
    trace = read_jobs(jobs(tmp_path, "job,submit,size,run,class\n1,0,4,10,language\n"))
    types = types_of(given, trace, seed=0)
    assert types.node.tolist() == [8, 4]
    assert types.elastic == (None, (1, 32, 0.05))


def test_a_class_that_the_file_does_not_describe(tmp_path: Path) -> None:
    trace = read_jobs(jobs(tmp_path, "job,submit,size,run,class\n1,0,4,10,robotics\n"))
    with pytest.raises(InputError, match="'robotics' is not among the classes"):
        types_of(read_chip_types(written(tmp_path, GOOD)), trace, seed=0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("slow: 0.25", "slo: 0.25", ["5:40: there is no type `slo`", "did you mean `slow`"]),
        ("{speeds: {fast: 1}}", "{speeds: {fast: 0}}", ["6:3: class `speech` can run nowhere"]),
        ("share: 3", "shares: 3", ["5:12: unknown key `shares`", "did you mean `share`"]),
        ("chips: 8", "chips: -8", ["2:17: `-8` is out of bounds"]),
        ("slow: 0.25", "slow: 1e9", ["5:46: 1e+09 as speeds", "write 0, or 0.001 to 1000"]),
        ("share: 3", "share: 1e-9", ["5:19: 1e-09 as share"]),
        ("chips: 8", "chips: 10G", ["2:17: 10,000,000,000 chips of a type"]),
        ("round: 5 min", "round: 5 GB", ["7:8: "]),
        ("classes:", "klasses:", ["unknown key `klasses`"]),
        ("{fast: 1}}", "{fast: 1}, elastic: {most: 4}}", ["6:40: `serial` is missing"]),
        (
            "{fast: 1}}",
            "{fast: 1}, elastic: {least: 8, most: 4, serial: 0.1}}",
            ["6:57: 4 chips at most", "write at least 8"],
        ),
        (
            "{fast: 1}}",
            "{fast: 1}, elastic: {most: 4, serial: 2}}",
            ["6:58: `2` is out of bounds"],
        ),
        ("slow: {chips: 16}", "slow: {chips: 16, node: 0}", ["3:27: `0` is out of bounds"]),
    ],
)
def test_wrong_files_say_where_and_what(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        read_chip_types(written(tmp_path, GOOD.replace(old, new)))
    for words in said:
        assert words in str(caught.value)


def test_too_many_sizes_of_an_elastic_job(tmp_path: Path) -> None:
    text = GOOD.replace("chips: 16", "chips: 1M, node: 4").replace(
        "{fast: 1}}", "{fast: 1}, elastic: {most: 10k, serial: 0}}"
    )
    with pytest.raises(StudyError, match="6:47: 2,500 numbers of whole nodes; write less: 1,000 nodes"):
        read_chip_types(written(tmp_path, text))


def test_no_share_and_no_file(tmp_path: Path) -> None:
    text = GOOD.replace("share: 3", "share: 0").replace("speech: {", "speech: {share: 0, ")
    with pytest.raises(StudyError, match="no class of jobs has a share"):
        read_chip_types(written(tmp_path, text))
    with pytest.raises(StudyError, match="cannot be read"):
        read_chip_types(tmp_path / "none.yaml")
