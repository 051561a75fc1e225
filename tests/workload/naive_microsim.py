"""Continuous batching, one iteration and one token at a time: the obvious version of `capsim.workload.microsim`."""

from __future__ import annotations

from dataclasses import dataclass, field

from capsim.workload.latency import Engine, Requests
from capsim.workload.ticks import BUDGET, MOST, PER_CONTEXT, PER_PAIR, PER_PROMPT, ROOM


@dataclass
class Sequence:
    """One admitted request."""

    number: int
    inputs: int
    held: int
    outputs: int
    computed: int = 0
    tokens: list[int] = field(default_factory=list)


def simulate(engine: Engine, requests: Requests) -> tuple[list[list[int]], int]:
    """Time in ticks of every output token of every request, and the number of iterations."""
    c = [int(v) for v in engine.constants]
    step = [int(v) for v in engine.step]
    waiting = [
        Sequence(i, int(requests.inputs[i]), int(requests.held[i]), int(requests.outputs[i]))
        for i in range(len(requests.arrival))
    ]
    arrival = [int(v) for v in requests.arrival]
    times: list[list[int]] = [[] for _ in waiting]
    prompts: list[Sequence] = []
    decoding: list[Sequence] = []
    now = iterations = 0
    while waiting or prompts or decoding:
        while waiting and arrival[waiting[0].number] <= now and len(prompts) + len(decoding) < c[MOST]:
            reserved = sum(s.held + s.outputs for s in prompts + decoding)
            if reserved + waiting[0].held + waiting[0].outputs > c[ROOM] and prompts + decoding:
                break
            prompts.append(waiting.pop(0))
        if not prompts and not decoding:
            now = arrival[waiting[0].number]
            continue
        cost = step[len(decoding)] + c[PER_CONTEXT] * sum(s.held + len(s.tokens) for s in decoding)
        left = c[BUDGET]
        ended = []
        for s in prompts:
            piece = min(left, s.inputs - s.computed)
            if piece == 0:
                break
            cost += c[PER_PROMPT] * piece + c[PER_PAIR] * piece * (2 * s.computed + piece)
            s.computed += piece
            left -= piece
            if s.computed == s.inputs:
                ended.append(s)
        now += cost
        iterations += 1
        for s in [*decoding, *ended]:
            s.tokens.append(now)
        prompts = [s for s in prompts if s.computed < s.inputs]
        decoding += ended
        for s in decoding:
            if len(s.tokens) == s.outputs:
                times[s.number] = s.tokens
        decoding = [s for s in decoding if len(s.tokens) < s.outputs]
    return times, iterations
