"""Runs of a plan by a backend, whole or in chunks, and voltages read from their tapes.

``run`` and ``chunks`` go from stage to stage, ``simulation`` by either of them, with ``starts``
(voltages and currents at time zero), ``saved`` (the state of a run in a file), ``members`` (loops),
``look`` (values in their domains) and ``place`` (arrays on a device); ``ties`` tells those that
rounding may decide. ``arrivals``, ``states``, ``voltage_kernel``, ``readout_piece``, ``trace`` and
``linear_trace`` have what no kernel computes: readouts over a piece, voltage and current at any
time, of a chunk from where its neurons stand (``standing``); ``explain`` says why a neuron is
silent or active, ``watch`` how far a long run is.
"""
