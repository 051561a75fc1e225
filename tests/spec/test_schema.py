"""The JSON Schema accepts every shipped file, as editors read them, and marks mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from capsim.spec.includes import BUILTIN, PACKAGE
from capsim.spec.nodes import parse, plain
from capsim.spec.schema import study_schema

RICH = Path(__file__).parent / "data" / "rich.yaml"
FILES = [
    *sorted((PACKAGE.parent / "configs").glob("*.yaml")),
    *sorted(BUILTIN.glob("*/*.yaml")),
    PACKAGE / "spec" / "starter.yaml",
    RICH,
]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = study_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_shipped_files_are_valid(validator: Draft202012Validator, file: Path) -> None:
    # YAML 1.1 readers make dates and booleans of some scalars; ours leaves every scalar as text.
    documents = [_without_empty(plain(parse(file.read_bytes(), "f").root))]
    if file != RICH:  # It has texts that YAML 1.1 takes for numbers and booleans on purpose.
        documents.append(yaml.safe_load(file.read_text()))
    for document in documents:
        errors = [
            (list(error.absolute_path), error.message[:200])
            for error in validator.iter_errors(_texts(document))
        ]
        assert not errors


def _without_empty(node: Any) -> Any:
    """Without keys that have no value: they stand for a default."""
    if isinstance(node, dict):
        return {key: _without_empty(value) for key, value in node.items() if value is not None}
    return [_without_empty(item) for item in node] if isinstance(node, list) else node


def _texts(node: Any) -> Any:
    """Booleans as JSON has them: our own reader leaves them as text."""
    if isinstance(node, dict):
        return {key: _texts(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [_texts(item) for item in node]
    return {"true": True, "false": False}.get(node, node) if isinstance(node, str) else node


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"horizn": {}}, []),
        ({"offers": {"x": {"kind": "clod"}}}, ["offers", "x", "kind"]),
        ({"offers": {"x": {"term": ["7y"]}}}, ["offers", "x", "term"]),
        ({"offers": {"x": {"announced": "soon"}}}, ["offers", "x", "announced"]),
        ({"offers": {"x": {"tranches": [{"at": "2026-01"}]}}}, ["offers", "x", "tranches", 0]),
        ({"offers": {"x": {"quantity": {"min": {"valu": 3}}}}}, ["offers", "x", "quantity"]),
        ({"include": 5}, ["include"]),
    ],
)
def test_mistakes_are_marked(validator: Draft202012Validator, document: Any, where: list[Any]) -> None:
    assert [list(error.absolute_path) for error in validator.iter_errors(document)] == [where]


def test_every_section_says_what_it_is() -> None:
    assert all(definition.get("description") for definition in study_schema()["$defs"].values())
