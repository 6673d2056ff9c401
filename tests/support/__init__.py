"""Nets, an independent integrator and comparison helpers shared by the tests."""
