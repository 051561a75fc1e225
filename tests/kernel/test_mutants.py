"""The mutants of the kernel's source fit the source as it is (running them is a command, not a test)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kernel.mutants import MUTANTS, apply, lay_side_by_side
from tests.kernel.wrong_rules import Mutant


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


def test_mutants_stand_side_by_side(root: Path, tmp_path: Path) -> None:
    package = shutil.copytree(root / "capsim", tmp_path / "capsim", ignore=shutil.ignore_patterns("data"))
    numbers = lay_side_by_side(package, list(MUTANTS))
    alone = {mutant.name for mutant in MUTANTS} - set(numbers)
    assert alone == {"unordered ties", "pass before submissions", "forgotten compression"}
    number = numbers["ceiling forgotten"]
    text = (package / "kernel" / "allowances.py").read_text()
    chosen = f"    if mutant == {number}:\n        return fits_in_{number}(s, t, j, flavor)\n"
    assert chosen in text
    whole, without = (text.split(f"def fits_in_{n}(")[1].split("@kernel()")[0] for n in (0, number))
    assert "mine.ceiling" in whole
    assert "mine.ceiling" not in without
    for file in {mutant.file for mutant in MUTANTS}:
        compile((package / file).read_text(), file, "exec")
