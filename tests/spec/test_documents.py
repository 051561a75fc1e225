"""The guide's examples are right, and the reference has every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capsim.compile.checks import CHECKS, require_sound
from capsim.spec.loader import read_study
from capsim.spec.reference import reference, sections
from capsim.spec.template import STARTER

GUIDE = Path(__file__).parents[2] / "docs" / "study.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
CODE = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[:12].strip() for example in EXAMPLES])
def test_examples_of_the_guide_work_over_the_starter(tmp_path: Path, example: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f'include: ["{STARTER}"]\n{example}')
    (tmp_path / "my_lab.py").write_text(CODE)
    draft = read_study(path)
    for case in draft.cases:
        require_sound(draft.resolve(case))


def test_the_guide_names_every_check() -> None:
    text = GUIDE.read_text()
    assert not [name for name in (*CHECKS, "references", "as-of") if f"`{name}`" not in text]


def test_the_reference_has_every_section_and_key() -> None:
    text = reference()
    kinds = sections()
    assert len(kinds) > 40
    for kind in kinds:
        assert f"\n## {kind.__name__}\n\n{kind.__doc__.strip()}" in text if kind.__doc__ else False
        for name, field in kind.model_fields.items():
            assert f"\n| `{field.alias or name}` |" in text


def test_the_reference_says_what_to_write() -> None:
    assert (
        "| `term` |  | from each tranche's delivery: a length of time such as 50 ms, 2 s, 40 min, 6 h, 5 d, 26w, "
        "6mo, 1q or 7y |"
    ) in reference()
    assert "| `autoscale` | required |" in reference()
