"""Training rates: formulas, fall-backs, monotonicity, anchors."""

from __future__ import annotations

import math

import pytest

from capsim.spec.calibration import CalibrationSection
from capsim.spec.hardware import Chip
from capsim.workload.calibration import shipped
from capsim.workload.known import known
from capsim.workload.settings import Settings, software_date
from capsim.workload.shape import shape_from_counts, shape_of
from capsim.workload.training import TrainingRate, checkpoint_seconds, domain_effect, training_rate

CATALOG = known()


def rate(
    model: str, system: str, precision: str = "bf16", chips: int = 256, **options: object
) -> TrainingRate:
    """The rate of a catalog model on a catalog system."""
    spec = CATALOG.systems[system]
    card, chip = CATALOG.models[model], CATALOG.chips[spec.chip]
    return training_rate(card, spec.chip, chip, spec, precision, chips, **options)  # type: ignore[arg-type]


def test_flops_of_a_token() -> None:
    """6 N + 6 layers x width x seq for Llama-3 8B at 8,192: 48.2e9 + 6.4e9."""
    shape = shape_of(CATALOG.models["llama-3.1-8b"])
    assert shape.training_flops(8192) == pytest.approx(6 * 8.03e9 + 6 * 32 * 4096 * 8192)


def test_rate_mfu_and_tokens_agree() -> None:
    found = rate("llama-3.1-70b", "h100_hgx", "bf16", 512, seq=8192)
    shape = shape_of(CATALOG.models["llama-3.1-70b"])
    assert found.mfu == pytest.approx(found.flops_per_chip / 989e12)
    assert found.tokens_per_chip == pytest.approx(found.flops_per_chip / shape.training_flops(8192))
    assert 0.3 < found.mfu < 0.55


def test_every_system_gets_a_sane_rate_with_a_band_and_a_source() -> None:
    for name in CATALOG.systems:
        for model in ("dense-8b", "llama-3.1-405b", "deepseek-v3"):
            for precision in ("bf16", "fp8", "fp4"):
                found = rate(model, name, precision, 1024)
                assert 0.01 < found.mfu < 0.9, (name, model, precision, found)
                assert 0.02 < found.log_error < 0.6
                assert "points" in found.source


def test_fall_back_order() -> None:
    """Chip and precision, other precisions of the chip, generation, the chip's other kind, stack, all chips."""
    assert rate("llama-3.1-8b", "h100_hgx", "fp8").source.startswith("h100_sxm at fp8, dense")
    assert rate("llama-3.1-8b", "b200_hgx", "bf16").source.startswith("b200_sxm at other precisions, dense")
    assert rate("llama-3.1-8b", "h200_hgx", "bf16").source.startswith("generation hopper, dense")
    assert rate("llama-3.1-8b", "rubin_nvl72", "bf16").source.startswith("stack cuda, dense")
    assert rate("llama-3.1-8b", "mi355x_node8", "bf16").source.startswith("all chips, dense")


def test_bands_widen_along_the_fall_back() -> None:
    bands = [
        rate("llama-3.1-70b", s, "bf16", 256).log_error
        for s in ("h100_hgx", "h200_hgx", "rubin_nvl72", "mi355x_node8")
    ]
    assert bands == sorted(bands)


