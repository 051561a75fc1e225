"""Nested merges of files, cases and options; paths and `--set`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsim.errors import StudyError
from capsim.spec.merge import Overlay
from capsim.spec.nodes import parse, plain
from capsim.spec.overrides import parse_set
from capsim.spec.paths import join_path, split_path


def merged(base: str, over: str, *, changes: bool = True) -> object:
    overlay = Overlay(changes=changes)
    result = overlay.merge(parse(base, "base").root, parse(over, "over").root)
    assert not overlay.problems
    return plain(result)


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("a: {b: 1, c: 2}", "a: {c: 3, d: 4}", {"a": {"b": "1", "c": "3", "d": "4"}}),
        ("a: [1, 2]", "a: [3]", {"a": ["3"]}),
        ("a: {b: 1}", "a: {b: null}", {"a": {}}),
        ("a: {b: 1}", "a: 5", {"a": "5"}),
        ("a: {x: {v: 1}, y: {v: 2}}", 'a: {"*": {v: 9}}', {"a": {"x": {"v": "9"}, "y": {"v": "9"}}}),
        (
            "a: {x: {v: 1}, y: {v: 2}}",
            'a: {"*": {v: 9}, x: {v: 7}}',
            {"a": {"x": {"v": "7"}, "y": {"v": "9"}}},
        ),
        (
            "r: [{name: p, v: 1}, {name: q, v: 2}]",
            "r: {q: {v: 5}}",
            {"r": [{"name": "p", "v": "1"}, {"name": "q", "v": "5"}]},
        ),
        ("r: [{v: 1}, {v: 2}]", "r: {1: {v: 5}}", {"r": [{"v": "1"}, {"v": "5"}]}),
        ("r: [{name: p}, {name: q}]", "r: {p: null}", {"r": [{"name": "q"}]}),
        (
            "v: {value: 5, source: x}",
            "v: {low: 1, mid: 2, high: 3}",
            {"v": {"low": "1", "mid": "2", "high": "3"}},
        ),
        ("v: {value: 5, source: x}", "v: 7", {"v": "7"}),
        ("price: {total: $3}", "price: {per_chip_hour: $1/h}", {"price": {"per_chip_hour": "$1/h"}}),
        (
            "price: {per_chip_hour: {a: $1/h, b: $2/h}}",
            "price: {per_chip_hour: {a: $3/h}}",
            {"price": {"per_chip_hour": {"a": "$3/h", "b": "$2/h"}}},
        ),
    ],
)
def test_merges(base: str, over: str, result: object) -> None:
    assert merged(base, over) == result


def test_files_take_a_star_and_a_mapping_over_a_list_literally() -> None:
    assert merged("a: {x: 1}", 'a: {"*": 2}', changes=False) == {"a": {"x": "1", "*": "2"}}
    assert merged("a: [1]", "a: {b: 2}", changes=False) == {"a": {"b": "2"}}


def test_the_value_of_an_option_replaces_what_it_names() -> None:
    overlay = Overlay(changes=True)
    base = parse("a: {x: {p: 1, q: 2}, y: {p: 3}}", "base").root
    assert plain(overlay.merge(base, parse_set("a.x={q: 5}"))) == {"a": {"x": {"q": "5"}, "y": {"p": "3"}}}
    assert plain(overlay.merge(base, parse_set("a={}"))) == {"a": {}}


def test_merging_changes_neither_side() -> None:
    base, over = parse("a: {b: {c: 1}}", "base").root, parse("a: {b: {c: 2}}", "over").root
    Overlay(changes=True).merge(base, over)
    assert (plain(base), plain(over)) == ({"a": {"b": {"c": "1"}}}, {"a": {"b": {"c": "2"}}})


def test_places_follow_the_side_that_won() -> None:
    tree = Overlay(changes=True).merge(
        parse("a: {b: 1, c: 2}", "base").root, parse("\na: {c: 3}", "over").root
    )
    assert tree["a"].keys_at["b"].file == "base"
    assert (tree["a"].keys_at["c"].file, tree["a"].keys_at["c"].line) == ("over", 2)


def test_a_list_entry_that_does_not_exist_is_a_problem() -> None:
    overlay = Overlay(changes=True)
    overlay.merge(parse("r: [{name: base}]", "base").root, parse("r: {bass: {v: 1}}", "over").root)
    assert str(overlay.problems[0]) == "over:1:5: `r` has no `bass`; did you mean `base`?"


@given(
    st.lists(
        st.text(st.characters(codec="ascii", exclude_characters="\"'"), min_size=1), min_size=1, max_size=5
    )
)
def test_paths_split_into_the_names_they_were_joined_from(names: list[str]) -> None:
    assert split_path(join_path(names)) == tuple(names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('offers."openai-aws-2025".term', ("offers", "openai-aws-2025", "term")),
        ("models.'llama-3.1-405b'.layers", ("models", "llama-3.1-405b", "layers")),
        ("demand.training_runs[0].flops", ("demand", "training_runs", "0", "flops")),
        ("a", ("a",)),
    ],
)
def test_paths(text: str, names: tuple[str, ...]) -> None:
    assert split_path(text) == names


@pytest.mark.parametrize("text", ["", "a.", ".a", "a..b", 'a."b', "a b", "a=b"])
def test_wrong_paths(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        split_path(text)


@pytest.mark.parametrize(
    ("argument", "tree"),
    [
        ('offers."a.b".term=5y', {"offers": {"a.b": {"term": "5y"}}}),
        ("x=", {"x": None}),
        ("x=null", {"x": None}),
        ("x={a: 1, b: [2, 3]}", {"x": {"a": "1", "b": ["2", "3"]}}),
        ("x='null'", {"x": "null"}),
        ("x=a: b # c", {"x": "a: b # c"}),
        ("x=backlog > 2w or utilisation > 85%", {"x": "backlog > 2w or utilisation > 85%"}),
        ("x=a=b", {"x": "a=b"}),
    ],
)
def test_options(argument: str, tree: object) -> None:
    assert plain(parse_set(argument)) == tree


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("offers.x.term", "--set:2:14: the `=value` is missing; write --set 'offers.\"my-offer\".term=5y'"),
        ("a..b=1", "--set:2:1: `a..b=1` has no name at character 3"),
        ("x={a: [}", "--set:2:8: is not YAML"),
        ("x={a: 1, a: 2}", "--set:2:10: the key `a` stands twice"),
        ("x={a: 1}\ny: 2", "--set:2:3: more than one value"),
    ],
)
def test_wrong_options_point_at_themselves(argument: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_set(argument, 2)
    assert message in str(caught.value)
