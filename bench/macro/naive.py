"""The naive exact loop in C (naive.c), compiled by ``cc -O3 -march=native`` for this machine."""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

import eventsim as es

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
TAU_MEM = 20.0  # ms; tau_syn is half of it
MOST_HZ = 500.0  # of all neurons, as room for spikes


@cache
def library() -> ctypes.CDLL:
    """The compiled loop; raises RuntimeError where there is no C compiler."""
    source = Path(__file__).with_name("naive.c")
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/naive.so"
        try:
            words = ["cc", *FLAGS, str(source), "-o", target, "-lm"]
            subprocess.run(words, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(f"cc cannot compile {source.name}: {error}") from error
        loaded = ctypes.CDLL(target)
    loaded.naive_layer.restype = ctypes.c_long
    return loaded


def layer(
    times: np.ndarray,
    sources: np.ndarray,
    weights: np.ndarray,
    self_weights: np.ndarray,
    *,
    duration: float,
    fires: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Times and neurons of the spikes of one sample, in order of time; the threshold is 1."""
    n = weights.shape[1]
    most = int(MOST_HZ * n * duration * 1e-3) + 1
    spike_time, spike_neuron = np.empty(most), np.empty(most, np.int32)
    work = np.empty((2, n))
    arrays = [np.ascontiguousarray(a, np.float64) for a in (weights, self_weights, times)]
    arrays += [np.ascontiguousarray(sources, np.int32)]
    count = library().naive_layer(
        ctypes.c_long(len(times)), n, ctypes.c_double(duration), ctypes.c_double(TAU_MEM),
        fires, *(_pointer(a) for a in arrays), _pointer(work[0]),
        _pointer(work[1]), ctypes.c_long(most), _pointer(spike_time), _pointer(spike_neuron),
    )  # fmt: skip
    if count > most:
        raise RuntimeError(f"{count} spikes, room for {most}")
    order = np.argsort(spike_time[:count], kind="stable")
    return spike_time[:count][order], spike_neuron[:count][order]


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def forward(net: es.Network, stream: es.EventStream) -> list[tuple[np.ndarray, np.ndarray]]:
    """Hidden spikes of every sample; the readout runs along, at every hidden spike.

    Weights are those of the network, time constants those of :data:`TAU_MEM` for all neurons.
    """
    hidden, readout = net.projections["input->hidden"], net.projections["hidden->output"]
    own = net.projections["hidden->hidden"].values
    silent = np.zeros(readout.values.shape[1])
    found = []
    for (times, channels), duration in zip(stream, stream.duration, strict=True):
        spikes = layer(times, channels, hidden.values, own, duration=float(duration), fires=True)
        layer(*spikes, readout.values, silent, duration=float(duration), fires=False)
        found.append(spikes)
    return found