def test_more_chips_and_more_blocks_never_run_faster() -> None:
    sizes = [
        rate("llama-3.1-405b", "h100_hgx", "bf16", n).flops_per_chip for n in (64, 512, 4096, 32768, 131072)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0.5 * sizes[0]
    one, many = (rate("dense-8b", "h100_hgx", "bf16", 4096, blocks=b).flops_per_chip for b in (1, 16))
    assert many <= one
    fixed = rate("dense-8b", "h100_hgx", "bf16", 4096, fixed_batch=True).flops_per_chip
    assert fixed == pytest.approx(one * 0.96**6)


def test_software_multiplies() -> None:
    plain, faster = (rate("dense-8b", "h100_hgx", software=s).flops_per_chip for s in (1.0, 1.15))
    assert faster == pytest.approx(1.15 * plain)


def test_precision_the_chip_lacks_runs_at_the_next_wider() -> None:
    fp8, bf16 = rate("dense-8b", "a100_hgx", "fp8"), rate("dense-8b", "a100_hgx", "bf16")
    assert fp8.flops_per_chip == bf16.flops_per_chip
    assert any("runs as bf16" in line for line in fp8.explain)


def test_large_mixture_on_a_small_domain_is_slower_only_if_measured_in_a_larger_one() -> None:
    shape, calibration = shape_of(CATALOG.models["deepseek-v3"]), shipped()
    small = CATALOG.systems["trn2_node16"]
    assert domain_effect(shape, "trainium2", small, 1024, calibration) == pytest.approx(0.55 ** (2 / 3))
    assert domain_effect(shape, "b200_sxm", CATALOG.systems["b200_hgx"], 1024, calibration) == 1.0
    assert domain_effect(shape, "trainium2", CATALOG.systems["trn2_ultraserver"], 1024, calibration) == 1.0
    dense = shape_of(CATALOG.models["llama-3.1-405b"])
    assert domain_effect(dense, "trainium2", small, 1024, calibration) == 1.0


def test_a_users_measurement_replaces_the_table() -> None:
    before = rate("llama-3.1-70b", "mi355x_node8", "bf16", 64, seq=8192)
    section = CalibrationSection.model_validate(
        {
            "training": [
                {
                    "model": "llama-3.1-70b",
                    "chip": "mi355x",
                    "precision": "bf16",
                    "chips": 64,
                    "seq": 8192,
                    "tflops_chip": 600.0,
                }
            ]
        }
    )
    own = shipped().extended(section)
    after = rate("llama-3.1-70b", "mi355x_node8", "bf16", 64, seq=8192, calibration=own)
    assert abs(math.log(after.flops_per_chip / 600e12)) < 0.02 < abs(math.log(before.flops_per_chip / 600e12))
    assert after.log_error < before.log_error
    near = rate("llama-3.1-405b", "mi355x_node8", "bf16", 512, calibration=own)
    far = rate("llama-3.1-405b", "mi355x_node8", "bf16", 512)
    assert near.flops_per_chip < 0.85 * far.flops_per_chip


def test_checkpoint_of_405b() -> None:
    """14 bytes a parameter: 5.68 TB, 2.8 s at 2 TB/s (facts/reliability.yaml example_405b)."""
    assert checkpoint_seconds(CATALOG.models["llama-3.1-405b"], 2000) == pytest.approx(2.84, abs=0.01)


def test_shape_from_counts_guesses_what_is_missing() -> None:
    dense = shape_from_counts("dense", 70.0)
    assert 60 <= dense.layers <= 90 and 7000 <= dense.hidden <= 10000
    assert set(dense.guessed) == {"layers", "hidden", "kv_bytes_per_token"}
    mixture = shape_from_counts("moe", 37.0, 671.0, layers=61, hidden=7168, kv_bytes=70272)
    assert mixture.guessed == ("experts",) and mixture.experts > 100
    assert mixture.touched_bytes("fp8", 1) < 0.1 * mixture.touched_bytes("fp8", 1e6)
    assert mixture.touched_bytes("fp8", 1e9) == pytest.approx(671e9, rel=1e-6)


def test_chip_of_ones_own_without_any_point() -> None:
    chip = Chip.model_validate(
        {
            "vendor": "own",
            "stack": "xla",
            "tflops": {"fp8": 4000},
            "hbm_gb": 200,
            "hbm_tbs": 5,
            "scaleup_gbs": 500,
        }
    )
    found = training_rate(
        CATALOG.models["dense-8b"], "own_chip", chip, CATALOG.systems["tpu_v7_pod"], "fp8", 256
    )
    assert found.source.startswith("stack xla")
    assert 0.1 < found.mfu < 0.7


def test_settings_move_a_series() -> None:
    plain, other = Settings(False, 1.0, 2025.0), Settings(True, 2.0, 2026.0)
    assert other.factor_over(plain) == pytest.approx(math.exp(-0.19 + 0.068 + 0.20))
    assert Settings().factor_over(plain) == 1.0
    assert software_date("docs release 26.04.01") == pytest.approx(2026.25)
    assert software_date("x", "software date 2024-01") == pytest.approx(2024.0)
    assert software_date("nothing") is None
