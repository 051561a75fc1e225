"""Wrong rules in a copy of the kernel's source: ``python -m tests.kernel.mutants`` shows what kills each.

The mutants (``wrong_rules.py``, ``wrong_governance.py``, ``wrong_reservations.py``) replace a few lines of
``capsim`` in a copy of the package with a compile cache of its own. Compiling is what takes time, so mutants of the
cluster's functions are compiled together: each function stands there as it is and as every mutant has it, and an
environment variable says which is called. The others are compiled one by one. Each mutant is then run against the
tests named with it: the obvious schedulers, cases computed by hand, random cases of one seed, which the kernel as it
is must pass in the same copy. Takes minutes, so it is not part of the suite; the same wrong rules in the obvious
schedulers are (``tests/oracles/mutants.py``).
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kernel.wrong_governance import MUTANTS as GOVERNANCE
from tests.kernel.wrong_reservations import MUTANTS as RESERVATIONS
from tests.kernel.wrong_rules import MUTANTS as RULES
from tests.kernel.wrong_rules import Mutant

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = RULES + GOVERNANCE + RESERVATIONS
LIMIT_S, LIMIT = 120, 3
"""Seconds to compile and run the tests of a mutant: so many, and so many times those that the kernel as it is takes.
A wrong rule may make it run for ever.
"""

NO_SHRINKING = """

from hypothesis import Phase, settings  # noqa: E402

settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("mutants")
"""
"""Added to the copy's ``tests/conftest.py``: that a case fails is all that is asked."""

SWITCH = "CAPSIM_MUTANT"
"""Environment variable: which of the mutants that were compiled together is called, from 1; 0 or unset: none."""

READ = f'["mutant"] = int(__import__("os").environ.get("{SWITCH}", "0"))\n'
TOLD = (
    ("tables.py", "CLOCK = np.dtype(\n    [\n", '        ("mutant", "i8"),\n'),
    ("kernel/build.py", '    clock["timer"] = NEVER\n', f"    clock{READ}"),
    (
        "kernel/replay.py",
        '    arrays["clock"]["free_end"] = arrays["clock"]["resv_rank"] = -1\n',
        f'    arrays["clock"]{READ}',
    ),
)
"""What makes the kernel of the copy know the variable: files, and what comes behind which lines."""


HELPERS = ("kernel()", "kernel(apart=True)")
"""Decorators of the functions that may call another one in their place."""


def edit(text: str, edits: tuple[tuple[str, str], ...], where: str) -> str:
    """The text with each old piece, there exactly once, replaced."""
    for old, new in edits:
        if text.count(old) != 1:
            raise ValueError(f"{where}: {old!r} is there {text.count(old)} times, not once")
        text = text.replace(old, new)
    return text


def apply(mutant: Mutant, package: Path) -> str:
    """Edit the copy; returns the text of the file before."""
    path = package / mutant.file
    before = path.read_text()
    path.write_text(edit(before, mutant.edits, f"{mutant.name}: {mutant.file}"))
    return before


def parts_of(text: str) -> dict[str, tuple[ast.stmt, str]]:
    """Top-level statements of a module and their texts, functions by name, others by their text."""
    lines, found = text.splitlines(keepends=True), dict[str, tuple[ast.stmt, str]]()
    for node in ast.parse(text).body:
        first = node.lineno
        if isinstance(node, ast.FunctionDef):
            first = min([first, *(decorator.lineno for decorator in node.decorator_list)])
        piece = "".join(lines[first - 1 : node.end_lineno])
        found[node.name if isinstance(node, ast.FunctionDef) else piece] = node, piece
    return found


def changes(mutant: Mutant, text: str) -> tuple[dict[str, str], str] | None:
    """(functions that a mutant changes, what it adds to the module); None: it has to be compiled alone.

    Only functions whose first argument is the cluster's state can ask which mutant is called.
    """
    before, after = parts_of(text), parts_of(edit(text, mutant.edits, mutant.name))
    changed, added = dict[str, str](), ""
    for name, (node, piece) in after.items():
        if name in before and piece == before[name][1]:
            continue
        if not isinstance(node, ast.FunctionDef):
            if not isinstance(node, ast.ImportFrom):
                return None
            added += piece
        elif name not in before:
            added += piece
        elif node.args.args[0].arg != "s" or ast.unparse(node.decorator_list[0]) not in HELPERS:
            return None
        else:
            changed[name] = piece
    return changed, added


