"""Prompts and decoding on separate chips: rates of each part, and the chips that a stream of tokens needs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from capsim.spec.hardware import Chip, ModelCard, System
from capsim.workload.calibration import Calibration, shipped
from capsim.workload.hardware_view import runs_at
from capsim.workload.inference import TAIL, DoesNotFit, Serving, candidates
from capsim.workload.known import known
from capsim.workload.latency import Lengths
from capsim.workload.layouts import Layout, SplitLayout, inside_domain, over_domains, replica_of
from capsim.workload.request_mix import RequestMix
from capsim.workload.roofline import Replica
from capsim.workload.shape import Shape, shape_of

# Replicas of one part in a unit (assumed): enough for any ratio of prompts to decoding within a few percent.
MOST_OF_A_PART = 8
Z95 = 1.6448536269514722  # standard normal quantile of 0.95


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
    context: float | None = None,
    prefill: Layout | None = None,
    decode: Layout | None = None,
    speed: float = 1.0,
) -> Disaggregated | DoesNotFit:
    """Rates of separate prompt and decode replicas; layouts are chosen for the best rate per chip.

    Args:
        card, chip, system, precision: the model and the hardware.
        input_length, output_length: mean tokens of a request.
        tpot_ms: time per output token that decoding keeps.
        context: mean tokens that a running sequence holds; those of its prompt and half of its output where
            absent (a cached prompt is held and not computed).
        prefill, decode: layouts that override the choice.
        speed: calibrated speed over the roofline's, for both parts.
    """
    shape, running = shape_of(card), runs_at(chip, precision)
    context = input_length + output_length / 2 if context is None else context

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


def serve_split(
    card: ModelCard,
    chip_name: str,
    chip: Chip,
    system: System,
    precision: str,
    *,
    input_length: float,
    output_length: float,
    cache_hit: float = 0.0,
    ttft_ms: float | None = None,
    tpot_ms: float | None = None,
    calibration: Calibration | None = None,
    model: str = "",
    mix: RequestMix | None = None,
) -> Serving | DoesNotFit:
    """As `inference.serve`, with prompts and decoding on separate chips: the unit of some prompt replicas and
    some decode replicas with the most output tokens/s per chip in which both keep up.

    Latency is a closed form: prompts queue at a replica that serves one after the other (M/G/1 with an
    exponential tail), a decode step takes the same time whatever arrives, and the cache of a prompt crosses
    the scale-out network once. The table's speed of the colocated replica scales both parts.
    """
    points = calibration or shipped()
    lengths = Lengths(input_length, output_length, cache_hit, mix)
    shape, running, name = shape_of(card), runs_at(chip, precision), model or known().name_of(card)
    colocated = candidates(
        shape, chip_name, chip, system, running, input_length, output_length, cache_hit, points, name, None
    )
    if isinstance(colocated, DoesNotFit):
        return colocated
    speed = colocated[0].speed
    best: Serving | None = None
    refused = DoesNotFit("no layout of the prompts holds the model")
    for prefill in {c.layout.pp * 1000 + c.layout.chips: c.layout for c in colocated}.values():
        parts = serve_disaggregated(
            card,
            chip,
            system,
            precision,
            input_length=lengths.computed,
            context=input_length + output_length / 2,
            output_length=output_length,
            tpot_ms=tpot_ms / TAIL if tpot_ms is not None else math.inf,
            prefill=prefill,
            speed=speed,
        )
        if isinstance(parts, DoesNotFit):
            return parts
        transfer = _transfer_ms(shape, chip, parts, input_length)
        load, ttft = _prompt_load(parts, lengths, transfer, ttft_ms)
        if load <= 0.0:
            refused = DoesNotFit(f"no layout keeps TTFT {ttft_ms:g} ms at the 95th percentile")
            continue
        found = _planned(parts, lengths, load, ttft, colocated[0].log_error, speed)
        if best is None or found.output_tokens_per_s / found.chips > best.output_tokens_per_s / best.chips:
            best = found
    return best or refused


def _planned(
    parts: Disaggregated, lengths: Lengths, load: float, ttft: float, log_error: float, speed: float
) -> Serving:
    """The unit of two parts whose prompt replicas run at a load."""
    unit, rate = _unit(parts, lengths, load)
    saturated = _unit_rate(parts, lengths, unit, 1.0)
    return Serving(
        chips=unit.chips,
        layout=unit,
        batch=parts.batch * unit.decodes,
        output_tokens_per_s=rate,
        input_tokens_per_s=rate * lengths.inputs / lengths.outputs,
        ttft_ms=ttft,
        tpot_ms=parts.tpot_ms * TAIL,
        max_utilisation=min(1.0, rate / saturated),
        saturated_tokens_per_s=saturated,
        log_error=log_error,
        explain=(
            f"layout {unit} (prompts | decoding): most output tokens/s per chip with both parts busy",
            f"prompts at {load:.0%} of what their replicas compute",
            f"calibrated speed x {speed:.2f} of the roofline",
        ),
    )


def _transfer_ms(shape: Shape, chip: Chip, parts: Disaggregated, tokens: float) -> float:
    """Time to send a prompt's cache from its chips over their scale-out links, ms; 0 where none is known."""
    link = float(chip.scaleout_gbs or 0.0) * 1e9 * parts.prefill.chips
    return shape.kv_bytes * tokens / link * 1e3 if link > 0 else 0.0


