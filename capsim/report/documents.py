"""What every JSON document has in common: how it begins, how it is written."""

from __future__ import annotations

import json
import math
from typing import Any

from capsim import __version__
from capsim.study.context import Context


def json_head(schema: str, context: Context) -> dict[str, Any]:
    """The document's schema, and what was simulated."""
    return {
        "schema": schema,
        "capsim": __version__,
        "study": context.name,
        "digest": context.digest,
        "seed": context.seed,
    }


def dump(value: Any) -> str:
    """`value` as JSON, with null where a number is not finite (never, or without runs enough)."""
    return json.dumps(_plain(value), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
