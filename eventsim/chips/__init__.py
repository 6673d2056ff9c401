"""Neuromorphic chips and arithmetic technologies as data: limits, formats, energies, latencies."""
