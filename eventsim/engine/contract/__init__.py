"""The contract of all backends: jobs, tables and states, the backend's protocol, its registry.

A host finds here what it is given and what it gives back (``job``, ``start``, ``piece``,
``state``, ``loop_state``, ``stepping``, ``linear``), the numbers that every fast backend computes
alike before its kernels run (``table``, ``bundles``, ``windowing``, ``gain_windows``, ``series``,
``adjoint_series``), what they leave to a step behind the kernels (``own_returns``), and what the
library asks of it (``backend``, ``adam``). ``registry`` finds backends by name, ``counting`` counts
what reached a synapse, ``compiling`` how long kernels were compiled.
"""
