"""The requests of a service: mean lengths as the study states them, else those of its request trace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.spec.demand import Service
from capsim.workload.request_mix import RequestMix, mix_of


def request_lengths(service: Service) -> tuple[float, float, RequestMix | None]:
    """Mean input and output tokens of a request, and the mix of the service's trace, if it has one."""
    mix = mix_of(service.requests.path, service.requests.sha256) if service.requests is not None else None
    stated, answers = service.input_length, service.output_length
    if mix is None:
        assert stated is not None and answers is not None
        return float(stated), float(answers), None
    inputs = mix.mean_input if stated is None else float(stated)
    return inputs, mix.mean_output if answers is None else float(answers), mix


def recorded_day(service: Service) -> NDArray[np.float64] | None:
    """Tokens by hour of the day over their mean, shape (24,), where the service's trace has a whole day."""
    if service.requests is None:
        return None
    return mix_of(service.requests.path, service.requests.sha256).daily
