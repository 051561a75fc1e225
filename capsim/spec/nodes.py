"""YAML text → mappings, lists and scalar texts that know where they stand.

libyaml finds the events; every scalar stays the text that was written (only a plain empty, ``~`` or ``null``
becomes None), because the schema decides what it means: ``on`` is text, ``010`` is ten, ``1e3`` is a number.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from yaml import YAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from capsim.errors import Problem

LARGEST_FILE: Final = 20_000_000
"""Bytes of the largest file that is read."""
DEEPEST: Final = 64
"""Levels of nesting in a file."""
LARGEST_EXPANSION: Final = 200_000
"""Values that aliases may stand for in one file, all together."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class Mark(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def problem(self, what: str, hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(self.file, self.line, self.column, what, hint)


class Mapping(dict[str, Any]):
    """A YAML mapping: ``keys_at`` and ``values_at`` tell where each entry stands, ``at`` where it starts.

    ``whole`` says that it stands for all of what it is laid over (`--set`), key by key otherwise.
    """

    __slots__ = ("at", "keys_at", "values_at", "whole")

    def __init__(self, at: Mark) -> None:
        super().__init__()
        self.at = at
        self.whole = False
        self.keys_at: dict[str, Mark] = {}
        self.values_at: dict[str, Mark] = {}

    def put(self, key: str, value: Any, key_at: Mark, value_at: Mark) -> None:
        """Set an entry with its places."""
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at

    def put_from(self, other: Mapping, key: str, value: Any) -> None:
        """Set an entry that stands where ``other`` has it."""
        self.put(key, value, other.keys_at[key], other.values_at[key])

    def drop(self, key: str) -> None:
        """Remove an entry."""
        del self[key], self.keys_at[key], self.values_at[key]

    def copy(self) -> Mapping:
        """A shallow copy that keeps the places."""
        twin = Mapping(self.at)
        twin.update(self)
        twin.keys_at.update(self.keys_at)
        twin.values_at.update(self.values_at)
        return twin


class Sequence(list[Any]):
    """A YAML sequence; ``items_at`` tells where each item stands."""

    __slots__ = ("_numbers", "at", "items_at")

    def __init__(self, at: Mark) -> None:
        super().__init__()
        self.at = at
        self.items_at: list[Mark] = []
        self._numbers: dict[str, int] = {}

    def number_of(self, name: str) -> int | None:
        """The number of the first entry with a ``name``; the list must not change any more."""
        if not self._numbers:
            for number, item in enumerate(self):
                if isinstance(item, Mapping) and isinstance(item.get("name"), str):
                    self._numbers.setdefault(item["name"], number)
        return self._numbers.get(name)


def plain(node: Any) -> Any:
    """The node as ordinary dicts and lists, without places."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    return node


@contextmanager
def no_collection() -> Iterator[None]:
    """Hold the garbage collector while a million nodes are made: it would walk them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Parsed(NamedTuple):
    """A file's root mapping, its problems, and the sha256 of its bytes."""

    root: Mapping
    problems: list[Problem]
    sha256: str


def parse(data: bytes | str, file: str) -> Parsed:
    """Parse one file. With problems the root holds what could be read, perhaps nothing."""
    raw = data.encode() if isinstance(data, str) else data
    empty = Mapping(Mark(file, 1, 1))
    digest = hashlib.sha256(raw).hexdigest()
    if len(raw) > LARGEST_FILE:
        found = Problem(
            file,
            0,
            0,
            f"has {len(raw)} bytes",
            f"split it into files of at most {LARGEST_FILE} and include them",
        )
        return Parsed(empty, [found], digest)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        place = _place(before, len(before))
        return Parsed(
            empty, [Problem(file, *place, "is not UTF-8 text here", "save the file as UTF-8")], digest
        )
    control = _CONTROL.search(text)
    if control is not None:
        what = f"the control character U+{ord(control.group()):04X}"
        return Parsed(empty, [Problem(file, *_place(text, control.start()), what, "remove it")], digest)
    builder = _Builder(file, text)
    with no_collection():
        builder.run()
    return Parsed(builder.root if builder.root is not None else empty, builder.problems, digest)


