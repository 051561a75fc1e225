"""A study written out in full: the text that its digest hashes and that a run folder keeps."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml

from capsim.spec.study import Study


def resolved_mapping(study: Study) -> dict[str, Any]:
    """The whole study as plain mappings, lists and texts; loading them gives an equal study.

    Entries keep their order, because strategies and work are handled in the order of the study.
    """
    return study.model_dump(mode="json", by_alias=True, exclude_none=True)


def resolved_yaml(study: Study) -> str:
    """The whole study as YAML, includes, cases and options applied."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(
        resolved_mapping(study),
        Dumper=dumper,
        sort_keys=False,
        default_flow_style=None,
        width=110,
        allow_unicode=True,
    )
    return text


def study_digest(study: Study) -> str:
    """The sha256 (hex) of the resolved study, sources and notes included."""
    text = json.dumps(resolved_mapping(study), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
