"""The schema's verdicts in words: where each problem stands, what is wrong, what to write instead."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from capsim.errors import Problem
from capsim.spec.base import Section
from capsim.spec.merge import NewKey, Path
from capsim.spec.nodes import Mapping, Mark, Sequence
from capsim.spec.paths import join_path
from capsim.spec.quantities import DATE_EXAMPLE, did_you_mean, shown
from capsim.spec.values import DateKind, FlagKind, NameOf, Quantity, TextKind

MOST_EXPLAINED: Final = 1_000
"""Verdicts of the schema that are put into words."""
MOST_PROBLEMS: Final = 200
"""Problems that are shown; a further one says how many were left out."""


class Place(typing.NamedTuple):
    """What a path into a tree leads to."""

    node: Any
    value_at: Mark
    key_at: Mark
    names: Path


def locate(tree: Mapping, path: typing.Sequence[str | int]) -> Place:
    """Follow a path as far as the tree has it.

    Names that the tree does not hold are skipped: the schema puts names of its alternatives into paths.
    """
    node: Any = tree
    value_at = key_at = tree.at
    names: list[str] = []
    for step in path:
        key = str(step)
        if key == "[key]":
            value_at = key_at
        elif isinstance(node, Mapping) and key in node:
            value_at, key_at, node = node.values_at[key], node.keys_at[key], node[key]
            names.append(key)
        elif isinstance(node, Sequence) and (index := _index(node, step)) is not None:
            value_at = key_at = node.items_at[index]
            node = node[index]
            names.append(key)
    return Place(node, value_at, key_at, tuple(names))


def _index(node: Sequence, step: str | int) -> int | None:
    """The entry of a list that a number or a name means."""
    if isinstance(step, int):
        return step if step < len(node) else None
    return node.number_of(step)


def explain(
    error: ValidationError, tree: Mapping, schema: type[Section], new_keys: dict[Path, NewKey]
) -> list[Problem]:
    """Problems of a tree that the schema refuses, one for each thing that is wrong."""
    problems: dict[Problem, None] = {}
    for item in islice(error.errors(include_url=False, include_input=False), MOST_EXPLAINED):
        problems[_problem(item, tree, schema, new_keys)] = None
    return list(problems)


def limited(problems: list[Problem]) -> list[Problem]:
    """At most `MOST_PROBLEMS` problems, in the order of the files."""
    ordered = sorted(set(problems))
    if len(ordered) <= MOST_PROBLEMS:
        return ordered
    last = ordered[MOST_PROBLEMS - 1]
    rest = Problem(
        last.file, last.line, last.column, f"and at least {len(ordered) - MOST_PROBLEMS + 1} more problems"
    )
    return [*ordered[: MOST_PROBLEMS - 1], rest]


def _problem(item: Any, tree: Mapping, schema: type[Section], new_keys: dict[Path, NewKey]) -> Problem:
    kind, loc, context = item["type"], item["loc"], item.get("ctx", {})
    if kind == "missing":
        return _missing(tree, loc, schema, new_keys)
    if kind == "study":
        place = locate(tree, (*loc, *context["place"]))
        return place.value_at.problem(context["what"], context["hint"])
    place = locate(tree, loc)
    wanted = list(_at(schema, loc))
    if kind == "extra_forbidden":
        known = {name for kind_ in _at(schema, loc[:-1]) for name in field_names(kind_)}
        what = f"unknown key {shown(loc[-1])}" + _inside(place.names[:-1])
        return place.key_at.problem(what, did_you_mean(loc[-1], known))
    if kind == "literal_error":
        choices = [str(choice) for kind_ in wanted for choice in _choices(kind_)]
        where = place.key_at if loc and loc[-1] == "[key]" else place.value_at
        named = place.names[-1] if loc and loc[-1] == "[key]" and place.names else place.node
        return where.problem(f"{shown(named)} is not known here", did_you_mean(named, choices))
    hint = "write " + _hint(wanted)
    if isinstance(place.node, str) and any(get_origin(_bare(kind)) is list for kind in wanted):
        hint = f"write [{place.node}]" if len(place.node) < 40 else hint
    what = f"{shown(place.node)} is not right for `{join_path(place.names)}`"
    return place.value_at.problem(what, hint)


def _inside(names: Path) -> str:
    return f" in `{join_path(names)}`" if names else ""


def _missing(
    tree: Mapping, loc: tuple[Any, ...], schema: type[Section], new_keys: dict[Path, NewKey]
) -> Problem:
    """A key that must be there, or a name that a case made up."""
    holder = locate(tree, loc[:-1])
    for length in range(len(holder.names), 0, -1):
        new = new_keys.get(holder.names[:length])
        if new is not None:
            name, section = holder.names[length - 1], join_path(holder.names[: length - 1])
            what = f"there is no {shown(name)}" + (f" in `{section}`" if section else "")
            return new.at.problem(what, did_you_mean(name, new.known))
    wanted = list(_at(schema, loc))
    what = f"`{loc[-1]}` is missing" + _inside(holder.names)
    return holder.value_at.problem(what, f"add `{loc[-1]}:` {_hint(wanted)}")


def _hint(wanted: list[Any]) -> str:
    """What to write for a type of the schema."""
    texts = dict.fromkeys(text for kind in wanted if (text := describe(kind)))
    return " or ".join(texts) or "another value"


def describe(kind: Any) -> str:
    """What a type of the schema looks like in a study."""
    for note in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        if isinstance(note, Quantity):
            return note.form.example
        if isinstance(note, DateKind):
            return DATE_EXAMPLE
        if isinstance(note, TextKind | NameOf):
            return note.example
        if isinstance(note, FlagKind):
            return "true or false"
    bare = _bare(kind)
    if _is_section(bare):
        required = [f.alias or n for n, f in bare.model_fields.items() if f.is_required()]
        names = required or field_names(bare)[:3]
        return "a mapping with " + ", ".join(names[:8])
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(bare))
    if get_origin(bare) is dict:
        key, value = get_args(bare)
        keys = "dates" if _has(key, DateKind) else "sizes" if _has(key, Quantity) else "names"
        keys = ", ".join(_choices(key)) or keys
        values = " or ".join(filter(None, (describe(item) for item in alternatives(value))))
        return f"a mapping of {keys}" + (f", each {values}" if values else "")
    if get_origin(bare) is list:
        inner = describe(get_args(bare)[0])
        return "a list" + (f", each entry {inner}" if inner else "")
    return "a text" if bare is str else ""


def _has(kind: Any, note: type) -> bool:
    """Whether a type is annotated with a note of a class."""
    return any(isinstance(item, note) for item in get_args(kind)[1:])


def _bare(kind: Any) -> Any:
    """A type without its annotations."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def field_names(kind: Any) -> list[str]:
    """Keys of a section as a study writes them."""
    bare = _bare(kind)
    return [f.alias or name for name, f in bare.model_fields.items()] if _is_section(bare) else []


