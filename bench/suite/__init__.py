"""Sparsity and energy of trained networks: data sets, architectures and chips in one table."""
