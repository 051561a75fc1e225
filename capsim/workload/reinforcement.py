"""Reinforcement learning as two gangs: trainers take steps on what rollouts generate.

A token trained on costs 6 N_active FLOP and attention (`Shape.training_flops`); each needs ``ratio``
generated tokens of 2 N_active FLOP (what is filtered out or lost is generated all the same). The two gangs
advance in lockstep, so the phase runs at the speed of the slower one, and the chips are split so that neither
waits for the other:

    x n a = (1 - x) n b / r      a tokens/s a chip trained, b generated, r generated for each trained one
"""

from __future__ import annotations

from dataclasses import dataclass

from capsim.workload.shape import Shape


@dataclass(frozen=True)
class Split:
    """How the chips of a phase are divided.

    Attributes:
        trainer: share of the chips in the trainer gang.
        trained: tokens/s trained on, per chip of both gangs together.
    """

    trainer: float
    trained: float


def split_chips(trained: float, generated: float, ratio: float, trainer: float | None = None) -> Split:
    """The split at which both gangs keep up, or what a given split achieves.

    Args:
        trained: tokens/s that a chip of the trainer gang trains on.
        generated: tokens/s that a chip of the rollout gang generates.
        ratio: tokens generated for each token trained on.
        trainer: share of the chips in the trainer gang; chosen where absent.
    """
    share = trainer if trainer is not None else generated / (generated + ratio * trained)
    return Split(share, min(share * trained, (1.0 - share) * generated / ratio))


def generated_flops(shape: Shape, context: float) -> float:
    """Model FLOPs of one generated token at a context: a forward pass, a third of training's products and
    attention over the whole context in place of its causal half."""
    return 2.0 * shape.active + 4.0 * shape.layers * shape.attention_width * context


def phase_flops(shape: Shape, seq: float, ratio: float) -> float:
    """Model FLOPs of both gangs for each token trained on, at sequences of ``seq`` tokens."""
    return shape.training_flops(seq) + ratio * generated_flops(shape, seq / 2.0)
