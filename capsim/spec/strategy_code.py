"""Code of strategies in Python: where it is, and its digest. Nothing is run while a study is loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from capsim.errors import Problem
from capsim.spec.explain import locate
from capsim.spec.includes import Source
from capsim.spec.nodes import Mapping
from capsim.spec.quantities import shown
from capsim.spec.strategies import PythonStrategy
from capsim.spec.study import Study
from capsim.spec.user_code import Code, Wrong, find_code

GROUP = "capsim.strategies"
"""The entry point group under which packages offer strategies by name."""


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
            found = find_code(spec.call, folder, {"strategy": GROUP})
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


def _placed(spec: PythonStrategy, found: Code, digest: str) -> PythonStrategy:
    return spec.found_at(found.place, found.function, digest)
