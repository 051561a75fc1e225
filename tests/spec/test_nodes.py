"""YAML into trees with places: scalars stay text, and what is no sane file has a place."""

from __future__ import annotations

import gc

import pytest

from capsim.spec import nodes
from capsim.spec.nodes import Mark, parse, plain


def test_scalars_stay_the_text_that_was_written() -> None:
    text = "a: on\nb: 010\nc: 1e3\nd: 12:30\ne: 2026-01-01\nf: 'null'\ng: null\nh: ~\ni:\n"
    text += 'j: "x"\nk: 0o7\nl: yes\n'
    assert parse(text, "f").root == {
        "a": "on", "b": "010", "c": "1e3", "d": "12:30", "e": "2026-01-01", "f": "null", "g": None, "h": None,
        "i": None, "j": "x", "k": "0o7", "l": "yes",
    }  # fmt: skip


def test_every_entry_knows_its_place() -> None:
    root = parse("a: 1\nb: {c: [x, yy], d: 2}\n", "f").root
    assert root.keys_at["b"] == Mark("f", 2, 1) and root.values_at["b"] == Mark("f", 2, 4)
    assert root["b"].keys_at["c"] == Mark("f", 2, 5)
    assert root["b"]["c"].items_at == [Mark("f", 2, 9), Mark("f", 2, 12)]


def test_anchors_and_merge_keys() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: &c 5\nd: *c\ne: {<<: [*a, {z: 4}]}\n"
    assert plain(parse(text, "f").root) == {
        "a": {"x": "1", "y": "2"},
        "b": {"x": "1", "y": "3"},
        "c": "5",
        "d": "5",
        "e": {"x": "1", "y": "2", "z": "4"},
    }


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)

BROKEN = [
    ("a: 1\nb: 2\na: 3\n", "f:3:1: the key `a` stands twice (first in line 1); keep one of them"),
    ("a: 1\n\tb: 2\n", "f:2:1: a tab where spaces are needed; indent with spaces"),
    ("a: {b: 1\nc: 2\n", "f:2:2: is not YAML: did not find expected ',' or '}' while parsing"),
    ("a: b: c\n", "f:1:5: is not YAML: mapping values are not allowed in this context; put"),
    ("a:\n  b: 1\n c: 2\n", "f:3:2: is not YAML: did not find expected key while parsing a block mapping"),
    ("a: &x [*x]\n", "f:1:8: the alias `*x` contains itself; write the value out"),
    ("a: *b\n", "f:1:4: the alias `*b` has no anchor; write `&b` first"),
    (BOMB, "aliases stand for more than 200000 values"),
    ("a: " + "[" * 100, f"f:1:{3 + nodes.DEEPEST}: more than 64 levels of nesting"),
    ("a: !!python/object/apply:os.system [x]\n", "f:1:4: the tag `tag:yaml.org,2002:python/object"),
    ("a: 1\n---\nb: 2\n", "f:2:1: a second document starts here; remove the `---`"),
    ("[1, 2]\n", "f:1:1: the file holds no mapping; write `key: value` lines"),
    ("just text\n", "f:1:1: the file holds no mapping"),
    ("? [a]\n: 1\n", "f:1:3: a key that is no plain name"),
    ("a: {<<: 5}\n", "f:1:9: `<<` needs a mapping; write `<<: *anchor`"),
    ("a: x\x07y\n", "f:1:5: the control character U+0007; remove it"),
    ("a: @x\n", "f:1:4: is not YAML: found character that cannot start any token"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_broken_is_told_with_its_place(text: str, message: str) -> None:
    problems = parse(text, "f").problems
    assert len(problems) == 1 and message in str(problems[0])


def test_bytes_that_are_no_text() -> None:
    assert str(parse(b"a: 1\nb: \xff\n", "f").problems[0]).startswith("f:2:4: is not UTF-8 text here")
    assert parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "f").root == {"a": "1", "b": "2"}


def test_a_file_over_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "LARGEST_FILE", 10)
    assert "split it into files" in str(parse("a: 12345678\n", "f").problems[0])


def test_an_empty_file_is_an_empty_mapping() -> None:
    for text in ("", "# nothing\n", "---\n", "~"):
        assert parse(text, "f").root == {} and not parse(text, "f").problems


def test_the_garbage_collector_is_as_it_was() -> None:
    parse("a: [", "f")
    assert gc.isenabled()
