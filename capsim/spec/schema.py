"""The JSON Schema of studies, made from the sections; it validates shipped studies and helps editors.

An included file or a case may state a part of any mapping, so keys are required only in the entries of
lists, which are always whole, and `capsim check` finds what is missing elsewhere.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from capsim.spec.quantities import sourced_json_schema
from capsim.spec.study import Study

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a study or of a file that one includes."""
    schema = Study.model_json_schema(mode="validation", by_alias=True, schema_generator=_Quiet)
    definitions = schema.get("$defs", {})
    whole = _list_entries(schema, definitions)
    _relax(schema)
    for name, definition in definitions.items():
        _relax(definition, keep_required=name in whole)
    schema["properties"] = {
        "include": {
            "description": "files that this one changes: paths, patterns, builtin:catalog, builtin:offers",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        **schema["properties"],
    }
    sourced = sourced_json_schema()
    shared = _shared(schema, sourced, {"$ref": "#/$defs/Sourced"})
    shared["$defs"]["Sourced"] = {
        "description": "a number with its source, or a range that becomes a triangular distribution",
        **sourced,
    }
    return {"$schema": DIALECT, "title": "capsim study", **shared}


class _Quiet(GenerateJsonSchema):
    """Defaults that are values of ours are left out without a warning."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def _shared(node: Any, part: dict[str, Any], reference: dict[str, Any]) -> Any:
    """The node with every copy of a part replaced by a reference to it."""
    if isinstance(node, list):
        return [_shared(item, part, reference) for item in node]
    if not isinstance(node, dict):
        return node
    if node == part:
        return dict(reference)
    return {key: _shared(value, part, reference) for key, value in node.items()}


def _list_entries(schema: Any, definitions: dict[str, Any]) -> set[str]:
    """Definitions that only entries of lists use."""
    in_lists: set[str] = set()
    in_mappings: set[str] = set()
    for node in (schema, *definitions.values()):
        _collect(node, False, in_lists, in_mappings, top=True)
    return in_lists - in_mappings


def _collect(node: Any, in_list: bool, in_lists: set[str], in_mappings: set[str], top: bool = False) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, in_list, in_lists, in_mappings)
    if not isinstance(node, dict):
        return
    if "$ref" in node:
        (in_lists if in_list else in_mappings).add(str(node["$ref"]).rsplit("/", 1)[-1])
    for key, value in node.items():
        if key == "$defs":
            continue
        if key == "properties":
            for item in value.values():
                _collect(item, False, in_lists, in_mappings)
        else:
            _collect(value, key == "items" or (in_list and key in ("anyOf", "oneOf")), in_lists, in_mappings)


def _relax(node: Any, keep_required: bool = False) -> None:
    """Drop `required` and titles; alternatives may both hold; an empty value means the default."""
    if isinstance(node, list):
        for item in node:
            _relax(item)
        return
    if not isinstance(node, dict):
        return
    if not keep_required:
        node.pop("required", None)
    if isinstance(node.get("title"), str):
        node.pop("title")
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    node.pop("discriminator", None)
    # Keys of mappings may be dates, which YAML 1.1 readers do not leave as text.
    for value in node.pop("patternProperties", {}).values():
        node["additionalProperties"] = value
    node.pop("propertyNames", None)
    if "default" in node and isinstance(node["default"], dict):
        node.pop("default")
    for key, value in node.items():
        if key == "properties":
            for item in value.values():
                _relax(item)
        elif key != "$defs":
            _relax(value)
