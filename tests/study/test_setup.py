"""From a study to a comparison: names, prices of lost work, central demand. Nothing is simulated here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from capsim.compile import rates
from capsim.engine.prepare import prepare
from capsim.errors import InputError, StudyError
from capsim.spec.loader import Loaded, load_study, read_study
from capsim.study import setup as setting_up
from capsim.study.context import Assumed
from capsim.study.demand import central_demand
from capsim.study.setup import Request, Setup, context_of, set_up


@pytest.fixture(scope="module")
def quickstart() -> Loaded:
    return load_study("quickstart", case="base")


@pytest.fixture(scope="module")
def frontier() -> Loaded:
    return load_study("frontier-lab", case="base")


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strategies are named, not compiled, so that only the set-up is tested."""
    portfolio = SimpleNamespace(base_offers=frozenset({"own-cluster"}))
    strategy: Any = SimpleNamespace(portfolio=portfolio, warnings=("rounded up",), rates=None)
    monkeypatch.setattr(setting_up, "prepare", lambda loaded, name, rates: strategy)
    monkeypatch.setattr(setting_up, "central_demand", lambda study, rates: {})
    monkeypatch.setattr(setting_up, "bands", lambda study, rates: ())


def asked(**changes: Any) -> Setup:
    return set_up(Request("quickstart", **changes))


@pytest.mark.usefixtures("light")
def test_the_study_decides_what_is_not_asked_for() -> None:
    plan = asked().plan
    assert plan.strategies == ("big-cloud", "new-cloud", "wait")
    assert (plan.cases, plan.runs, plan.against) == (("base",), 8, "big-cloud")


