"""Does the device give the same spikes as the cpu backend, to the bit, and the same gradients.

Method   ScSr nets with two hidden populations of 128 and all skips, every time constant different;
         dense and sparse weights, with and without a delay per synapse, and a loop of the two; 32
         samples of 1 s at 100 spikes/s in 64 channels. Single precision: times, neurons and counts
         must be equal, and all spikes together at least 100,000 in every case. Double: the same
         neurons as often, times within 1e-9 ms. Gradients of the cross-entropy: the largest
         difference relative to the largest entry of its array. The gradient by a delay that all
         synapses share is a sum in which most cancels: its difference is relative to the sum of
         the sizes of its terms, which are the gradients by a delay of each synapse. Two runs on
         the device must give the same bits. A case that differs or ends with an error is a row,
         too, and the others follow. Silences: the same events, in single precision, with 4 s of
         nothing after the first half and at the end. Losses of voltages, spikes and parameters
         left on the device: the maximum behind a network of convolutions with a linear decision,
         and without; the last value; CTC.
Answer   see results/gpu-*.jsonl.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import eventsim as es
from bench.gpu.nets import CASES, N_INPUTS, N_OUTPUTS, loss_of, scsr_net, stream_of, with_silences
from bench.gpu.place import Place, options_of, place
from bench.harness import report
from eventsim.arrays import to_host
from eventsim.engine import place as place_net
from eventsim.train import CTC, VoltageCrossEntropy

LEAST_SPIKES = 100_000
# ms: exp(-SILENCE / 24 ms), the slowest decay, is zero in single precision.
SILENCE = 4_000.0
SILENT = ("dense", "sparse", "loop")
# ms. Double precision: exp and log are the library's on the host and the device's own there.
TIMES_WITHIN = {"single": 0.0, "double": 1e-9}
# Relative to the array's largest entry: sums run in another order, so a gradient in single
# precision is off by some ulps of 1.2e-7, which later stages amplify.
GRADIENTS_WITHIN = {"single": 1e-5, "double": 1e-9}
# Columns of the table that matter most.
FIRST = (
    "case",
    "precision",
    "passed",
    "error",
    "spikes",
    "other_counts",
    "worst_ms",
    "gradient_error",
    "worst_gradient",
    "repeats_to_the_bit",
)


@dataclass(frozen=True)
class Case:
    """A network, its stream and what it learns.

    ``resident`` leaves spikes, parameters and gradients on the device.
    """

    net: es.Network
    stream: es.EventStream
    loss: Any
    precisions: tuple[str, ...] = ("single", "double")
    resident: bool = False


def run(case: Case, backend: str, precision: Any) -> tuple[es.SpikeTape, es.Gradients]:
    """A tape and all gradients."""
    net = place_net(case.net, backend=backend) if case.resident else case.net
    tape = es.simulate(
        net, case.stream, backend=backend, precision=precision, resident=case.resident
    )
    return tape.to_host(), es.backward(net, tape, case.loss)


def compare_spikes(one: es.SpikeTape, two: es.SpikeTape) -> dict[str, Any]:
    """Numbers of spikes, of neurons that fired another number of times, and of other times."""
    spikes = sum(len(two[name]) for name in two.names)
    counts = sum(int((one[n].counts() != two[n].counts()).sum()) for n in two.names)
    if counts:
        return {"spikes": spikes, "other_counts": counts, "other_times": None, "worst_ms": None}
    gaps = np.concatenate([np.abs(_by_neuron(one[n]) - _by_neuron(two[n])) for n in two.names])
    return {
        "spikes": spikes,
        "other_counts": 0,
        "other_times": int((gaps > 0.0).sum()),
        "worst_ms": float(gaps.max(initial=0.0)),
    }


def _by_neuron(trains: es.SpikeTrains) -> np.ndarray:
    sample = np.repeat(np.arange(trains.n_samples), np.diff(trains.offsets))
    return trains.times[np.lexsort((trains.times, trains.neurons, sample))]


def compare_gradients(
    one: es.Gradients, two: es.Gradients, sizes: Mapping[str, float]
) -> tuple[float, str]:
    """The largest relative difference, and its array.

    Relative to what ``sizes`` says of an array, or else to its largest entry.
    """
    first, second = _arrays(one), _arrays(two)
    worst = (0.0, "")
    for key, expected in second.items():
        if expected.size:
            scale = sizes.get(key) or float(np.abs(expected).max()) or 1.0
            worst = max(worst, (float(np.abs(first[key] - expected).max()) / scale, key))
    return worst


def term_sizes(case: Case) -> dict[str, float]:
    """Of the gradient by each delay that all synapses share: the sum of the sizes of its terms.

    They are the gradients by delays per synapse, all of them equal: on the cpu backend, in double
    precision.
    """
    arrays, shared = case.net.to_arrays(), list[str]()
    for name, projection in case.net.projections.items():
        if projection.delays.ndim == 0:
            shared.append(f"{name}.delays")
            arrays[shared[-1]] = np.full(projection.values.shape, float(projection.delays))
    if not shared:
        return {}
    apart = replace(case, net=es.Network.from_arrays(arrays), resident=False)
    found = run(apart, "cpu", "double")[1].flat()
    return {key: float(np.abs(found[key]).sum()) for key in shared}


def same_bits(one: tuple[es.SpikeTape, es.Gradients], two: tuple[Any, Any]) -> bool:
    """Whether two runs agree in every number."""
    first, second = _arrays(one[1]), _arrays(two[1])
    return all(np.array_equal(first[key], second[key]) for key in first) and all(
        np.array_equal(getattr(one[0][name], part), getattr(two[0][name], part))
        for name in one[0].names
        for part in ("times", "neurons", "offsets")
    )


def _arrays(gradients: es.Gradients) -> dict[str, np.ndarray]:
    arrays = gradients.flat() | {"input_times": gradients.input_times}
    return {key: to_host(values) for key, values in arrays.items()}


def cases_of(*, host: bool) -> dict[str, Case]:
    """All of them; small ones for the host build."""
    size, stream = (8, stream_of(2, 100.0)) if host else (128, stream_of(32, 1000.0))
    loss = loss_of(stream.n_samples)
    nets = {name: scsr_net(size, **about) for name, about in CASES.items()}
    cases = {name: Case(net, stream, loss) for name, net in nets.items()}
    quiet = with_silences(stream, SILENCE)
    for name in SILENT:
        cases[f"{name}, silences"] = Case(nets[name], quiet, loss, ("single",))
    labels, maps = np.arange(stream.n_samples) % N_OUTPUTS, (4, 3) if host else (24, 30)
    convolution = es.convolutional(N_INPUTS, maps[:1], N_OUTPUTS, output_maps=maps[1], mean=3.0)
    words = [(int(k) % 10, (int(k) + 3) % 10) for k in labels]
    losses = {
        "convolution, maximum": (convolution, VoltageCrossEntropy(labels)),
        "maximum": (nets["dense"], VoltageCrossEntropy(labels)),
        "last": (nets["sparse, delays"], VoltageCrossEntropy(labels, at="last")),
        "CTC": (nets["dense"], CTC(words)),
    }
    for name, (net, own) in losses.items():
        cases[name] = Case(net, stream, own, resident=True)
    return cases


def rows_of(where: Place) -> Iterator[dict[str, Any]]:
    """One row per case and precision, when it is there; one that ends with an error says which."""
    least = 0 if where.host else LEAST_SPIKES
    for name, case in cases_of(host=where.host).items():
        for precision in case.precisions:
            row = {"bench": "gpu-check", "case": name, "precision": precision}
            try:
                row |= compared(case, precision)
            except Exception as error:  # of CUDA, of CuPy, of ours: the other cases are asked
                row |= {"error": f"{type(error).__name__}: {error}", "passed": False}
            else:
                row["passed"] = passed(row, least=least)
            yield row


def compared(case: Case, precision: str) -> dict[str, Any]:
    """How spikes and gradients of two runs on the device differ from the cpu backend's."""
    there = run(case, "cuda", precision)
    again = run(case, "cuda", precision)
    here = run(case, "cpu", precision)
    row = compare_spikes(there[0], here[0])
    worst, key = compare_gradients(there[1], here[1], term_sizes(case))
    row |= {"gradient_error": worst, "worst_gradient": key}
    return row | {"grazes": there[1].grazes, "repeats_to_the_bit": same_bits(there, again)}


def passed(row: Mapping[str, Any], *, least: int) -> bool:
    """Whether a row is as it must be."""
    return (
        row["spikes"] >= max(least, 1)
        and row["other_counts"] == 0
        and row["worst_ms"] <= TIMES_WITHIN[row["precision"]]
        and row["gradient_error"] <= GRADIENTS_WITHIN[row["precision"]]
        and row["repeats_to_the_bit"]
    )


def main(words: list[str] | None = None) -> int:
    """Exit status: 0 all passed, 1 something differs or ended with an error, 2 no device."""
    options: argparse.Namespace = options_of(__doc__.splitlines()[0]).parse_args(words)
    with place(host=options.host) as where:
        rows = report(rows_of(where), options, device=where.facts, first=FIRST)
    failed = [row for row in rows if not row["passed"]]
    for row in failed:
        why = row.get("error", "is not as the cpu backend has it")
        print(f"FAILED: {row['case']}, {row['precision']}: {why}", file=sys.stderr)
    print(f"{len(rows) - len(failed)} of {len(rows)} passed.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
