"""Runs kernels of ``meetings.cu``; as a program, under a sanitizer.

    python -m tests.support.simt.meetings FLAVOUR SEED KERNEL...

prints, to stderr, ``==== KERNEL`` before each.
"""

import sys
from pathlib import Path

import numpy as np

from tests.support.simt.host_device import HostDevice

TEXT = '#line 1 "meetings.cu"\n' + (Path(__file__).parent / "meetings.cu").read_text("utf-8")
FIRST = {
    "in_turn": lambda device: [device.zeros(1, np.int32)],
    "overflow": lambda device: [2**31 - 5],
    "not_a_whole_number": lambda device: [np.nan],
}


def meetings(seed=0, flavour="plain"):
    """A device whose kernels are those of ``meetings.cu``."""
    return HostDevice(seed, flavour, source=lambda *_: TEXT)


def meet(device, kernel, *, blocks=2, threads=64):
    """Run one kernel; what every thread left, NaN where it left nothing."""
    out = device.empty(blocks * threads, np.float32)
    args = [*FIRST.get(kernel, lambda device: [])(device), out]
    device.launch("single", kernel, blocks, threads, args, shared=4 * threads)
    return device.get(out)


def main(flavour, seed, *kernels):
    """Run kernels one after the other."""
    device = meetings(int(seed), flavour)
    for kernel in kernels:
        print("====", kernel, file=sys.stderr, flush=True)
        meet(device, kernel)


if __name__ == "__main__":
    main(*sys.argv[1:])
