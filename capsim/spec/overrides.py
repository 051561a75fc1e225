"""``--set path=value``: one change to a study from the command line, with places that point at it."""

from __future__ import annotations

from typing import Any, Final

from capsim.errors import Problem, StudyError
from capsim.spec.nodes import Mapping, Mark, Sequence, parse
from capsim.spec.paths import read_path

OPTION: Final = "--set"
_FLOW: Final = tuple("{[\"'")
_NULLS: Final = frozenset({"", "~", "null"})


def parse_set(argument: str, number: int = 1) -> Mapping:
    """The tree of one ``path=value``; ``number`` counts the options and serves as the line of its places.

    Raises StudyError where path or value cannot be read.
    """
    try:
        names, end = read_path(argument)
    except ValueError as error:
        what, _, hint = str(error).partition("; ")
        raise StudyError([Problem(OPTION, number, 1, what, hint)]) from None
    if end >= len(argument):
        hint = "write --set 'offers.\"my-offer\".term=5y'"
        raise StudyError([Problem(OPTION, number, len(argument) + 1, "the `=value` is missing", hint)])
    at = Mark(OPTION, number, 1)
    value_at = Mark(OPTION, number, end + 2)
    value: Any = _value(argument[end + 1 :], value_at)
    if isinstance(value, Mapping):
        value.whole = True
    for name in reversed(names):
        holder = Mapping(at)
        holder.put(name, value, at, value_at)
        value = holder
    tree: Mapping = value
    return tree


def _value(text: str, at: Mark) -> Any:
    """A value: flow mappings, lists and quoted texts are YAML; everything else is one scalar."""
    stripped = text.strip()
    if not stripped.startswith(_FLOW):
        return None if stripped in _NULLS else stripped
    prefix = "value: "
    parsed = parse(prefix + text, OPTION)
    shift = at.column - 1 - len(prefix)
    if parsed.problems:
        raise StudyError(
            [Problem(OPTION, at.line, max(p.column + shift, 1), p.what, p.hint) for p in parsed.problems]
        )
    if set(parsed.root) != {"value"}:
        raise StudyError([at.problem("more than one value", "write one value")])
    return _moved(parsed.root["value"], at.line, shift)


def _moved(node: Any, line: int, shift: int) -> Any:
    """The node with its places moved to where the option has them."""

    def move(mark: Mark) -> Mark:
        return Mark(OPTION, line, max(mark.column + shift, 1))

    if isinstance(node, Mapping):
        mapping = Mapping(move(node.at))
        for key, value in node.items():
            mapping.put(key, _moved(value, line, shift), move(node.keys_at[key]), move(node.values_at[key]))
        return mapping
    if isinstance(node, Sequence):
        sequence = Sequence(move(node.at))
        sequence.extend(_moved(item, line, shift) for item in node)
        sequence.items_at.extend(move(mark) for mark in node.items_at)
        return sequence
    return node
