"""Training rates: achieved model FLOP/s per chip from model, chip, precision, system, size, sequence.

rate = table[model, chip, precision, chips, seq] x e_domain x cross-block x software

The table is interpolated from published measurements (`training_table`). FLOPs of a token are
6 N_active + 6 layers x attention width x seq (causal); MFU is against the dense peak of the precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from capsim.spec.hardware import Chip, ModelCard, System
from capsim.workload.calibration import Calibration, configuration, shipped
from capsim.workload.hardware_view import peak_16, peak_at, runs_at
from capsim.workload.known import known
from capsim.workload.shape import Shape, shape_of

# Expert parallelism over a smaller scale-up domain than where the rate was measured (models.md): 8 of 64.
DOMAIN_EFFECT = 0.55
EXPERT_PARALLEL = 64
DOMAIN_SMALL = 8
# A mixture counts as large above 200 x 10^9 parameters (assumed: its experts do not fit a node of eight).
LARGE_MOE = 200e9
# Extra loss per doubling of chips when the global batch is fixed: models.md gives 0.05 to 0.07 in all.
FIXED_BATCH_LOSS = 0.04
# Loss per doubling of the blocks of a gang and unit of oversubscription above 1 (assumed: data-parallel
# traffic is overlapped; no public measurement separates it).
BLOCK_LOSS = 0.02
# What a software release changes (log): models.md gives +-15 %; the table's band holds it.
SOFTWARE_BAND = 0.15


@dataclass(frozen=True)
class TrainingRate:
    """Achieved speed of one configuration.

    Attributes:
        flops_per_chip: model FLOP/s per chip.
        mfu: share of the chip's dense peak at the precision.
        tokens_per_chip: tokens/s per chip.
        log_error: standard deviation of the log of the rate.
        source: the finest level of the table that has points.
        explain: the factors, one line each.
    """

    flops_per_chip: float
    mfu: float
    tokens_per_chip: float
    log_error: float
    source: str
    explain: tuple[str, ...]


def training_rate(
    card: ModelCard,
    chip_name: str,
    chip: Chip,
    system: System,
    precision: str,
    chips: int,
    *,
    seq: int = 8192,
    blocks: int = 1,
    calibration: Calibration | None = None,
    software: float = 1.0,
    fixed_batch: bool = False,
) -> TrainingRate:
    """Achieved training speed of a gang of ``chips``.

    Args:
        card: the model.
        chip_name: the chip's name in the catalog (names that share its generation lend it their points).
        chip: the chip.
        system: how the chips are connected.
        precision: bf16, fp8, fp4 or int8; the next wider one is used where the chip has no such peak.
        chips: chips of the gang.
        seq: sequence length, tokens.
        blocks: scale-out blocks that the gang spans.
        calibration: measured points; the shipped ones where absent.
        software: multiplier for a dated software release (1 = the middle of the measured releases).
        fixed_batch: whether the global batch stays fixed as chips are added.
    """
    shape = shape_of(card)
    points = calibration or shipped()
    return shape_rate(
        shape,
        chip_name,
        chip,
        system,
        precision,
        chips,
        seq=seq,
        blocks=blocks,
        calibration=points,
        software=software,
        fixed_batch=fixed_batch,
    )


def shape_rate(
    shape: Shape,
    chip_name: str,
    chip: Chip,
    system: System | None,
    precision: str,
    chips: float,
    *,
    seq: float,
    blocks: int = 1,
    calibration: Calibration,
    software: float = 1.0,
    fixed_batch: bool = False,
    group: str = "",
    without: tuple[str, str] | None = None,
    end_to_end: bool = False,
) -> TrainingRate:
    """As `training_rate`, for a shape; ``without`` leaves a (group, model) of the table out."""
    table = calibration.training_table(without)
    running = runs_at(chip, precision)
    at = configuration(shape, chip_name, chip, running, chips, seq, group=group, end_to_end=end_to_end)
    logs, spread = table.predict([at])
    from_table = math.exp(float(logs[0]))
    factors = {
        "scale-up domain": domain_effect(shape, chip_name, system, chips, calibration) if system else 1.0,
        "blocks": _block_effect(system, blocks) if system else 1.0,
        "fixed batch": (1 - FIXED_BATCH_LOSS) ** max(0.0, math.log2(max(chips, 1) / 64))
        if fixed_batch
        else 1.0,
        "software": software,
    }
    peak = peak_at(chip, running)
    rate = from_table * math.prod(factors.values()) * peak_16(chip) * 1e12
    evidence = table.evidence(at)
    explain = [f"table: {evidence}; {from_table:.3f} of the 16-bit peak at {chips:g} chips, sequence {seq:g}"]
    if running != precision:
        explain.append(f"{precision} runs as {running}: the chip has no {precision} peak")
    explain += [f"{name}: x {value:.3f}" for name, value in factors.items() if value != 1.0]
    explain.append(f"software of one year ago or ahead: +-{SOFTWARE_BAND:.0%}, inside the band")
    return TrainingRate(
        rate,
        rate / (peak * 1e12),
        rate / shape.training_flops(seq),
        float(spread[0]),
        evidence,
        tuple(explain),
    )


def domain_effect(
    shape: Shape, chip_name: str, system: System, chips: float, calibration: Calibration
) -> float:
    """Factor for a large MoE on a scale-up domain smaller than where its rate was measured; at most 1."""
    needed = min(EXPERT_PARALLEL, shape.experts, chips)
    domain = float(system.segment or system.domain)
    if not shape.moe or shape.total < LARGE_MOE or domain >= needed:
        return 1.0
    measured = measured_domain(chip_name, calibration)
    if measured <= domain:
        return 1.0
    steps = math.log2(min(measured, needed) / domain) / math.log2(EXPERT_PARALLEL / DOMAIN_SMALL)
    return float(DOMAIN_EFFECT ** max(0.0, steps))


def measured_domain(chip_name: str, calibration: Calibration) -> float:
    """Scale-up domain in which a chip's MoE points were measured; that of most points where it has none."""
    if any(p.at.chip == chip_name and p.at.kind != "dense" for p in calibration.training):
        system = known().system(chip_name)
        if system is not None:
            return float(system.segment or system.domain)
    return float(EXPERT_PARALLEL)


def _block_effect(system: System, blocks: int) -> float:
    over = max(0.0, float(system.oversubscription or 1.0) - 1.0)
    return float((1.0 - BLOCK_LOSS * min(over, 5.0)) ** math.log2(max(blocks, 1)))


def checkpoint_seconds(card: ModelCard, storage_gbs: float) -> float:
    """Seconds to write a checkpoint (14 bytes a parameter) at a site's shared storage bandwidth, GB/s."""
    return shape_of(card).checkpoint_bytes() / (max(storage_gbs, 1e-9) * 1e9)