def _choices(kind: Any) -> tuple[Any, ...]:
    bare = _bare(kind)
    return get_args(bare) if get_origin(bare) is Literal else ()


def alternatives(kind: Any) -> Iterator[Any]:
    """The members of a union, None left out; annotations of a quantity stay with it."""
    bare = _bare(kind)
    if get_origin(bare) in (Union, types.UnionType):
        for member in get_args(bare):
            if member is not type(None):
                yield from alternatives(member)
    else:
        yield kind


def noted(field: FieldInfo) -> Any:
    """The annotation of a field with the notes that pydantic keeps apart."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _at(schema: Any, loc: typing.Sequence[str | int]) -> Iterator[Any]:
    """The types that the schema has at a path; steps that lead nowhere are names of alternatives."""
    if loc and loc[-1] == "[key]":
        loc = (*loc[:-2], "[key]")
    kinds = list(alternatives(schema))
    for step in loc:
        below = [found for kind in kinds for found in _below(kind, step)]
        kinds = below or kinds
    yield from kinds


def _below(kind: Any, step: str | int) -> Iterator[Any]:
    bare = _bare(kind)
    if _is_section(bare):
        for name, field in bare.model_fields.items():
            if step in (name, field.alias):
                yield from alternatives(noted(field))
    elif get_origin(bare) is dict:
        key, value = get_args(bare)
        yield from alternatives(key if step == "[key]" else value)
    elif get_origin(bare) is list and isinstance(step, int):
        yield from alternatives(get_args(bare)[0])
