"""Orders and placements of a user's own, by where their code is.

``file.py:function``, ``module:function``, or the name under which a package offers one in the entry point
groups ``capsim.orders`` and ``capsim.placements``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from capsim.errors import InputError
from capsim.policies.orders import ORDERS, PLACEMENTS, compiled_order, compiled_placement
from capsim.spec.quantities import shown
from capsim.spec.user_code import Wrong, find_code, load_function, told
from capsim.tables import JOB

GROUPS = {"order": "capsim.orders", "placement": "capsim.placements"}
"""Entry point groups under which packages offer orders and placements by name."""


class Own(NamedTuple):
    """A compiled function: its own name, and whether it is an ``order`` or a ``placement``."""

    name: str
    kind: str
    function: Callable[..., Any]


def offered() -> set[str]:
    """Names under which packages offer orders and placements."""
    return {name for group in GROUPS.values() for name in importlib.metadata.entry_points(group=group).names}


def own_policy(call: str, folder: Path | None = None) -> Own:
    """The order or placement that ``call`` names; one without the decorator is compiled here.

    A function of one argument, the job's row, is an order, one of three (needed, free, size) a placement.
    Paths start at ``folder`` (the present one). Raises InputError for what cannot be found or compiled.
    """
    try:
        code = find_code(call, folder or Path(), GROUPS)
        digest = hashlib.sha256(code.file.read_bytes()).hexdigest()
    except Wrong as wrong:
        raise InputError(f"policy {shown(call)}: {wrong}; {wrong.hint}") from None
    except OSError as error:
        raise InputError(f"policy {shown(call)}: cannot be read ({error.strerror})") from None
    try:
        return _compiled(code.place, code.function, digest)
    except InputError as error:
        raise InputError(f"policy {shown(call)}: {error}") from None
    except AttributeError as error:
        raise InputError(f"policy {shown(call)}: {error}; name a function that it has") from None
    except Exception as error:
        raise InputError(f"policy {shown(call)} cannot be compiled: {_reason(error, code.place)}") from None


@lru_cache(maxsize=64)
def _compiled(place: str, name: str, digest: str) -> Own:
    """The function of a file or module, once a content (``digest``) and process."""
    function = load_function(place, name, "policy")
    plain = getattr(function, "py_func", function)
    arguments = getattr(getattr(plain, "__code__", None), "co_argcount", 0)
    if arguments not in (1, 3):
        raise InputError("is no order (job) and no placement (needed, free, size); write one of these")
    if plain.__name__ in (*ORDERS, *PLACEMENTS, "none", "easy", "conservative"):
        raise InputError(f"{plain.__name__} is the name of a built-in policy; give the function another")
    if arguments == 1:
        return Own(plain.__name__, "order", compiled_order(function))
    return Own(plain.__name__, "placement", compiled_placement(function))


def _reason(error: Exception, file: str) -> str:
    """What numba, or Python, says of the code, in one line."""
    if type(error) is KeyError:
        return f"the job's row has no field {error}; it has {', '.join(JOB.names or ())}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Failed in"):
        where = [line for line in lines if line.startswith("File ")]
        return " ".join(
            [f"{type(error).__name__}: {lines[1]}", *(f"({line.rstrip(':')})" for line in where[:1])]
        )
    return told(error, file)