def rename(piece: str, name: str, to: str) -> str:
    """A function's text with another name."""
    return re.sub(rf"^def {name}\(", f"def {to}(", piece, count=1, flags=re.M)


def side_by_side(text: str, wrong: dict[int, Mutant]) -> tuple[str, set[int]]:
    """(a module in which functions are called as the numbered mutants have them, the numbers of those it has)."""
    variants, added, taken = dict[str, dict[int, str]](), "", set[int]()
    for number, mutant in wrong.items():
        found = changes(mutant, text)
        if found is None:
            continue
        taken.add(number)
        added += found[1]
        for name, piece in found[0].items():
            variants.setdefault(name, {})[number] = piece
    for name, pieces in variants.items():
        node, piece = parts_of(text)[name]
        assert isinstance(node, ast.FunctionDef)
        words = ", ".join(argument.arg for argument in node.args.args)
        chosen = f"@kernel()\ndef {name}({words}):\n    mutant = s.clock[0].mutant\n"
        for number in pieces:
            chosen += f"    if mutant == {number}:\n        return {name}_{number}({words})\n"
        chosen += f"    return {name}_0({words})\n"
        all_of_them = [rename(piece, name, f"{name}_0")]
        all_of_them += [rename(other, name, f"{name}_{number}") for number, other in pieces.items()]
        text = text.replace(piece, "\n\n".join([*all_of_them, chosen]))
    imports = [
        piece for node, piece in parts_of(text).values() if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return text.replace(imports[-1], imports[-1] + added, 1), taken


def lay_side_by_side(package: Path, mutants: list[Mutant]) -> dict[str, int]:
    """Edit the copy so that mutants can be called; their numbers, by name."""
    for file, line, more in TOLD:
        path = package / file
        path.write_text(edit(path.read_text(), ((line, line + more),), file))
    numbers = dict[str, int]()
    for file in dict.fromkeys(mutant.file for mutant in mutants if mutant.file.startswith("kernel/")):
        path = package / file
        wrong = {i: m for i, m in enumerate(mutants, start=1) if m.file == file}
        text, taken = side_by_side(path.read_text(), wrong)
        path.write_text(text)
        numbers |= {wrong[number].name: number for number in taken}
    return numbers


def run_tests(folder: Path, tests: tuple[str, ...], number: int, limit: float | None) -> tuple[bool, str]:
    """Whether the tests pass in ``limit`` seconds, and the first that failed or what happened, if anything."""
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "NUMBA_CACHE_DIR": str(folder / "compiled"),
        "PYTHONDONTWRITEBYTECODE": "1",
        SWITCH: str(number),
    }
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    words = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return False, f"a schedule that does not end (within {limit:.0f} s)"
    found = re.search(r"^(?:FAILED|ERROR) \S+?::(\S+)", done.stdout, re.M)
    if found:
        return False, found[1]
    if done.returncode < 0:
        return False, f"a crash (signal {-done.returncode})"
    if done.returncode > 0:
        raise RuntimeError(f"pytest {' '.join(tests)}: {(done.stdout + done.stderr)[-2000:]}")
    return True, ""


def copy_to(folder: Path) -> None:
    """What the tests need of the project."""
    for part in ("capsim", "tests", "configs", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    conftest = folder / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text() + NO_SHRINKING)


def main(wanted: list[str]) -> int:
    """Print what kills each mutant (all, or those whose names contain a word); 1 if one survives."""
    mutants = [m for m in MUTANTS if not wanted or any(word in m.name for word in wanted)]
    survived = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_to(folder)
        numbers = lay_side_by_side(folder / "capsim", mutants)
        limits = dict[tuple[str, ...], float]()
        for tests in dict.fromkeys(mutant.tests for mutant in mutants):
            began = time.perf_counter()
            passed, first = run_tests(folder, tests, 0, None)
            limits[tests] = LIMIT_S + LIMIT * (time.perf_counter() - began)
            if not passed:
                print(f"the kernel as it is fails {first}")
                return 1
        print("the kernel as it is: all tests pass", flush=True)
        for mutant in mutants:
            began = time.perf_counter()
            number = numbers.get(mutant.name, 0)
            before = None if number else apply(mutant, folder / "capsim")
            passed, first = run_tests(folder, mutant.tests, number, limits[mutant.tests])
            if before is not None:
                (folder / "capsim" / mutant.file).write_text(before)
            survived += passed
            verdict = "SURVIVES" if passed else f"killed by {first}"
            print(
                f"{mutant.name} — {mutant.says}\n  {verdict} ({time.perf_counter() - began:.0f} s)",
                flush=True,
            )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
