"""The micro-simulation's unit of time and the places of its constants, apart from the compiled code."""

from __future__ import annotations

TICK = 1e-13
"""Seconds a tick: 0.1 ps, so that int64 holds ten days."""

# Places in the array of constants.
PER_CONTEXT, PER_PROMPT, PER_PAIR, BUDGET, ROOM, MOST = range(6)
