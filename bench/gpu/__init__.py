"""What a CUDA device must show: ``make bench-gpu``.

==================================  ==============================================================
``python -m bench.gpu.run_all``     correctness, then all timings, into bench/results
``python -m bench.gpu.check``       the same spikes to the bit as the cpu backend, and gradients
``python -m bench.gpu.sanitize``    compute-sanitizer: memcheck, racecheck, initcheck, synccheck
``python -m bench.gpu.profile``     Nsight Compute: what limits each kernel
==================================  ==============================================================

Each takes ``--host``: the same CUDA text at small sizes, run by the processor as the tests build
it. That checks the scripts; its timings mean nothing. Without a device and without ``--host`` each
says why and ends with status 2.
"""