def _prompt_load(
    parts: Disaggregated, lengths: Lengths, transfer: float, ttft_ms: float | None
) -> tuple[float, float]:
    """The largest load of a prompt replica that keeps the objective, and TTFT there, ms; 0: none does.

    95th percentile of the wait of an M/G/1 queue with an exponential tail of its mean (Pollaczek-Khinchine):
    P(W > t) = rho exp(-rho t / E W); a long prompt computes for as long as the 95th percentile of lengths.
    """
    spread = lengths.input_spread
    sigma = math.sqrt(math.log1p(spread * spread))
    own = parts.ttft_ms * math.exp(Z95 * sigma - sigma * sigma / 2) + transfer + parts.tpot_ms
    service = lengths.computed / (parts.prompt_tokens_per_chip * parts.prefill.chips) * 1e3

    def ttft(load: float) -> float:
        mean = load * service * (1.0 + spread * spread) / (2.0 * (1.0 - load))
        return own + max(0.0, math.log(load / 0.05)) * mean / load

    loads = [n / 100 for n in range(95, 0, -1)]
    best = next((load for load in loads if ttft_ms is None or ttft(load) <= ttft_ms), 0.0)
    return best, ttft(best) if best else math.inf


def _unit(parts: Disaggregated, lengths: Lengths, load: float) -> tuple[SplitLayout, float]:
    """The smallest unit within 2 % of the most output tokens/s per chip, and its rate."""
    units = [
        SplitLayout(parts.prefill, parts.decode, p, d)
        for p in range(1, MOST_OF_A_PART + 1)
        for d in range(1, MOST_OF_A_PART + 1)
    ]
    rates = {unit: _unit_rate(parts, lengths, unit, load) for unit in units}
    best = max(rate / unit.chips for unit, rate in rates.items())
    good = [unit for unit, rate in rates.items() if rate / unit.chips >= 0.98 * best]
    unit = min(good, key=lambda u: (u.chips, -rates[u]))
    return unit, rates[unit]


def _unit_rate(parts: Disaggregated, lengths: Lengths, unit: SplitLayout, load: float) -> float:
    """Output tokens/s of a unit whose prompt replicas run at a load."""
    prompts = unit.prefills * unit.prefill.chips * parts.prompt_tokens_per_chip * load / lengths.computed
    tokens = unit.decodes * unit.decode.chips * parts.output_tokens_per_chip
    return min(prompts * lengths.outputs, tokens)
