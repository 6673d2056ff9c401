"""Benchmarks: one file answers one question; ``python -m bench.run_all`` answers all."""
