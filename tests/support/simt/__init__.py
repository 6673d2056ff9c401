"""The CUDA text, run on the host: a stand-in for a device, its headers and its array library.

=================  ==================================================================
``simt.h``         what kernel text sees in place of CUDA's device headers
``simt.cpp``       runs blocks, threads and warps, and checks how they meet
``fiber.cpp``      one stack per CUDA thread, known to the sanitizers
``source.py``      what the text says of its kernels: which have barriers, launch bounds
``build.py``       g++ builds of it: plain, under sanitizers, for coverage; cached
``arrays.py``      arrays that refuse what CuPy's refuse
``signatures.py``  what CuPy's functions and methods take; notes what was called
``host_device.py`` ``HostDevice``, a :class:`eventsim.engine.cuda.device.Device`
``runs.py``        networks and streams that go through every kernel
``exercise.py``    goes through them, here or in a process of its own
``coverage.py``    which lines of the kernels ran, by gcov
``meetings.*``     kernels that meet well and badly, to test the stand-in itself
=================  ==================================================================
"""

from tests.support.simt.build import why_not
from tests.support.simt.host_device import HostDevice, devices, small_grids

__all__ = ["HostDevice", "devices", "small_grids", "why_not"]
