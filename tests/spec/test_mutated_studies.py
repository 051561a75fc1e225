"""2,000 mutated studies in one process: a clear error or a sound study, never anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.compile.checks import run_checks
from capsim.errors import StudyError
from capsim.spec.canonical import study_digest
from capsim.spec.loader import read_study
from tests.spec.mutation import ODD_VALUES, mutate

RICH = Path(__file__).parent / "data" / "rich.yaml"
COPIES = 2_000


def _sources(root: Path) -> list[str]:
    """The shipped studies, and more often the small one that has every feature."""
    return [path.read_text() for path in sorted((root / "configs").glob("*.yaml"))] + [RICH.read_text()] * 8


def _use(path: Path) -> bool:
    """Load a study, two of its cases and all checks; whether it was accepted."""
    try:
        draft = read_study(path)
        for case in draft.cases[:2]:
            loaded = draft.resolve(case)
            findings = run_checks(loaded)
            assert all(str(finding) for finding in findings)
        study_digest(loaded.study)
    except StudyError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.what and "\n" not in str(problem) and "Traceback" not in str(problem)
            assert problem.file and problem.line >= 0
        return False
    return True


def test_mutated_studies_are_refused_with_places_or_used(tmp_path: Path, root: Path) -> None:
    sources = _sources(root)
    path = tmp_path / "mutant.yaml"
    accepted = 0
    for seed in range(COPIES):
        path.write_bytes(mutate(sources[seed % len(sources)], seed))
        try:
            accepted += _use(path)
        except Exception as error:
            raise AssertionError(f"mutant {seed} of source {seed % len(sources)}") from error
    # Some mutations change a comment or a number; most must be noticed.
    assert COPIES * 0.03 < accepted < COPIES * 0.5


@pytest.mark.parametrize("value", ODD_VALUES)
def test_odd_values_in_options_are_refused_or_used(value: str) -> None:
    for path in (
        "offers.'cloud.v1'.term",
        "demand.scale",
        "strategies.cloud.hold",
        "as_of",
        "systems.rack",
        "cases.late",
    ):
        try:
            read_study(RICH, sets=[f"{path}={value}"]).resolve("late")
        except StudyError as error:
            assert all(str(problem) for problem in error.problems)
