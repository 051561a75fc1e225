"""The one numba decorator of the project, and where its compiled code is kept.

``kernel`` compiles without reference counting (``_nrt=False``): a helper call that passes the
state costs nanoseconds and an allocation inside the kernel is a compile error. numba's own cache
does not see an edit in another module, so every module's code is kept in a folder named by a hash
of that module, of all project modules it imports, and of the numba and numpy versions.

The folder is ``$NUMBA_CACHE_DIR``, else ``$XDG_CACHE_HOME/capsim/numba``, else ``~/.cache/capsim/numba``.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import config as numba_config
from numba.core import event
from numba.extending import intrinsic

from capsim import numba_compiler

config: Any = numba_config
ROOT = Path(__file__).resolve().parent
_IMPORT = re.compile(
    r"^\s*(?:from\s+(capsim[\w.]*)\s+import\s+(\([^)]*\)|[^\n]*)|import\s+(capsim[\w.]*))", re.M
)


def cache_root() -> Path:
    """The folder under which compiled kernels are kept (it need not exist yet)."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "capsim" / "numba"


def _module_file(name: str) -> Path | None:
    """The file of a dotted ``capsim`` module name, or None if there is none."""
    path = ROOT.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(source: str) -> set[str]:
    """Every ``capsim`` name that a source text imports, modules and members alike."""
    names: set[str] = set()
    for package, members, plain in _IMPORT.findall(source):
        if plain:
            names.add(plain)
            continue
        names.add(package)
        for member in re.findall(r"\w+", members):
            names.add(f"{package}.{member}")
    return names


@cache
def source_key(file: str) -> str:
    """A hash of a source file, of every project file it reaches by imports, and of numba and numpy."""
    pending, seen = [Path(file).resolve()], dict[Path, bytes]()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen[path] = path.read_bytes()
        for name in _imports(seen[path].decode()):
            found = _module_file(name)
            if found is not None:
                pending.append(found)
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.version_info[:2]}".encode())
    for path in sorted(seen):
        digest.update(path.name.encode() + b"\0" + seen[path])
    return digest.hexdigest()[:16]


class _Announcer(event.Listener):
    """Says once, on the first real compilation of the process, that it takes a while."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        name = getattr(event.data.get("dispatcher"), "py_func", None)
        if not self.said and str(getattr(name, "__module__", "")).startswith("capsim."):
            self.said = True
            print(
                "capsim: compiling the scheduler (once per version, under a minute)",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: Any) -> None:
        """Nothing to say when a function is done."""


_register: Any = event.register
_register("numba:compile", _Announcer())


def kernel(
    signature: Any = None, *, apart: bool = False, **options: Any
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for the kernel, cached on disk, without reference counting.

    Entry points give an explicit ``signature`` (they compile or load when their module is imported);
    helpers give none and are compiled into the entry points that call them, inlined where LLVM thinks it pays
    unless ``apart``.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        before = config.CACHE_DIR
        config.CACHE_DIR = str(cache_root() / source_key(function.__code__.co_filename))
        flags = {"cache": signature is not None, "_nrt": False, "error_model": "numpy", **options}
        flags["pipeline_class"] = (
            numba_compiler.ENTRY
            if signature is not None
            else numba_compiler.APART
            if apart
            else numba_compiler.HELPER
        )
        try:
            if signature is None:
                flags |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
                return numba.njit(**flags)(function)
            return numba.njit(signature, **flags)(function)
        finally:
            config.CACHE_DIR = before

    return decorate


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Number of zero bits below the lowest set bit of a uint64 (64 for zero), as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic
def count_ones(typingctx: Any, word: Any) -> Any:
    """Number of set bits of a uint64, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def leading_zeros(typingctx: Any, word: Any) -> Any:
    """Number of zero bits above the highest set bit of a uint64 (64 for zero), as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic
def bits_of(typingctx: Any, number: Any) -> Any:
    """The 64 bits of a float64, as uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), codegen


@intrinsic
def float_of(typingctx: Any, bits: Any) -> Any:
    """The float64 of these 64 bits (uint64)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), codegen
