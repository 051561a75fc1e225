"""Services of a study with a request trace, a layout of their own, prompts and decoding apart, a batch tier."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsim.compile.checks import run_checks
from capsim.compile.rates import Rates
from capsim.engine.prepare import prepare
from capsim.engine.simulate import simulate
from capsim.errors import StudyError
from capsim.spec.loader import Loaded, load_study

CHAT = "demand.inference.chat"


def load(root: Path, *sets: str) -> Loaded:
    return load_study(root / "configs" / "quickstart.yaml", sets=sets)


def rates(root: Path, *sets: str) -> Rates:
    return prepare(load(root, *sets), "big-cloud").rates


@pytest.mark.shared
def test_a_request_trace_gives_lengths_and_bursts(root: Path, shared: Path) -> None:
    trace = shared / "traces" / "azure_llm_2023_conv.csv.gz"
    sets = (f"{CHAT}.requests={{trace: {trace}}}", f"{CHAT}.input_length=null", f"{CHAT}.output_length=null")
    loaded = load(root, *sets)
    (text,) = [f.text for f in run_checks(loaded, ["traces"])]
    assert "chat follows 19,366 requests" in text and "1,155 tokens in and 211 out" in text
    traced = prepare(loaded, "big-cloud").rates.services["chat", "gb200_nvl72"]
    plain = rates(root, f"{CHAT}.input_length=1154.7", f"{CHAT}.output_length=211.1")
    smooth = plain.services["chat", "gb200_nvl72"]
    # bursts leave less room within the objectives than Poisson arrivals with lognormal lengths
    assert (
        0.5 * smooth.tokens / smooth.chips
        < traced.tokens / traced.chips
        <= 1.02 * smooth.tokens / smooth.chips
    )


def test_lengths_come_from_somewhere(root: Path) -> None:
    with pytest.raises(
        StudyError, match=r"`output_length` is missing; write output_length: 1000, or requests"
    ):
        load(root, f"{CHAT}.output_length=null")


@pytest.mark.shared
def test_a_job_trace_is_no_request_trace(root: Path, shared: Path) -> None:
    loaded = load(root, f"{CHAT}.requests={{trace: {shared / 'traces' / 'philly_sia.csv.gz'}}}")
    (finding,) = run_checks(loaded, ["traces"])
    assert finding.level == "error" and "holds jobs, not requests" in finding.text


def test_a_layout_of_ones_own(root: Path) -> None:
    chosen = rates(root).services["chat", "gb200_nvl72"]
    own = rates(root, f"{CHAT}.layout={{tensor: 32}}").services["chat", "gb200_nvl72"]
    assert (own.layout, own.chips) == ("TP32", 32)
    assert own.tokens / own.chips < chosen.tokens / chosen.chips
    refused = rates(root, f"{CHAT}.layout={{tensor: 2}}")
    assert ("chat", "gb200_nvl72") not in refused.services
    assert "weights need" in refused.refusals["chat", "gb200_nvl72"]


def test_prompts_and_decoding_apart(root: Path) -> None:
    loaded = load(root, f"{CHAT}.disaggregated=true")
    prepared = prepare(loaded, "big-cloud")
    rate = prepared.rates.services["chat", "gb200_nvl72"]
    assert " | " in rate.layout
    together = rates(root).services["chat", "gb200_nvl72"]
    assert 0.5 < (rate.tokens / rate.chips) / (together.tokens / together.chips) < 3.0
    assert rate.tokens <= rate.ceiling
    result = simulate(prepared, 0)
    assert result.metrics["slo_attainment"] > 0.5
    with pytest.raises(StudyError, match="a layout for prompts and decoding apart"):
        load(root, f"{CHAT}.disaggregated=true", f"{CHAT}.layout={{tensor: 8}}")


def test_cache_hits_and_reasoning_tokens_change_what_a_replica_serves(root: Path) -> None:
    """A cached prompt costs no compute, so more requests are served; reasoning makes answers longer."""
    requests = {}
    for name, sets in {
        "base": [f"{CHAT}.cache_hit=0%"],
        "cached": [f"{CHAT}.cache_hit=80%"],
        "reasoning": [f"{CHAT}.cache_hit=0%", f"{CHAT}.output_length=2000"],
    }.items():
        rate = rates(root, *sets).services["chat", "gb200_nvl72"]
        tokens = 1155 + (2000 if name == "reasoning" else 528)
        requests[name] = rate.tokens / tokens / rate.chips
    assert requests["cached"] > 1.05 * requests["base"]
    assert requests["reasoning"] < 0.65 * requests["base"]


def test_a_batch_tier_waits_for_a_valley(root: Path) -> None:
    """Without objectives a replica is planned near saturation, and work may wait for its deadline."""
    loaded = load(root, f"{CHAT}.slo={{deadline: 24 h}}")
    prepared = prepare(loaded, "big-cloud")
    rate = prepared.rates.services["chat", "gb200_nvl72"]
    assert rate.tokens == pytest.approx(0.95 * rate.ceiling)
    assert rate.tokens / rate.chips > (lambda r: r.tokens / r.chips)(
        rates(root).services["chat", "gb200_nvl72"]
    )
    patient = simulate(prepared, 0)
    assert patient.metrics["tokens_unmet"] < 0.001 and patient.metrics["slo_attainment"] > 0.999
    hurried = simulate(prepare(load(root), "big-cloud"), 0)
    held = [
        sum(
            t
            for w, t in zip(
                r.tables["assignment"]["workload"], r.tables["assignment"]["chip_ms"], strict=True
            )
            if w == "chat"
        )
        for r in (patient, hurried)
    ]
    assert held[0] < 0.8 * held[1]  # neither the peak of the day nor queues need chips