def _place(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of a character."""
    start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - start + 1


class _Frame:
    """A container that is still open."""

    __slots__ = ("anchor", "key", "key_at", "merges", "node", "size")

    def __init__(self, node: Mapping | Sequence, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: str | None = None
        self.key_at: Mark | None = None
        self.merges: list[tuple[Any, Mark]] = []
        self.size = 1


class _Stop(Exception):
    """The rest of the file cannot be read."""


class _Builder:
    """Builds the tree of one file from libyaml's events, without recursion."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.root: Mapping | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents = 0
        self._aliased = 0

    def run(self) -> None:
        """Read the whole file."""
        try:
            parser = CParser(self.text)
            while parser.check_event():
                self._event(parser.get_event())
        except _Stop:
            return
        except YAMLError as error:
            self.problems.append(self._syntax(error))

    def _mark(self, event: Any) -> Mark:
        mark = event.start_mark
        # Twice as fast as calling Mark, and there is one for every value.
        return tuple.__new__(Mark, (self.file, mark.line + 1, mark.column + 1))

    def _event(self, event: Any) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            at = self._mark(event)
            value = None if not event.style and event.value in _NULLS else event.value
            if event.tag is not None:
                self._check_tag(event, at)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, 1)
            self._add(value, at, 1, event.value)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self._open(event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._close()
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                self.problems.append(
                    self._mark(event).problem("a second document starts here", "remove the `---`")
                )
                raise _Stop

    def _check_tag(self, event: Any, at: Mark) -> None:
        if event.tag not in (None, "!"):
            self.problems.append(at.problem(f"the tag `{event.tag[:60]}` is not used here", "remove it"))

    def _open(self, event: Any) -> None:
        at = self._mark(event)
        self._check_tag(event, at)
        if len(self._stack) >= DEEPEST:
            self.problems.append(at.problem(f"more than {DEEPEST} levels of nesting", "write it flatter"))
            raise _Stop
        if self._stack and self._wants_key(self._stack[-1]):
            self.problems.append(at.problem("a key that is no plain name", "write `name: value`"))
            raise _Stop
        if event.anchor is not None:
            # Until it is closed, an alias to it would contain itself.
            self._anchors[event.anchor] = (None, -1)
        node = Mapping(at) if type(event) is MappingStartEvent else Sequence(at)
        self._stack.append(_Frame(node, event.anchor))

    @staticmethod
    def _wants_key(frame: _Frame) -> bool:
        return frame.key_at is None and isinstance(frame.node, Mapping)

    def _close(self) -> None:
        frame = self._stack.pop()
        node = frame.node
        if isinstance(node, Mapping):
            for merged, at in frame.merges:
                self._merge_key(node, merged, at)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (node, frame.size)
        self._add(node, node.at, frame.size, None)

    def _alias(self, event: Any) -> None:
        at = self._mark(event)
        if event.anchor not in self._anchors:
            self.problems.append(
                at.problem(f"the alias `*{event.anchor}` has no anchor", f"write `&{event.anchor}` first")
            )
            raise _Stop
        node, size = self._anchors[event.anchor]
        if size < 0:
            self.problems.append(
                at.problem(f"the alias `*{event.anchor}` contains itself", "write the value out")
            )
            raise _Stop
        self._aliased += size
        if self._aliased > LARGEST_EXPANSION:
            self.problems.append(
                at.problem(
                    f"aliases stand for more than {LARGEST_EXPANSION} values",
                    "write fewer aliases of aliases",
                )
            )
            raise _Stop
        self._add(node, at, size, node if isinstance(node, str) else None)

    def _add(self, value: Any, at: Mark, size: int, text: str | None) -> None:
        """Put a finished value into the open container; ``text`` is the value as a key."""
        if not self._stack:
            self._finish(value, at)
            return
        frame = self._stack[-1]
        frame.size += size
        node = frame.node
        if isinstance(node, Sequence):
            node.append(value)
            node.items_at.append(at)
        elif frame.key_at is None:
            if text is None:
                self.problems.append(at.problem("a key that is no plain name", "write `name: value`"))
                raise _Stop
            frame.key, frame.key_at = text, at
        else:
            key, key_at = str(frame.key), frame.key_at
            frame.key = frame.key_at = None
            if key == "<<":
                frame.merges.append((value, at))
            elif key in node:
                first = node.keys_at[key]
                self.problems.append(
                    key_at.problem(
                        f"the key `{key[:60]}` stands twice (first in line {first.line})", "keep one of them"
                    )
                )
            else:
                node.put(key, value, key_at, at)

    def _merge_key(self, node: Mapping, merged: Any, at: Mark) -> None:
        for part in merged if isinstance(merged, Sequence) else [merged]:
            if not isinstance(part, Mapping):
                self.problems.append(at.problem("`<<` needs a mapping", "write `<<: *anchor`"))
                return
            for key, value in part.items():
                if key not in node:
                    node.put_from(part, key, value)

    def _finish(self, value: Any, at: Mark) -> None:
        if isinstance(value, Mapping):
            self.root = value
        elif value is not None:
            self.problems.append(at.problem("the file holds no mapping", "write `key: value` lines"))

    def _syntax(self, error: YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = str(getattr(error, "problem", None) or "cannot be read as YAML")
        context = getattr(error, "context", None)
        if mark is None:
            return Problem(self.file, 0, 0, f"is not YAML ({what})", "see the YAML 1.2 rules")
        line, column = mark.line + 1, mark.column + 1
        lines = self.text.splitlines()
        here = lines[line - 1] if line <= len(lines) else ""
        if "\t" in here and ("cannot start any token" in what or "tab character" in what):
            return Problem(
                self.file, line, here.index("\t") + 1, "a tab where spaces are needed", "indent with spaces"
            )
        return Problem(
            self.file,
            line,
            column,
            f"is not YAML: {what}" + (f" {context}" if context else ""),
            _syntax_hint(what),
        )


def _syntax_hint(what: str) -> str:
    """What to write instead, for the syntax errors that people make."""
    if "expected <block end>" in what or "did not find expected key" in what:
        return "check the indentation of this and the line before"
    if "expected ',' or" in what:
        return "close the bracket, or put a comma between the entries"
    if "mapping values are not allowed" in what:
        return "put the text in quotes, or the key on a line of its own"
    if "cannot start any token" in what:
        return "put the text in quotes"
    return "check quotes, brackets and indentation"
