"""Code of strategies in Python: where it is, and its digest. Nothing is run while a study is loaded."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

from capsim.errors import Problem
from capsim.spec.explain import locate
from capsim.spec.includes import Source
from capsim.spec.nodes import Mapping
from capsim.spec.quantities import did_you_mean, shown
from capsim.spec.strategies import PythonStrategy
from capsim.spec.study import Study

GROUP = "capsim.strategies"
"""The entry point group under which packages offer strategies by name."""


class Wrong(Exception):
    """Code that cannot be found: what is wrong, and what to write."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class _Found(NamedTuple):
    """A file (to be loaded by its path) or a module, the function, the file of the source."""

    place: str
    function: str
    file: Path


def with_strategy_code(study: Study, tree: Mapping) -> tuple[Study, list[Source], list[Problem]]:
    """The study with the code of every strategy in Python found and hashed; its files; what is wrong.

    A path is taken from the folder of the file that states it.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    strategies: dict[str, Any] = dict(study.strategies)
    for name, strategy in study.strategies.items():
        spec = strategy.python
        if spec is None:
            continue
        path = ("strategies", name, "python")
        at = locate(tree, (*path, "call")).value_at
        folder = Path(at.file).parent if Path(at.file).is_file() else Path()
        try:
            found = _find(spec.call, folder)
            digest = hashlib.sha256(found.file.read_bytes()).hexdigest()
        except Wrong as wrong:
            problems.append(at.problem(str(wrong), wrong.hint))
            continue
        except OSError as error:
            problems.append(at.problem(f"{shown(spec.call)} cannot be read ({error.strerror})"))
            continue
        if spec.sha256 not in (None, digest):
            where = locate(tree, (*path, "sha256")).value_at
            problems.append(where.problem(f"{found.file} has another content", f"its digest is {digest}"))
        sources.append(Source(str(found.file), digest))
        strategies[name] = strategy.model_copy(update={"python": _placed(spec, found, digest)})
    if not sources and not problems:
        return study, [], []
    return study.model_copy(update={"strategies": strategies}), sources, problems


def _placed(spec: PythonStrategy, found: _Found, digest: str) -> PythonStrategy:
    return spec.found_at(found.place, found.function, digest)


def _find(call: str, folder: Path) -> _Found:
    """Where `call` leads. Raises Wrong."""
    place, colon, function = call.rpartition(":")
    if not colon:
        known = importlib.metadata.entry_points(group=GROUP)
        entry = next((e for e in known if e.name == call), None)
        if entry is None:
            what = f"no package offers a strategy {shown(call)} (entry point group {GROUP})"
            hint = did_you_mean(call, known.names) if known.names else "write file.py:function"
            raise Wrong(what, hint)
        place, function = entry.module, entry.attr
    if not function.isidentifier():
        raise Wrong(f"{shown(function)} names no function", "write file.py:function")
    if place.endswith(".py"):
        file = folder / place
        if not file.is_file():
            raise Wrong(f"{file}: there is no such file", f"paths start at {folder.resolve()}")
        return _Found(str(file.resolve()), function, file)
    return _Found(place, function, _module_file(place))


def _module_file(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise Wrong(f"there is no module {shown(module)}", "write an importable one, or file.py:function")
    return Path(spec.origin)
