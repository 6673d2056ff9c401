"""Capacity of a chip: axons, limits and number formats, before anything is mapped.

Internal; its public names are those of :mod:`eventsim.mapping`.
"""
