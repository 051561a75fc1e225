"""Strategies in Python: what they see, what they do, and what they are told when they go wrong."""

from __future__ import annotations

import pickle
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from capsim.compile.calendar import MS_DAY
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate_built
from capsim.errors import CapsimError, StudyError
from capsim.spec.loader import load_study
from capsim.spec.template import STARTER
from tests.control.test_decisions import OFFERS, bought
from tests.studies import contract_only, lived, small_study

IMPORTS = "from capsim.control.actions import Buy, Exercise, Renew, Resell, Terminate\n"
GAUGES = {"backlog": 3.0 * MS_DAY, "utilisation": 0.9, "demand": 1.0}


def decided(tmp_path: Path, code: str, more: str = "review: 50d", runs: int = 1) -> Any:
    """The last run of a strategy whose function `decide` is `code`."""
    (tmp_path / "mine.py").write_text(IMPORTS + code)
    text = f"""{OFFERS}
strategies:
  s:
    hold: {{held: 7200}}
    python: {{call: "mine.py:decide", {more},
      may_buy: [{{offer: block, quantity: 720, lead: 30d, limit: 2160}}], may_exercise: [held.more]}}
"""
    prepared = pickle.loads(pickle.dumps(contract_only(small_study(tmp_path, text))))
    return [lived(prepared, **GAUGES) for _ in range(runs)][-1]


def test_what_it_sees_and_does(tmp_path: Path) -> None:
    # spent on day 100: 7,200 chips x $2 x 240 h = $3.46M and 1,440 at $2 x 0.5^(1/12) x 480 h = $1.30M
    code = """
def decide(view):
    seen = view.memory.setdefault("seen", [])
    seen.append((view.date.isoformat(), view.backlog, view.chips["held"], view.ordered["held"],
                 round(view.delays["held"]), round(view.prices["m"], 2), round(view.spent / 1e6, 2)))
    if len(seen) == 1:
        assert seen == [("2026-02-20", 3.0, 0, 7200, 50, 1.89, 0.0)]
        return [Buy("block", 1000), Exercise("held.more"), Renew("held")]
    if len(seen) == 2:
        assert seen[1] == ("2026-04-11", 3.0, 7200, 720, 90, 1.68, 4.76), seen[1]
        return [Buy("block", 5000)]
    if len(seen) == 9:
        return [Resell("held", share=0.5)]
"""
    ctx = decided(tmp_path, code, runs=2)  # a second run starts with an empty memory
    # 1,000 chips are two orders of 720, and one more is left of 2,160; reviews on days 50 and 100
    assert bought(ctx) == [80, 80, 130]
    assert ctx.exercised == {"held.more": 50 * MS_DAY}
    state = ctx.lots["held/0/gb200_nvl72"]
    assert state.renewals[0][0] == 365 * MS_DAY
    assert state.let[0][:2] == (450 * MS_DAY, 3600)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def decide(view):\n    return 1 / 0", r"s: mine.py:decide failed on 2026-02-20: ZeroDivisionError: .*mine.py, line 3"),
        ("def decide(view):\n    view.chips['held'] = 3", "failed on 2026-02-20: TypeError"),
        ("def decide(view):\n    return [Buy('held', 72)]", "buys 'held', which is not in its may_buy"),
        ("def decide(view):\n    return 5", "returns 5; return a list of actions, or nothing"),
        ("def decide(view):\n    return ['buy']", "'buy' is no action; return a list of Buy"),
        ("def decide(view):\n    return [Terminate('elsewhere')]", "Terminate of 'elsewhere', which it does not hold"),
        ("import nothing_of_this_name", "s: mine.py:decide cannot be loaded: ModuleNotFoundError"),
        ("def other(view):\n    pass", "cannot be loaded: AttributeError"),
    ],
)  # fmt: skip
def test_errors_name_the_strategy_the_day_and_the_line(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(CapsimError, match=told) as error:
        decided(tmp_path, code)
    assert error.value.exit_code == 1


def test_its_source_is_an_input_of_the_study(tmp_path: Path) -> None:
    study = tmp_path / "lab.yaml"
    study.write_text(f'include: ["{STARTER}"]\nstrategies: {{mine: {{python: {{call: "mine.py:decide"}}}}}}')
    (tmp_path / "mine.py").write_text("def decide(view):\n    return []\n")
    first = load_study(study)
    assert any(source.file.endswith("mine.py") for source in first.sources)
    (tmp_path / "mine.py").write_text("def decide(view):\n    return None\n")
    second = load_study(study)
    assert first.digest != second.digest
    with pytest.raises(StudyError, match="another content"):
        load_study(study, sets=[f"strategies.mine.python.sha256={'0' * 64}"])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("nowhere.py:decide", "there is no such file; paths start at"),
        ("no_such_package.part:decide", "there is no module `no_such_package.part`"),
        ("decide", "no package offers a strategy `decide`"),
        ("mine.py:", "names no function"),
    ],
)
def test_code_that_is_not_there(tmp_path: Path, call: str, told: str) -> None:
    study = tmp_path / "lab.yaml"
    study.write_text(f'include: ["{STARTER}"]\nstrategies: {{mine: {{python: {{call: "{call}"}}}}}}')
    with pytest.raises(StudyError, match=re.escape(told)):
        load_study(study)


def test_a_package_offers_a_strategy_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "offered_here.py").write_text("def decide(view):\n    return None\n")
    entry = metadata.EntryPoint("frugal", "offered_here:decide", "capsim.strategies")
    monkeypatch.setattr(metadata, "entry_points", lambda **_: metadata.EntryPoints([entry]))
    monkeypatch.syspath_prepend(str(tmp_path))
    study = small_study(tmp_path, OFFERS + "strategies: {s: {hold: {held: 7200}, python: {call: frugal}}}")
    assert study.strategies["s"].python is not None
    assert study.strategies["s"].python.source == ("offered_here", "decide")
    assert bought(lived(contract_only(study), **GAUGES)) == []


def test_the_example_of_the_guide(root: Path, tmp_path: Path) -> None:
    guide = (root / "docs" / "study.md").read_text()
    code = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    plan = re.search(r"```yaml\n(strategies:\n  cautious:.*?)```", guide, re.DOTALL)
    assert code is not None and plan is not None
    assert len(code[1].strip().splitlines()) <= 10
    (tmp_path / "my_lab.py").write_text(code[1])
    study = tmp_path / "lab.yaml"
    study.write_text(f'include: ["{STARTER}"]\n{plan[1]}')
    prepared = prepare(load_study(study), "cautious")
    events = simulate_built(prepared, 0)[0].ctx.events
    rented = [event for event in events if event[1] == "rule"]
    assert rented and "my_lab.py:cautious: 2,304 gb300_nvl72 bought" in rented[0][3]
    assert simulate_built(prepared, 0)[0].ctx.events == events
