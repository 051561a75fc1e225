"""A user's own Python code, named as ``file.py:function``, ``module:function`` or an entry point's name."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from capsim.spec.quantities import did_you_mean, shown


class Wrong(Exception):
    """Code that cannot be found: what is wrong, and what to write."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class Code(NamedTuple):
    """A file (to be loaded by its path) or a module, the function, the file of the source."""

    place: str
    function: str
    file: Path


def find_code(call: str, folder: Path, groups: dict[str, str]) -> Code:
    """Where ``call`` leads, without running it; a path is taken from ``folder``. Raises Wrong.

    ``groups``: entry point groups by what a package offers there, such as ``strategy``.
    """
    place, colon, function = call.rpartition(":")
    if not colon:
        place, function = _offered(call, groups)
    if not function.isidentifier():
        raise Wrong(f"{shown(function)} names no function", "write file.py:function")
    if place.endswith(".py"):
        file = folder / place
        if not file.is_file():
            raise Wrong(f"{file}: there is no such file", f"paths start at {folder.resolve()}")
        return Code(str(file.resolve()), function, file)
    return Code(place, function, _module_file(place))


def _offered(call: str, groups: dict[str, str]) -> tuple[str, str]:
    """Module and function of the entry point of that name."""
    names = list[str]()
    for group in groups.values():
        known = importlib.metadata.entry_points(group=group)
        for entry in known:
            if entry.name == call:
                return entry.module, entry.attr
        names += known.names
    kinds = " or ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in groups)
    what = f"no package offers {kinds} {shown(call)} (entry point group {' or '.join(groups.values())})"
    raise Wrong(what, did_you_mean(call, names) if names else "write file.py:function")


def _module_file(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise Wrong(f"there is no module {shown(module)}", "write an importable one, or file.py:function")
    return Path(spec.origin)


def load_function(place: str, name: str, what: str) -> Any:
    """The function ``name`` of a file or an importable module; runs that code. ``what`` it is for."""
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location(f"capsim_{what}_{Path(place).stem}", place)
        if spec is None or spec.loader is None:
            raise ImportError(f"{place} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    return getattr(module, name)


def told(error: Exception, file: str) -> str:
    """An error of the user's code in one line: what, and the last line of that code that led to it."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    frames = frames or traceback.extract_tb(error.__traceback__)[-1:]
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text
