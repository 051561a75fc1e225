"""Paths into a study, as ``--set`` and reports write them: ``offers."openai-aws-2025".term``.

Names are separated by dots; a name that holds a dot (or a quote, a bracket, a space, ``=``) stands in double
or single quotes and is never split. Entries of lists are addressed by name or by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PART: Final = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|\[(\d+)\]|([^."'=\[\]\s]+))\s*""")
_SIMPLE: Final = re.compile(r"""[^."'=\[\]\s]+""")


def split_path(text: str) -> tuple[str, ...]:
    """The names of a path.

    Raises ValueError with what is wrong and what to write.
    """
    names, end = read_path(text)
    if end != len(text):
        raise ValueError(f"`{text}` is no path; write names with dots, quoted where they hold a dot")
    return tuple(names)


def read_path(text: str) -> tuple[list[str], int]:
    """Names from the start of ``text`` and the index after them (at ``=`` or the end)."""
    names: list[str] = []
    index = 0
    while True:
        found = _PART.match(text, index)
        if found is None:
            raise ValueError(
                f'`{text[:80]}` has no name at character {index + 1}; write offers."my-offer".term'
            )
        names.append(next(part for part in found.groups() if part is not None))
        index = found.end()
        if index >= len(text) or text[index] == "=":
            return names, index
        if text[index] == ".":
            index += 1
        elif text[index] != "[":
            raise ValueError(
                f"`{text[:80]}` cannot be read at character {index + 1}; put a dot between names"
            )


def join_path(names: Iterable[str | int]) -> str:
    """The path of names, quoted where they need it."""
    return ".".join(_quoted(str(name)) for name in names)


def _quoted(name: str) -> str:
    if _SIMPLE.fullmatch(name):
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'
