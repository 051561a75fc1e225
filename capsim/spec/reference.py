"""The reference of the study language in Markdown: every section with its keys, from the schema itself."""

from __future__ import annotations

from typing import Any, get_args

from pydantic.fields import FieldInfo

from capsim.spec.base import Section
from capsim.spec.explain import alternatives, describe, noted
from capsim.spec.study import Study


def reference() -> str:
    """Markdown with a table for each section, the study first."""
    return "# Reference of the study language\n\n" + "\n".join(_section(kind) for kind in sections())


def sections() -> list[type[Section]]:
    """Every section that a study can hold, in the order in which it is first named."""
    found: dict[type[Section], None] = {}
    waiting: list[type[Section]] = [Study]
    while waiting:
        kind = waiting.pop(0)
        if kind not in found:
            found[kind] = None
            waiting += [part for field in kind.model_fields.values() for part in _inside(field.annotation)]
    return list(found)


def _inside(annotation: Any) -> list[type[Section]]:
    """Sections that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [part for item in get_args(annotation) for part in _inside(item)]


def _section(kind: type[Section]) -> str:
    rows = [_row(field.alias or name, field) for name, field in kind.model_fields.items()]
    lines = [
        f"## {kind.__name__}",
        "",
        (kind.__doc__ or "").strip(),
        "",
        "| key | | what |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    need = "required" if field.is_required() else _default(field)
    forms = " or ".join(
        dict.fromkeys(text for kind in alternatives(noted(field)) if (text := describe(kind)))
    )
    text = ": ".join(part for part in (field.description, forms) if part)
    return f"| `{name}` | {need} | {text.replace('|', '/')} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if field.default_factory is None else None
    return "" if value is None else f"default {str(value).lower() if isinstance(value, bool) else value}"
