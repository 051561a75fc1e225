"""Serving: memory limits, layouts, monotonicity, objectives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capsim.spec.calibration import CalibrationSection
from capsim.workload.calibration import shipped
from capsim.workload.disaggregated import Disaggregated, serve_disaggregated, serve_split
from capsim.workload.inference import DoesNotFit, Serving, serve
from capsim.workload.known import known
from capsim.workload.layouts import Layout, SplitLayout, inside_domain, replica_of
from capsim.workload.roofline import Replica
from capsim.workload.shape import shape_of

CATALOG = known()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency tables of the tests stay out of the user's cache."""
    monkeypatch.setenv("CAPSIM_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def plan(model: str, system: str, precision: str = "fp8", **options: object) -> Serving | DoesNotFit:
    """The plan for a catalog model on a catalog system with 1,000 tokens in and out."""
    spec = CATALOG.systems[system]
    given = {"input_length": 1000, "output_length": 1000, **options}
    card, chip = CATALOG.models[model], CATALOG.chips[spec.chip]
    return serve(card, spec.chip, chip, spec, precision, **given)  # type: ignore[arg-type]


def replica(model: str, system: str, layout: Layout, precision: str = "fp8") -> Replica:
    """An uncalibrated replica of a catalog model."""
    spec = CATALOG.systems[system]
    return replica_of(shape_of(CATALOG.models[model]), CATALOG.chips[spec.chip], spec, precision, layout)


def test_capacity_formula() -> None:
    """B = floor((0.9 HBM t - weights) / (kv (isl + osl / 2))): Llama-3 70B FP8 on 2 H100 at 1,500 tokens."""
    found = replica("llama-3.1-70b", "h100_hgx", Layout(tp=2)).most_sequences(1500)
    assert found == (0.9 * 80e9 * 2 - 70.6e9) // (327680 / 2 * 1500)


def test_step_is_bound_by_weights_at_one_sequence_and_by_products_at_many() -> None:
    one = replica("llama-3.1-8b", "h100_hgx", Layout(tp=1))
    weights = 8.03e9 / (3.35e12 * 0.92)
    assert one.step_seconds(1, 0) == pytest.approx(weights + 32 * 78e-6, rel=0.02)
    assert one.step_seconds(4000, 0) > 2 * 8.03e9 * 4000 / (1979e12 * 0.85)


def test_more_of_anything_is_never_slower() -> None:
    base = replica("llama-3.1-70b", "h100_hgx", Layout(tp=4))
    chip = base.chip
    for field in ("hbm_tbs", "scaleup_gbs"):
        better = replace(base, chip=chip.model_copy(update={field: 2 * getattr(chip, field)}))
        for batch in (1, 64, 1024):
            assert better.step_seconds(batch, 2000) <= base.step_seconds(batch, 2000)
            assert better.prefill_seconds(4000) <= base.prefill_seconds(4000)
    peaks = {name: 2 * value for name, value in chip.tflops.items()}
    faster = replace(base, chip=chip.model_copy(update={"tflops": peaks}))
    assert faster.prefill_seconds(4000) < base.prefill_seconds(4000)
    assert faster.step_seconds(2000, 100) <= base.step_seconds(2000, 100)
    roomier = replace(base, chip=chip.model_copy(update={"hbm_gb": 2 * chip.hbm_gb}))
    assert roomier.most_sequences(2000) > base.most_sequences(2000)


@pytest.mark.parametrize("model", ["llama-3.1-70b", "deepseek-v3"])
def test_steps_grow_with_batch_and_context(model: str) -> None:
    for layout in inside_domain(shape_of(CATALOG.models[model]), 8):
        one = replica(model, "b200_hgx", layout)
        times = [one.step_seconds(b, 1000) for b in (1, 8, 64, 512)]
        assert times == sorted(times)
        assert one.step_seconds(64, 8000) > one.step_seconds(64, 1000)
        assert one.prefill_seconds(8000) > 2 * one.prefill_seconds(3999)


def test_mixture_touches_more_experts_with_more_tokens() -> None:
    shape = shape_of(CATALOG.models["deepseek-v3"])
    touched = [shape.touched_bytes("fp8", b) for b in (1, 16, 256, 1e5)]
    assert touched == sorted(touched)
    assert touched[0] == pytest.approx(37e9, rel=0.1)
    assert touched[-1] == pytest.approx(671e9, rel=0.01)


def test_what_does_not_fit_says_why() -> None:
    found = plan("deepseek-v3", "inf1_node16", "bf16", layout=(16, 1, 1))
    assert isinstance(found, DoesNotFit)
    assert "GB" in found.reason


def test_inferentia2_holds_8b_class_models() -> None:
    assert isinstance(plan("dense-8b", "inf2_node12", "bf16", ttft_ms=2000, tpot_ms=100), Serving)
    assert isinstance(plan("llama-3.1-8b", "inf2_node12", "bf16", ttft_ms=2000, tpot_ms=100), Serving)
    assert isinstance(plan("llama-3.1-405b", "inf2_node12", "bf16", layout=(12, 1, 1)), DoesNotFit)


def test_layout_is_chosen_shown_and_overridden() -> None:
    chosen = plan("llama-3.1-405b", "h100_hgx", "fp8")
    assert isinstance(chosen, Serving)
    assert chosen.layout == Layout(tp=8)
    assert "TP8" in chosen.explain[0]
    forced = plan("llama-3.1-8b", "h100_hgx", "fp8", layout=(4, 1, 1))
    assert isinstance(forced, Serving)
    assert forced.layout.tp == 4 and forced.chips == 4


def test_objectives_hold_and_tighter_ones_give_less() -> None:
    loose = plan("llama-3.1-70b", "gb200_nvl72", ttft_ms=2000, tpot_ms=80)
    tight = plan("llama-3.1-70b", "gb200_nvl72", ttft_ms=2000, tpot_ms=20)
    batch = plan("llama-3.1-70b", "gb200_nvl72")
    assert isinstance(loose, Serving) and isinstance(tight, Serving) and isinstance(batch, Serving)
    for found, limit in ((loose, 80), (tight, 20)):
        assert found.tpot_ms <= limit * 1.001 and found.ttft_ms <= 2000 * 1.001
        assert 0 < found.max_utilisation <= 1
    each = [s.output_tokens_per_s / s.chips for s in (tight, loose, batch)]
    assert each == sorted(each)


def test_unreachable_objective_is_refused_with_its_name() -> None:
    found = plan("llama-3.1-405b", "trn1_node16", "bf16", tpot_ms=2)
    assert isinstance(found, DoesNotFit)
    assert "TPOT 2 ms" in found.reason


def test_cached_prompts_cost_no_compute() -> None:
    cold, warm = (plan("deepseek-v3", "gb200_nvl72", input_length=8000, cache_hit=h) for h in (0.0, 0.8))
    assert isinstance(cold, Serving) and isinstance(warm, Serving)
    assert warm.saturated_tokens_per_s / warm.chips > 1.2 * cold.saturated_tokens_per_s / cold.chips


def test_a_users_measurement_scales_serving() -> None:
    before = plan("llama-3.1-70b", "mi355x_node8", layout=(8, 1, 1))
    entry = {
        "model": "llama-3.1-70b",
        "chip": "mi355x",
        "precision": "fp8",
        "measure": "throughput",
        "speed": 0.4,
        "chips": 8,
        "isl": 1000,
        "osl": 1000,
        "batch": 2048,
    }
    own = shipped().extended(CalibrationSection.model_validate({"inference": [entry]}))
    after = plan("llama-3.1-70b", "mi355x_node8", layout=(8, 1, 1), calibration=own)
    assert isinstance(before, Serving) and isinstance(after, Serving)
    assert after.saturated_tokens_per_s < 0.8 * before.saturated_tokens_per_s
    assert after.log_error < before.log_error


def test_latency_tables_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from capsim.workload import latency

    latency._tabulated.cache_clear()  # what is remembered may have been damaged on disk by another test
    first = plan("llama-3.1-8b", "h200_hgx", ttft_ms=1000, tpot_ms=40)
    latency._tabulated.cache_clear()
    monkeypatch.setattr(latency, "_simulated", lambda *_: pytest.fail("the stored table was not used"))
    assert plan("llama-3.1-8b", "h200_hgx", ttft_ms=1000, tpot_ms=40) == first


def test_a_damaged_table_is_made_again() -> None:
    from capsim.workload import latency

    first = plan("llama-3.1-8b", "b300_hgx", ttft_ms=1000, tpot_ms=40)
    for file in latency.cache_folder().glob("*.json"):
        file.write_text("{", encoding="utf-8")
    latency._tabulated.cache_clear()
    assert plan("llama-3.1-8b", "b300_hgx", ttft_ms=1000, tpot_ms=40) == first


def test_disaggregated_rates() -> None:
    spec = CATALOG.systems["gb200_nvl72"]
    found = serve_disaggregated(
        CATALOG.models["deepseek-v3"],
        CATALOG.chips["gb200"],
        spec,
        "fp8",
        input_length=4000,
        output_length=1000,
        tpot_ms=50,
    )
    assert isinstance(found, Disaggregated)
    assert found.tpot_ms <= 50.001
    all_cold = found.chips_for(1e6, 1e5)
    assert found.chips_for(1e6, 1e5, cache_hit=0.5) < all_cold
    assert found.chips_for(2e6, 2e5) == pytest.approx(2 * all_cold)


def test_a_unit_of_prompts_and_decoding_keeps_both_parts_busy() -> None:
    """Longer prompts need more prompt replicas a decode replica; a tighter TTFT leaves them more room."""
    found = {}
    for name, inputs, ttft in (("short", 500.0, 2000.0), ("long", 8000.0, 4000.0), ("tight", 8000.0, 2500.0)):
        catalog = known()
        system = catalog.systems["h100_hgx"]
        served = serve_split(
            catalog.models["llama-3.1-70b"], "h100_sxm", catalog.chips["h100_sxm"], system, "fp8",
            input_length=inputs, output_length=500.0, ttft_ms=ttft, tpot_ms=50.0,
        )  # fmt: skip
        assert isinstance(served, Serving) and isinstance(served.layout, SplitLayout)
        assert served.ttft_ms <= ttft and served.tpot_ms <= 50.0
        assert served.chips == served.layout.chips
        found[name] = served
    shares = {
        name: s.layout.prefills * s.layout.prefill.chips / s.chips
        for name, s in found.items()
        if isinstance(s.layout, SplitLayout)
    }
    assert shares["long"] > shares["short"]
    each = {name: s.output_tokens_per_s / s.chips for name, s in found.items()}
    assert each["short"] > each["long"] > each["tight"]
