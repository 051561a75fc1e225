"""The mutants of the kernel's source fit the source as it is (running them is a command, not a test)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kernel.mutants import MUTANTS, Mutant, apply


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_edits_the_source_and_leaves_python(mutant: Mutant, root: Path, tmp_path: Path) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir()
    shutil.copy(root / "capsim" / mutant.file, copy)
    before = apply(mutant, tmp_path)
    assert before == (root / "capsim" / mutant.file).read_text()
    assert copy.read_text() != before
    compile(copy.read_text(), mutant.file, "exec")
    assert all((root / name).is_file() for name in mutant.tests if name.endswith(".py"))
