"""capsim: a simulated accelerator capacity planner."""

__version__ = "0.1.0"
