"""Files of governance: what they give, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.errors import StudyError
from capsim.spec.governance import GovernanceFile, most_by_name, read_governance

GOOD = """tenants:
  alignment: {share: 2, quota: 64, cohort: lab, borrow: 32}
  pretraining: {quota: 128, cohort: lab}
  guests: {quota: 8, max_running: 2}
others: {max_running: 4}
classes:
  prod: {priority: 10, preemptible: false}
  test: {grace: 2 min, checkpoint: 30 min, restart: 1 min}
drains:
  - {at: 2d, lasts: 8 h, grace: 10 min}
  - {at: 9d, lasts: 8 h}
reservations:
  - {at: 4d, lasts: 1d, chips: 32, tenants: [guests], classes: [prod], announced: 3d}
"""


def read(folder: Path, text: str) -> GovernanceFile:
    path = folder / "tenants.yaml"
    path.write_text(text)
    return read_governance(path)


def test_a_file_is_read_with_its_units(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    terms = found.terms
    assert terms.reclaim and terms.classes["test"].checkpoint == 1_800_000
    assert [(drain.at, drain.grace) for drain in terms.drains] == [
        (172_800_000, 600_000),
        (777_600_000, None),
    ]
    most = {"alignment": {"": 96}, "pretraining": {"": 192}, "guests": {"": 8}}
    assert most_by_name(terms.tenants) == most
    found.check_names(["alignment", "pretraining", "guests", "x"], ["prod", "test"])


def test_the_example_of_the_documentation_is_read(tmp_path: Path, root: Path) -> None:
    text = (root / "docs" / "traces.md").read_text(encoding="utf-8")
    example = text.split("## Governance")[1].split("```yaml\n")[1].split("```")[0]
    terms = read(tmp_path, example).terms
    assert terms.tenants["user 3"].borrow == 256 and terms.classes["queue 2"].stall == 20_000


def test_names_that_the_trace_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, GOOD).check_names(["alignement", "pretraining", "guests"], [])
    text = str(caught.value)
    assert "2:3: the trace has no tenant `alignment`; did you mean `alignement`?" in text
    assert "13:55: the trace has no class `prod`" in text
    assert "7:3: the trace has no class `prod`; the trace names no classes" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{share: 2,", "{shares: 2,", "2:15: unknown key `shares`"),
        ("share: 2", "share: 0", "2:22: `0` is out of bounds"),
        ("share: 2", "share: 1e12", "2:15: a share of 1e+12; write at most 1e+09"),
        ("quota: 64, ", "", "`alignment` shares a cohort without a quota"),
        ("quota: 64", "quota: 2G", "2,000,000,000 chips; write at most 1,073,741,824"),
        ("cohort: lab, borrow", "borrow", "`alignment` borrows from nobody"),
        ("128, cohort: lab", "128", "`alignment` is alone in the cohort `lab`, which has nothing to lend it"),
        ("quota: 64", "quota: sixty", "2:32: `sixty` is not a number; write a whole number"),
        ("max_running: 4", "cohort: lab, quota: 4", "tenants that are not named cannot share a cohort"),
        ("at: 9d", "at: 2d", "11:5: this drain begins before the one above it is over"),
        ("grace: 2 min", "grace: 2", "8:17: `2` lacks its unit"),
        ("max_running: 2", "max_running: 0", "out of bounds"),
        ("priority: 10", "max_chips: 0", "7:21: `0` is out of bounds"),
        ("priority: 10", "max_chips: 2G", "7:10: 2,000,000,000 chips; write at most 1,073,741,824"),
        ("announced: 3d", "announced: 5d", "announced after it begins; write at most 4 d"),
    ],
)
def test_wrong_files_say_where_and_what(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert said in str(caught.value), str(caught.value)


BY_TYPE = """tenants:
  a: {quota: {v100: 16, k80: 32}, cohort: lab}
  b: {quota: {v100: 16, k80: 8}, cohort: lab, borrow: {v100: 8}}
  c: {quota: {v100: 4}}
  d: {quota: 12}
"""


def test_quotas_by_chip_type(tmp_path: Path) -> None:
    """b may borrow 8 v100 and, as it does not say how many, all k80 of the cohort."""
    found = read(tmp_path, BY_TYPE)
    assert most_by_name(found.terms.tenants) == {
        "a": {"v100": 32, "k80": 40},
        "b": {"v100": 24, "k80": 40},
        "c": {"v100": 4},
        "d": {"": 12},
    }
    found.check_quotas(["v100", "k80"])
    with pytest.raises(StudyError) as caught:
        found.check_quotas(["v100", "k8"])
    assert "2:25: there is no chip type `k80`; did you mean `k8`?" in str(caught.value)
    with pytest.raises(
        StudyError, match="4:15: there is no chip type `v100`; describe them with --types FILE"
    ):
        found.check_quotas([])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{v100: 16, k80: 8}",
            "24",
            "in the cohort `lab` only some quotas are by name; write them all as `a` does",
        ),
        (
            "borrow: {v100: 8}",
            "borrow: {v10: 8}",
            "3:56: `b` borrows chips of `v10`, of which it has no quota",
        ),
        (
            "d: {quota: 12}",
            "d: {quota: {v100: 2G}}",
            "5:15: 2,000,000,000 chips; write at most 1,073,741,824",
        ),
        ("d: {quota: 12}", "d: {quota: {v100: -2}}", "out of bounds"),
        ("c: {quota: {v100: 4}}", "c: {quota: {v100: 4}, borrow: {v100: 1}}", "`c` borrows from nobody"),
        ("v100: 16, k80: 32", "v100: 16, v100: 32", "2:25: the key `v100` stands twice"),
    ],
)
def test_wrong_quotas_by_chip_type(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, BY_TYPE.replace(old, new))
    assert said in str(caught.value), str(caught.value)


def test_a_cohort_without_quotas_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="the cohort `lab` has no quota to lend"):
        read(tmp_path, "tenants: {a: {quota: 0, cohort: lab}, b: {quota: 0, cohort: lab}}\n")
    with pytest.raises(StudyError, match="cannot be read"):
        read_governance(tmp_path / "none.yaml")
