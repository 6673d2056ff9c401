"""Networks and streams of the checks: every kind of projection, no parameter at its default."""

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.train import CrossEntropy

N_INPUTS, N_OUTPUTS = 64, 11
Delays = bool | Literal["source"]
CASES: dict[str, dict[str, Any]] = {
    "dense": {},
    "sparse": {"density": 0.2},
    "delays": {"delays": True},
    "sparse, delays": {"density": 0.2, "delays": True},
    "delays by source": {"delays": "source"},
    "loop": {"density": 0.2, "delays": True, "loop": True},
    "adaptive": {"adaptive": True},
    "adaptive, loop": {"density": 0.2, "delays": True, "loop": True, "adaptive": True},
    # As cpu goes event by event.
    "linear": {"density": 0.2, "delays": True, "linear": True},
    "linear, loop": {"density": 0.2, "delays": True, "loop": True, "linear": True},
}


def scsr_net(
    size: int,
    *,
    density: float | None = None,
    delays: Delays = False,
    loop: bool = False,
    adaptive: bool = False,
    linear: bool = False,
    seed: int = 0,
) -> es.Network:
    """Two self-recurrent hidden populations of ``size`` with all skips, every neuron its own.

    With ``loop`` the second inhibits the first in return: both run as one stage. ``delays`` are of
    synapses, or of sources alone. Where neurons are ``adaptive`` a spike raises their thresholds;
    ``linear`` ones are AdLIF.
    """
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", N_INPUTS)
    earlier = ["input"]
    for name in ("hidden1", "hidden2"):
        values: dict[str, Any] = {
            "tau_mem": rng.uniform(12.0, 24.0, size),
            "tau_syn": rng.uniform(5.0, 12.0, size),
            "resistance": rng.uniform(0.8, 1.2, size),
            "threshold": rng.uniform(0.9, 1.1, size),
            "v_leak": rng.uniform(-0.1, 0.1, size),
            "v_reset": rng.uniform(-0.2, 0.1, size),
            "refractory": rng.uniform(0.5, 2.0, size),
        }
        if linear:
            del values["resistance"]
            values = {"neuron": es.AdLIF(**values, **_adaptation_current(size))}
        net.add_population(name, size, **values, **_adaptation(size) if adaptive else {})
        for source in earlier:
            _connect(net, source, name, rng, density, delays)
        later = rng.uniform(0.0, 3.0, size) if delays is True else 0.0
        net.connect(name, name, es.self_recurrent(rng.normal(0.0, 0.1, size)), delays=later)
        earlier.append(name)
    if loop:
        _connect(net, "hidden2", "hidden1", rng, density, delays, gain=-0.3)
    tau_mem, tau_syn = rng.uniform(15.0, 25.0, N_OUTPUTS), rng.uniform(5.0, 12.0, N_OUTPUTS)
    net.add_readout("output", N_OUTPUTS, tau_mem=tau_mem, tau_syn=tau_syn)
    for source in earlier:
        _connect(net, source, "output", rng, density, delays)
    return net


def _adaptation(size: int) -> dict[str, Any]:
    return {
        "adaptation": np.linspace(0.1, 0.6, size), "tau_adaptation": np.linspace(60.0, 10.0, size),
    }  # fmt: skip


def _adaptation_current(size: int) -> dict[str, Any]:
    return {
        "tau_w": np.linspace(120.0, 30.0, size), "a": np.linspace(-0.2, 0.5, size),
        "b": np.linspace(0.0, 0.2, size),
    }  # fmt: skip


def _connect(
    net: es.Network,
    source: str,
    target: str,
    rng: np.random.Generator,
    density: float | None,
    delays: Delays,
    *,
    gain: float = 1.0,
) -> None:
    """Weights that let a population of any size and density fire at about the same rate."""
    pre, post = net.population(source), net.population(target)
    shape = (pre.size, post.size)
    # A hidden neuron fires at a fifth of the rate of an input channel.
    fan_in = pre.size * (density or 1.0) * (1.0 if pre.kind == "input" else 0.2)
    mean, spread = 1.0 / fan_in, 2.0 / np.sqrt(fan_in) / np.sqrt(8.0)
    weights: Any = gain * rng.normal(mean, spread, shape)
    if density is not None:
        weights = sp.csr_array(np.where(rng.random(shape) < density, weights, 0.0))
    size = weights.nnz if density is not None else shape
    if delays == "source":
        size = pre.size
    net.connect(source, target, weights, delays=rng.uniform(0.0, 5.0, size) if delays else 0.0)


def stream_of(n_samples: int, duration: float, *, seed: int = 1) -> es.EventStream:
    """Poisson events at 100 spikes/s and channel."""
    return poisson(n_samples, N_INPUTS, 0.1 * duration * N_INPUTS, duration, seed=seed)


def poisson(
    n_samples: int, n_channels: int, events: float, duration: float, *, seed: int
) -> es.EventStream:
    """Samples of ``events`` events on average, evenly over channels and time."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(events, n_samples)
    samples = [
        (np.sort(rng.uniform(0.0, duration, n)), rng.integers(0, n_channels, n)) for n in counts
    ]
    return es.EventStream.from_samples(samples, n_channels=n_channels, duration=duration)


def with_silences(stream: es.EventStream, silence: float) -> es.EventStream:
    """The stream with ``silence`` ms after the first half of every sample, and at its end."""
    half, samples = 0.5 * stream.duration, []
    for (times, channels), middle in zip(stream, half, strict=True):
        samples.append((np.where(times < middle, times, times + silence), channels))
    return es.EventStream.from_samples(
        samples, n_channels=stream.n_channels, duration=stream.duration + 2.0 * silence
    )


def loss_of(n_samples: int) -> CrossEntropy:
    """Cross-entropy with the labels in turn."""
    return CrossEntropy(np.arange(n_samples) % N_OUTPUTS, time_constant=300.0)
