"""Mutated copies of a text, for tests that bad input gets a clear error: the same seed, the same copies."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_VALUE = re.compile(r"(?<=: )[^,{}\[\]#\n]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")

ODD_VALUES = (
    "", "~", "null", "[]", "{}", "[[[]]]", "{a: {b: {c: 1}}}", "-1", "0", "1e999", "-1e308", "nan",
    ".inf", "99999999999999999999", "1e3", "010", "on", "yes", "12:30", "'", '"', "$", "$1", "$1/h", "5",
    "5 parsecs", "3 MW", "7y", "-7y", "1e15y", "150%", "-5%", "2026-13-01", "2026-02-30", "9999-12-31",
    "0001-01-01", "2026-Q9", "*x", "&x 1", "!!python/object:os.system x", "@", "`", "%", "\t", "é",
    "\u2028", "\U0001f600", "{value: 1}", "{low: 3, mid: 2, high: 1}", "{value: [1]}",
    "{value: {}, source: []}", "{low: 1}", "{value: 1, as_of: never}", "{value: 1, confidence: sure}",
    "<<", "*", "0x10", "1_000", "1,000", "38B", "max", "min", "[{chip: x}]", "true", "a" * 300,
)  # fmt: skip


def mutate(text: str, seed: int) -> bytes:
    """A copy with one to three mutations."""
    chance = random.Random(seed)
    data = text.encode()
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(MUTATIONS)(data.decode("utf-8", "surrogateescape"), chance)
    return data


def _lines(text: str, change: Callable[[list[str]], None]) -> bytes:
    lines = text.split("\n")
    change(lines)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _delete_line(text: str, chance: random.Random) -> bytes:
    return _lines(text, lambda lines: lines.pop(chance.randrange(len(lines))))  # type: ignore[arg-type,return-value]


def _duplicate_line(text: str, chance: random.Random) -> bytes:
    def change(lines: list[str]) -> None:
        index = chance.randrange(len(lines))
        lines.insert(chance.randrange(len(lines)), lines[index])

    return _lines(text, change)


def _swap_lines(text: str, chance: random.Random) -> bytes:
    def change(lines: list[str]) -> None:
        i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]

    return _lines(text, change)


def _indent_line(text: str, chance: random.Random) -> bytes:
    def change(lines: list[str]) -> None:
        index = chance.randrange(len(lines))
        lines[index] = chance.choice((" ", "   ", "\t")) + lines[index]

    return _lines(text, change)


def _random_bytes(text: str, chance: random.Random) -> bytes:
    data = bytearray(text.encode("utf-8", "surrogateescape"))
    for _ in range(chance.randrange(1, 6)):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _cut(text: str, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text) + 1)].encode("utf-8", "surrogateescape")


def _replace_match(pattern: re.Pattern[str], text: str, chance: random.Random, new: str) -> bytes:
    found = list(pattern.finditer(text))
    if found:
        match = chance.choice(found)
        text = text[: match.start()] + new + text[match.end() :]
    return text.encode("utf-8", "surrogateescape")


def _odd_value(text: str, chance: random.Random) -> bytes:
    return _replace_match(_VALUE, text, chance, chance.choice(ODD_VALUES))


def _other_value(text: str, chance: random.Random) -> bytes:
    values = _VALUE.findall(text) or [""]
    return _replace_match(_VALUE, text, chance, chance.choice(values))


def _typo(text: str, chance: random.Random) -> bytes:
    found = list(_WORD.finditer(text))
    if found:
        match = chance.choice(found)
        index = chance.randrange(match.start(), match.end())
        text = text[:index] + chance.choice("abcxyz_0") + text[index + 1 :]
    return text.encode("utf-8", "surrogateescape")


def _rename(text: str, chance: random.Random) -> bytes:
    words = _WORD.findall(text) or [""]
    return _replace_match(_WORD, text, chance, chance.choice(words))


MUTATIONS = (
    _delete_line, _duplicate_line, _swap_lines, _indent_line, _random_bytes, _cut, _odd_value,
    _odd_value, _odd_value, _other_value, _other_value, _typo, _rename,
)  # fmt: skip
