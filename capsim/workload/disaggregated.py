"""Prompts and decoding on separate chips: rates of each part, and the chips that a stream of tokens needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capsim.spec.hardware import Chip, ModelCard, System
from capsim.workload.hardware_view import runs_at
from capsim.workload.inference import DoesNotFit
from capsim.workload.layouts import Layout, inside_domain, over_domains, replica_of
from capsim.workload.roofline import Replica
from capsim.workload.shape import Shape, shape_of


@dataclass(frozen=True)
class Disaggregated:
    """Rates of the two parts.

    Attributes:
        prefill, decode: layouts of a replica of each part.
        prompt_tokens_per_chip: computed prompt tokens/s per chip of the first part.
        output_tokens_per_chip: output tokens/s per chip of the second part, within the objective.
        batch: sequences of a decode replica.
        ttft_ms: prompt phase of one request on an idle replica.
        tpot_ms: time per output token.
    """

    prefill: Layout
    decode: Layout
    prompt_tokens_per_chip: float
    output_tokens_per_chip: float
    batch: float
    ttft_ms: float
    tpot_ms: float

    def chips_for(self, input_per_s: float, output_per_s: float, cache_hit: float = 0.0) -> float:
        """Chips that are busy with a stream of input and output tokens/s."""
        prompts = input_per_s * (1.0 - cache_hit) / self.prompt_tokens_per_chip
        return prompts + output_per_s / self.output_tokens_per_chip


def serve_disaggregated(
    card: ModelCard,
    chip: Chip,
    system: System,
    precision: str,
    *,
    input_length: float,
    output_length: float,
    tpot_ms: float,
    prefill: Layout | None = None,
    decode: Layout | None = None,
    speed: float = 1.0,
) -> Disaggregated | DoesNotFit:
    """Rates of separate prompt and decode replicas; layouts are chosen for the best rate per chip.

    Args:
        card, chip, system, precision: the model and the hardware.
        input_length, output_length: mean tokens of a request.
        tpot_ms: time per output token that decoding keeps.
        prefill, decode: layouts that override the choice.
        speed: calibrated speed over the roofline's, for both parts.
    """
    shape, running = shape_of(card), runs_at(chip, precision)
    context = input_length + output_length / 2

    def replicas(wanted: Layout | None) -> list[tuple[Layout, Replica]]:
        for group in _groups(shape, system.domain, wanted):
            found = [(one, replica_of(shape, chip, system, running, one)) for one in group]
            held = [(one, replica) for one, replica in found if replica.most_sequences(context) >= 1]
            if held:
                return held
        return []

    prompts, steps = replicas(prefill), replicas(decode)
    if not prompts or not steps:
        return DoesNotFit(
            f"no layout holds the weights at {running} with one sequence of {context:,.0f} tokens"
        )
    first, fast = max(prompts, key=lambda item: _prompt_rate(item[1], input_length) / item[0].pp)
    batches = [
        (_batch_within(r, layout.pp, context, tpot_ms / 1e3 * speed), layout, r) for layout, r in steps
    ]
    batch, second, slow = max(
        batches, key=lambda item: _token_rate(item[2], item[0], context) / item[1].chips
    )
    if batch < 1:
        return DoesNotFit(f"no layout keeps TPOT {tpot_ms:g} ms with one sequence")
    return Disaggregated(
        first,
        second,
        speed * _prompt_rate(fast, input_length),
        speed * _token_rate(slow, batch, context) / second.chips * second.pp,
        batch * second.pp,
        first.pp * fast.first_token_seconds(input_length) / speed * 1e3,
        second.pp * slow.step_seconds(batch, context) / speed * 1e3,
    )


def _groups(shape: Shape, domain: int, wanted: Layout | None) -> Iterable[Iterable[Layout]]:
    if wanted is not None:
        return [[wanted]]
    return [inside_domain(shape, domain), over_domains(shape, domain)]


def _prompt_rate(replica: Replica, tokens: float) -> float:
    """Prompt tokens/s per chip of a stage kept busy."""
    return tokens / replica.prefill_seconds(tokens) / replica.chips


def _token_rate(replica: Replica, batch: float, context: float) -> float:
    return batch / replica.step_seconds(batch, context) if batch >= 1 else 0.0


def _batch_within(replica: Replica, stages: int, context: float, seconds: float) -> float:
    """The most sequences of a stage whose step over all stages takes at most ``seconds``; 0: none does."""
    low, high = 0.0, replica.most_sequences(context)
    if stages * replica.step_seconds(high, context) <= seconds:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if middle >= 1 and stages * replica.step_seconds(middle, context) <= seconds:
            low = middle
        else:
            high = middle
    return low
