r"""The cortical microcircuit of Potjans and Diesmann: one square millimetre of cortex.

77,169 leaky integrate-and-fire neurons in four layers, excitatory and inhibitory, and 0.3 billion
synapses, each with a weight and a delay of its own. Voltages are in mV, currents in pA, times in
ms, rates in spikes/s.

A pair of populations whose probability of a connection is p has

.. math:: K = \ln(1 - p) / \ln(1 - 1 / (N_{pre} N_{post}))

synapses, drawn with replacement. At a scale s below 1 there are s times as many neurons with s
times the in-degree. Weights are divided by :math:`\sqrt s`, which keeps the variance of the input,
and a constant current makes up for the mean that is missing (van Albada et al. 2015).

References
----------
Potjans and Diesmann (2014), The cell-type specific cortical microcircuit, Cereb. Cortex 24:785-806,
doi:10.1093/cercor/bhs358.
"""

import numpy as np
import scipy.sparse as sp

import eventsim as es

NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])  # synapses from outside
RATES = np.array([0.90, 2.97, 4.41, 5.88, 7.57, 8.63, 1.11, 7.83])  # as published
PROBABILITY = np.array([  # [target, source]
    [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
    [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
    [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
    [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
    [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
    [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
    [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
    [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
])  # fmt: skip
TAU_MEM, TAU_SYN, REFRACTORY = 10.0, 0.5, 2.0
RESISTANCE = TAU_MEM / 250.0  # mV per pA: C is 250 pF
LEAK, THRESHOLD, RESET = -65.0, -50.0, -65.0
WEIGHT, G, SPREAD = 87.8, -4.0, 0.1  # pA; inhibitory ones times G; standard deviation / mean
EXTERNAL_RATE = 8.0  # of each synapse from outside
DELAYS = {"E": es.normal(1.5, 0.75, least=0.1), "I": es.normal(0.75, 0.375, least=0.1)}
START = (-58.0, 10.0)  # mean and standard deviation of the first voltages
# What the voltage rises by for a unit of current, mV per pA.
PEAK = RESISTANCE * (TAU_SYN / TAU_MEM) ** (TAU_MEM / (TAU_MEM - TAU_SYN))


def sizes(scale: float) -> np.ndarray:
    """Neurons of the eight populations."""
    return np.maximum(1, np.round(SIZES * scale)).astype(int)


def synapses(scale: float) -> np.ndarray:
    """Synapses of every pair of populations, [target, source]."""
    full = np.log1p(-PROBABILITY) / np.log1p(-1.0 / np.outer(SIZES, SIZES))
    return np.round(full * scale**2).astype(int)


def weights(scale: float) -> np.ndarray:
    """Mean weights, [target, source]."""
    mean = np.tile([WEIGHT, G * WEIGHT], (8, 4))
    mean[NAMES.index("L23E"), NAMES.index("L4E")] *= 2.0
    return mean / np.sqrt(scale)


def external_rates(scale: float) -> np.ndarray:
    """Poisson events into a neuron of each population; the in-degree scales with the others."""
    return EXTERNAL * EXTERNAL_RATE * scale


def currents(scale: float, poisson: bool = False) -> np.ndarray:
    """Constant current into a neuron of each population.

    It is the mean input from outside, unless that is Poisson, and what is missing of all means.
    """
    outside = EXTERNAL * WEIGHT * EXTERNAL_RATE
    inside = synapses(1.0) / SIZES[:, np.newaxis] * weights(1.0) @ RATES
    missing = (1.0 - np.sqrt(scale)) * (inside + outside * poisson)
    return TAU_SYN * 1e-3 * (outside * (not poisson) + missing)


def network(scale: float = 1.0, *, poisson: bool = False, seed: int = 1) -> es.Network:
    """The network, values in single precision; input from outside as :func:`events` has it."""
    net = es.Network(seed=seed, weight_dtype=np.float32, delay_dtype=np.float32)
    net.add_input("outside", int(sizes(scale).sum()))
    for name, size, current in zip(NAMES, sizes(scale), currents(scale, poisson), strict=True):
        net.add_population(
            name, size, tau_mem=TAU_MEM, tau_syn=TAU_SYN, resistance=RESISTANCE,
            v_leak=LEAK + RESISTANCE * current, threshold=THRESHOLD, v_reset=RESET,
            refractory=REFRACTORY,
        )  # fmt: skip
    _from_outside(net, scale, poisson, seed)
    for i, target in enumerate(NAMES):
        for j, source in enumerate(NAMES):
            mean, limit = weights(scale)[i, j], {"E": "least", "I": "most"}[source[-1]]
            net.connect(
                source, target, es.normal(mean, SPREAD * abs(mean), **{limit: 0.0}),
                rule=es.fixed_total_number(synapses(scale)[i, j]), delays=DELAYS[source[-1]],
            )  # fmt: skip
    return net


def _from_outside(net: es.Network, scale: float, poisson: bool, seed: int) -> None:
    """A synapse for every neuron: of its Poisson events, or of one that starts its voltage."""
    rng, last = np.random.default_rng(seed), 0
    for name, size in zip(NAMES, sizes(scale), strict=True):
        first, last = last, last + size
        pulse = (rng.normal(*START, size) - RESET) / PEAK
        values = np.full(size, WEIGHT / np.sqrt(scale)) if poisson else pulse
        index = np.zeros(net.input.size + 1, np.int32)
        index[first + 1 : last + 1] = 1
        shape = (net.input.size, size)
        net.connect("outside", name, sp.csr_array((values, np.arange(size), index.cumsum()), shape))


def events(
    scale: float, duration: float, *, poisson: bool = False, seed: int = 1
) -> es.EventStream:
    """Poisson sources of all channels, or one event of each at time 0."""
    if poisson:
        rates = np.repeat(external_rates(scale), sizes(scale))
        return es.poisson(rates, duration=duration, seed=seed)
    n = int(sizes(scale).sum())
    first = [(np.zeros(n), np.arange(n))]
    return es.EventStream.from_samples(first, n_channels=n, duration=duration)