@pytest.mark.usefixtures("light")
def test_the_base_is_always_among_the_strategies() -> None:
    assert asked(strategies=("wait", "new-cloud")).plan.strategies == ("big-cloud", "new-cloud", "wait")
    assert asked(strategies=("wait",), against="new-cloud").plan.strategies == ("new-cloud", "wait")
    assert asked(strategies=("wait",)).plan.against == "wait", "alone it has nobody to be compared with"


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ("big-clout",)}, "there is no strategy 'big-clout'; did you mean `big-cloud`?"),
        ({"against": "nobody"}, "there is no strategy 'nobody'"),
        ({"cases": ("grid-laid",)}, "there is no case 'grid-laid'; did you mean `grid-late`?"),
        ({"runs": 0}, "--runs 0: write a number from 1"),
        ({"seed": -1}, "--seed -1: write a whole number from 0"),
    ],
)
def test_wrong_names_and_numbers(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        asked(**changes)
    assert message in str(caught.value)


@pytest.mark.usefixtures("light")
def test_errors_of_the_checks_stop_a_comparison() -> None:
    with pytest.raises(StudyError):
        asked(sets=("demand.training_runs.base-model.target=2026-01-02",))


@pytest.mark.usefixtures("light")
def test_seed_changes_the_draws_and_not_the_name_of_the_study() -> None:
    plain, seeded = asked(), asked(seed=8)
    assert plain.context.digest == seeded.context.digest
    assert (plain.folder_name[-2:], seeded.folder_name[-2:]) == ("-7", "-8")


@pytest.mark.usefixtures("light")
def test_sets_and_as_of_change_the_study() -> None:
    assert asked().context.digest != asked(sets=("demand.scale=2",)).context.digest
    assert str(asked(as_of="2025-12-21").context.as_of) == "2025-12-21"


def test_strategies_share_what_the_workload_models_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    serve = rates._serving

    def counting(study: Any, calibration: Any, service: Any, system: str, late: float) -> Any:
        asked.append((service.name, system))
        return serve(study, calibration, service, system, late)

    monkeypatch.setattr(rates, "_serving", counting)
    shared = set_up(Request("quickstart")).prepared
    assert len(asked) == len(set(asked)) > 0
    loaded = load_study("quickstart")
    for (strategy, _), prepared in shared.items():
        assert prepared == prepare(loaded, strategy)  # as compiled alone


def test_strategies_share_the_expected_sizes_of_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    sizes = rates.expected_sizes
    monkeypatch.setattr(rates, "expected_sizes", lambda *given: (asked.append(1), sizes(*given))[1])
    few = ("demand.research.campaigns=200",)
    warnings = set_up(Request("quickstart", sets=few)).warnings
    assert len(asked) == 1
    assert len([text for text in warnings if "campaigns too large to start" in text]) > 1, "asked by several"


@pytest.mark.usefixtures("light")
def test_a_written_spec_is_the_resolved_study(tmp_path: Any) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(asked(sets=("demand.scale=2",)).specs["base"])
    assert float(load_study(path).study.demand.scale) == 2.0


def weakest(loaded: Loaded) -> dict[str, Assumed]:
    context = context_of(loaded.study, "x", loaded.digest, common_offers=frozenset(), demand={})
    return {a.label: a for a in context.assumed}


def test_prices_of_lost_work_are_weak_inputs_with_their_ranges(frontier: Loaded) -> None:
    found = weakest(frontier)
    slip = found["a day's slip"]
    assert (slip.mid, slip.low, slip.high) == (30e6, 0.0, 100e6)
    assert slip.shown == "$30M/d (ASSUMED, $0..$100M)"
    tokens = found["lost tokens of chat, api, agents"]
    assert tokens.subjects == ("chat", "api", "agents")
    assert tokens.shown == "$2.7/Mtok (derived, $1..$5)"
    assert found["lost tokens of batch"].mid < tokens.mid


def test_offers_without_public_terms_are_named(frontier: Loaded) -> None:
    context = context_of(frontier.study, "x", frontier.digest, common_offers=frozenset(), demand={})
    assert "openai-google-2025" in context.unavailable
    assert context.published_spend == (600e9, "spend through 2030")


def test_central_demand_is_the_sum_of_its_parts(quickstart: Loaded) -> None:
    service = SimpleNamespace(chips=8, tokens=4000.0)
    given: Any = SimpleNamespace(reference=2e15, rl={}, services={("chat", "gb200_nvl72"): service})
    found = central_demand(quickstart.study, given)
    assert next(iter(found)) == "2026-01"
    assert len(found) == 18
    training = 6e25 / 2e15 / (92 * 86_400)  # earliest 2026-07-01, target 2026-10-01
    assert found["2026-08"] - _without_training(quickstart, given)["2026-08"] == pytest.approx(training)
    assert found["2026-06"] == pytest.approx(_without_training(quickstart, given)["2026-06"])
    first_month = _without_training(quickstart, given)["2026-01"]
    research, tokens = 2000 * 2.5 ** (15.5 / 546), 200e9 * 5 ** (15.5 / 546)
    assert first_month == pytest.approx(research + tokens / 86_400 * 8 / 4000, rel=1e-3)


def _without_training(loaded: Loaded, given: Any) -> dict[str, float]:
    study = loaded.study.model_copy(
        update={"demand": loaded.study.demand.model_copy(update={"training_runs": []})}
    )
    return central_demand(study, given)


def test_every_case_of_the_shipped_studies_has_a_context() -> None:
    for name in ("quickstart", "frontier-lab"):
        draft = read_study(name)
        for case in draft.cases:
            loaded = draft.resolve(case)
            context = context_of(loaded.study, name, loaded.digest, common_offers=frozenset(), demand={})
            assert context.assumed
            assert context.provenance["assumed"] > 0


def test_the_rules_of_dispatch_in_words() -> None:
    told = []
    for rule in ("cheapest", "{research: cheapest, chat: fastest}"):
        loaded = load_study("quickstart", sets=[f"strategies.new-cloud.dispatch={rule}"], case="base")
        found = context_of(loaded.study, "x", loaded.digest, common_offers=frozenset(), demand={})
        told.append(found.dispatch["new-cloud"])
        assert "big-cloud" not in found.dispatch
    assert told == ["cheapest", "research cheapest, chat fastest"]
