"""Token-level simulation of one replica with continuous batching and chunked prefill, in exact integer time.

The engine works in iterations. At the start of one it admits waiting requests in order of arrival while their
whole KV cache (input and output) fits and the batch has room; prompts share a budget of tokens an iteration;
every sequence in decode gives one token. Time is in ticks; an iteration with B decoding sequences that hold K
tokens of context and with prompt pieces takes

    step[B] + per_context K + sum over pieces (per_prompt n + per_pair n (2 done + n))

A piece that ends its prompt gives the first token at the end of the iteration. Between arrivals, completions
and prompts all iterations are alike, so their times are summed in closed form: the cost is a few events a
request, not one a token, and the result equals the token-by-token one exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from capsim.jit import kernel
from capsim.workload.ticks import BUDGET, MOST, PER_CONTEXT, PER_PAIR, PER_PROMPT, ROOM

_I8 = "int64[::1]"
# arrival, inputs, held, outputs, step, constants, first, finish, heap, stage, totals
_SIGNATURE = f"void({', '.join([_I8] * 11)})"
# Places in `totals`.
ITERATIONS, DECODED, END = range(3)


@kernel()
def _push(heap: Any, size: Any, key: Any) -> None:
    """Add a key to a binary heap of ``size`` keys."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= key:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = key


@kernel()
def _pop(heap: Any, size: Any) -> Any:
    """Remove and return the least key of a binary heap of ``size`` keys."""
    least = heap[0]
    key = heap[size - 1]
    place = 0
    last = size - 1
    while True:
        child = 2 * place + 1
        if child >= last:
            break
        if child + 1 < last and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key
    return least


@kernel()
def _steps_until(gap: Any, each: Any, grow: Any, most: Any) -> Any:
    """Least m in 1..most with m each + grow m (m - 1) / 2 >= gap, or most."""
    if gap <= each:
        return 1
    if grow > 0:
        b = each - 0.5 * grow
        guess = np.int64((math.sqrt(b * b + 2.0 * grow * gap) - b) / grow)
    else:
        guess = gap // max(each, 1)
    m = min(max(guess - 1, 1), most)
    while m < most and m * each + grow * (m * (m - 1) // 2) < gap:
        m += 1
    while m > 1 and (m - 1) * each + grow * ((m - 1) * (m - 2) // 2) >= gap:
        m -= 1
    return m


@kernel()
def _admit(
    arrival: Any,
    held: Any,
    outputs: Any,
    stage: Any,
    constants: Any,
    now: Any,
    waiting: Any,
    prompts: Any,
    running: Any,
    reserved: Any,
) -> Any:
    """Move arrived requests to the prompts in order while they fit; returns waiting, prompts, reserved."""
    while waiting < len(arrival) and arrival[waiting] <= now and running + prompts < constants[MOST]:
        need = held[waiting] + outputs[waiting]
        if reserved + need > constants[ROOM] and running + prompts > 0:
            break
        reserved += need
        stage[prompts] = waiting
        prompts += 1
        waiting += 1
    return waiting, prompts, reserved


@kernel()
def _prompt_pieces(inputs: Any, stage: Any, constants: Any, prompts: Any, done: Any) -> Any:
    """One iteration's share of the prompts: its ticks, how many prompts end, tokens done of the next."""
    left, cost, ended = constants[BUDGET], np.int64(0), 0
    while ended < prompts and left > 0:
        request = stage[ended]
        piece = min(left, inputs[request] - done)
        cost += constants[PER_PROMPT] * piece + constants[PER_PAIR] * piece * (2 * done + piece)
        left -= piece
        done += piece
        if done < inputs[request]:
            break
        done = np.int64(0)
        ended += 1
    return cost, ended, done


@kernel()
def _start_decoding(
    held: Any,
    outputs: Any,
    first: Any,
    finish: Any,
    heap: Any,
    stage: Any,
    now: Any,
    iteration: Any,
    prompts: Any,
    running: Any,
    ended: Any,
) -> Any:
    """Give ended prompts their first token; returns running, tokens of context gained, of room freed."""
    context = np.int64(0)
    freed = np.int64(0)
    for k in range(ended):
        request = stage[k]
        first[request] = now
        if outputs[request] == 1:
            finish[request] = now
            freed += held[request] + outputs[request]
        else:
            _push(heap, running, ((iteration + outputs[request] - 1) << 32) | request)
            running += 1
            context += held[request] + 1
    for k in range(ended, prompts):
        stage[k - ended] = stage[k]
    return running, context, freed


@kernel()
def _complete(held: Any, outputs: Any, finish: Any, heap: Any, now: Any, iteration: Any, running: Any) -> Any:
    """Let sequences whose last token this iteration gave leave; returns running and tokens of room freed."""
    freed = np.int64(0)
    while running > 0 and (heap[0] >> 32) == iteration:
        request = _pop(heap, running) & 0xFFFFFFFF
        running -= 1
        finish[request] = now
        freed += held[request] + outputs[request]
    return running, freed


@kernel(_SIGNATURE)
def run(
    arrival: Any,
    inputs: Any,
    held: Any,
    outputs: Any,
    step: Any,
    constants: Any,
    first: Any,
    finish: Any,
    heap: Any,
    stage: Any,
    totals: Any,
) -> None:
    """Simulate all requests; fills ``first`` and ``finish`` (ticks, (n,)) and ``totals`` (3,).

    Requests (n,): ``arrival`` in ticks, ascending; ``inputs`` prompt tokens to compute; ``held`` prompt
    tokens in the cache, at least ``inputs``; ``outputs``; each at least 1. ``step``: ticks by number of
    decoding sequences (most + 1,); ``constants`` as in `ticks`; ``heap`` and ``stage`` are work space
    (most + 1,).
    """
    n = len(arrival)
    per_context, room, most = constants[PER_CONTEXT], constants[ROOM], constants[MOST]
    now, iteration, decoded = np.int64(0), np.int64(0), np.int64(0)
    context, reserved, done = np.int64(0), np.int64(0), np.int64(0)
    waiting, running, prompts = 0, 0, 0
    while waiting < n or running > 0 or prompts > 0:
        waiting, prompts, reserved = _admit(
            arrival, held, outputs, stage, constants, now, waiting, prompts, running, reserved
        )
        if prompts == 0 and running == 0:
            now = arrival[waiting]
            continue
        each, ended, m = step[running] + per_context * context, 0, np.int64(1)
        if prompts > 0:
            cost, ended, done = _prompt_pieces(inputs, stage, constants, prompts, done)
            each += cost
        else:
            m = (heap[0] >> 32) - iteration
            blocked = waiting < n and (running >= most or reserved + held[waiting] + outputs[waiting] > room)
            if waiting < n and not blocked:
                m = _steps_until(arrival[waiting] - now, each, per_context * running, m)
        now += m * each + per_context * running * (m * (m - 1) // 2)
        iteration += m
        context += m * running
        decoded += m * running + ended
        running, freed = _complete(held, outputs, finish, heap, now, iteration, running)
        context -= freed
        reserved -= freed
        if ended > 0:
            running, gained, freed = _start_decoding(
                held, outputs, first, finish, heap, stage, now, iteration, prompts, running, ended
            )
            prompts -= ended
            context += gained
            reserved -= freed
    totals[ITERATIONS], totals[DECODED], totals[END] = iteration, decoded, now
