"""Hostile input: mutated files and random networks, for every reader and every backend.

    python -m tests.support.hostile [--files N] [--networks N] [--seed S] [--kind KIND ...]

makes a small whole file of every kind that eventsim reads, damages it in every way that it knows,
and lets a process of its own read it and use what was read; and it draws networks of all kinds and
lets every backend run them. A case has failed if the process crashes, takes more time or memory
than ``worker`` grants, or shows anything but an error of eventsim. Every case follows from (seed,
kind, number): ``--case KIND:NUMBER`` runs it alone.
"""
