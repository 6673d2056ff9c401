"""Populations onto the cores of a chip: partition, placement, traffic, quantisation."""
