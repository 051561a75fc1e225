"""The compiled kernel: cheap helper calls, cheap crossings, one specialisation a helper, a cache that sees edits."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import types
from numba.core.errors import TypingError
from numba.core.registry import CPUDispatcher

import capsim.kernel
from capsim import jit
from capsim.cli.warmup import COMPILED
from capsim.jit import kernel, source_key
from capsim.kernel.rows import Rows
from capsim.kernel.state import DTYPES, State, as_state, pointers


def test_an_allocation_in_the_kernel_does_not_compile() -> None:
    with pytest.raises(TypingError):

        @kernel("int64(int64)")
        def allocate(n: Any) -> Any:
            return np.zeros(n).size


def test_the_kernel_sees_the_arrays_of_the_state() -> None:
    state = State(**{name: np.zeros(3, dtype) for name, dtype in DTYPES.items()})
    state.runs["chips"][2] = 7

    @kernel("int64(int64)")
    def read(address: Any) -> Any:
        s = as_state(address)
        s.jobs[1].tenant = s.runs[2].chips
        return s.runs.shape[0]

    table = pointers(state)
    assert read(table.ctypes.data) == 3
    assert state.jobs["tenant"][1] == 7


def kind_of(argument: types.Type) -> str:
    """The type of an argument, of an array its dtype whichever array it is."""
    return str(DTYPES[argument.label] if isinstance(argument, Rows) else types.unliteral(argument))


def test_warmup_compiles_every_module_with_entry_points() -> None:
    """What it leaves out a study would compile, which has just been told that nothing is left to compile."""
    root = Path(capsim.__file__).parent
    entries = {
        ".".join(("capsim", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
        if re.search(r"^@kernel\((?!\)|apart)", path.read_text(), re.M)
    }
    assert set(COMPILED) == entries


def test_no_helper_is_compiled_twice() -> None:
    """Types are the same at every call (an int32 beside an int64 would double the compile time).

    Two arrays of one dtype are of two types, so that they never overlap: a helper may be called with both.
    """
    twice = []
    for module in pkgutil.iter_modules(capsim.kernel.__path__):
        loaded = importlib.import_module(f"capsim.kernel.{module.name}")
        for name, thing in vars(loaded).items():
            if isinstance(thing, CPUDispatcher) and thing.py_func.__module__ == loaded.__name__:
                kinds = {tuple(kind_of(t) for t in signature) for signature in thing.signatures}
                if len(kinds) > 1:
                    twice.append((module.name, name, len(kinds)))
    assert twice == []


def test_the_key_of_the_cache_depends_on_every_source_it_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "capsim"
    package.mkdir()
    (package / "helper.py").write_text("X = 1\n")
    (package / "entry.py").write_text("from capsim.helper import X\n")
    monkeypatch.setattr(jit, "ROOT", package)
    before = source_key(str(package / "entry.py"))
    (package / "helper.py").write_text("X = 2\n")
    source_key.cache_clear()
    assert source_key(str(package / "entry.py")) != before
    source_key.cache_clear()
