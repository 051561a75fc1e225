"""How fast the scheduler is on this machine: generated jobs, fleets, cases, measurement, tables."""
