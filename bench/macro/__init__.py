"""Whole runs: a layer, a training step, a sparse network."""
