"""The cuda backend: CUDA C kernels through CuPy, single or double precision.

``backend`` is the backend itself. ``probe`` looks for a device, and is imported without it: a
process that finds none does without the rest.
"""
