"""How the rate models see a chip: its peak at 16 bit, its peak at a precision, its generation."""

from __future__ import annotations

import math
from collections.abc import Mapping

from capsim.errors import InputError
from capsim.spec.hardware import Chip

# Chips that share their design, so that a rate measured on one says most about the other.
GENERATIONS: Mapping[str, str] = {
    "a100_80g": "ampere", "a100_40g": "ampere",
    "h100_sxm": "hopper", "h100_nvl": "hopper", "h100_pcap": "hopper", "h200_sxm": "hopper", "h800": "hopper",
    "gh200": "hopper",
    "b200_sxm": "blackwell", "b300_sxm": "blackwell", "gb200": "blackwell", "gb300": "blackwell",
    "rubin": "rubin",
    "mi300x": "cdna3", "mi325x": "cdna3", "mi355x": "cdna4", "mi455x": "cdna5",
    "tpu_v4": "tpu4", "tpu_v5e": "tpu5", "tpu_v5p": "tpu5", "tpu_v6e": "tpu6", "tpu_v7": "tpu7",
    "trainium1": "neuroncore2", "inferentia2": "neuroncore2", "trainium2": "neuroncore3",
    "trainium3": "neuroncore4",
}  # fmt: skip
# Where a chip has no 16-bit peak, peaks halve with each doubling of the width.
_WIDTH = {"bf16": 16, "fp8": 8, "int8": 8, "int8w": 16, "fp4": 4}


def generation(name: str) -> str:
    """The design generation of a chip; an unknown chip is a generation of its own."""
    return GENERATIONS.get(name, name)


def peak_16(chip: Chip) -> float:
    """Dense 16-bit peak in TFLOP/s; from the widest narrower precision, halved, where the table has none."""
    if "bf16" in chip.tflops:
        return float(chip.tflops["bf16"])
    for precision in ("fp8", "int8", "fp4"):
        if precision in chip.tflops:
            return float(chip.tflops[precision]) * _WIDTH[precision] / 16
    raise InputError("the chip has no peak: write tflops: {bf16: ...}")


def runs_at(chip: Chip, precision: str) -> str:
    """The precision of the arithmetic: the asked one, else the next wider that the chip has.

    int8 stands in for fp8 only where asked; weights may still be stored narrower than the arithmetic.
    """
    order = {"fp4": ("fp4", "fp8", "bf16"), "fp8": ("fp8", "bf16"), "int8": ("int8", "fp8", "bf16")}
    for candidate in order.get(precision, ("bf16",)):
        if candidate in chip.tflops:
            return candidate
    return "bf16"


def peak_at(chip: Chip, precision: str) -> float:
    """Dense peak in TFLOP/s of the arithmetic that ``runs_at`` names."""
    running = runs_at(chip, precision)
    return float(chip.tflops[running]) if running in chip.tflops else peak_16(chip)


def speedup_bits(chip: Chip, precision: str) -> float:
    """log2 of the peak at ``precision`` over the 16-bit peak, at least 0."""
    return max(0.0, math.log2(peak_at(chip, precision) / peak_16(chip)))


def ceiling_log(chip: Chip, typical: float) -> float:
    """log of the measured matmul ceiling at 16 bit over ``typical``; 0 where nothing is measured."""
    ceiling = chip.matmul_ceiling.get("bf16")
    return math.log(float(ceiling) / typical) if ceiling else 0.0
