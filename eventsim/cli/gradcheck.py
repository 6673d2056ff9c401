"""``eventsim gradcheck``: the proof that gradients are right.

Two independent comparisons. Against finite differences: :func:`eventsim.gradcheck`, per
parameter array, in double precision. Against the reference backend, which is the definition: the
same spikes, at the same times, and the same gradients.

The loss is softmax cross-entropy on the readouts plus the van Rossum distance of every spiking
population to random target trains, so that both kinds of seeds take part.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.text import Text

from eventsim.adjoint import Loss, backward, gradcheck
from eventsim.arrays import Floats
from eventsim.cli import completion
from eventsim.cli.events import find_network
from eventsim.cli.options import BACKEND, JsonOption
from eventsim.cli.terminal import check_passed, present, say_backend, show_table, stdout
from eventsim.engine import simulate
from eventsim.engine.contract.registry import set_threads
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import Network, self_recurrent
from eventsim.neuron.lif import synaptic_gain
from eventsim.train import CrossEntropy, SumOfLosses, VanRossum

TIME_TOLERANCE = 1e-9  # ms, between backends in double precision
GRADIENT_TOLERANCE = 1e-9  # relative to the array's largest entry, between backends

N_INPUTS, N_OUTPUTS = 5, 3
N_SAMPLES, DURATION, RATE = 2, 80.0, 60.0  # samples, ms, events per second and channel
TARGET_RATE = 40.0  # Hz


def gradcheck_command(
    net: Annotated[
        Path | None,
        typer.Argument(
            metavar="NET",
            help="Network file or run; by default a random network.",
            autocompletion=completion.complete_net,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    neurons: Annotated[
        int, typer.Option(min=1, help="Neurons per hidden population of the random network.")
    ] = 5,
    directions: Annotated[
        int, typer.Option(min=1, help="Entries compared per parameter array.")
    ] = 4,
    tolerance: Annotated[float, typer.Option(help="Largest relative error that passes.")] = 1e-6,
    backend: Annotated[str, BACKEND] = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Check the gradients: against finite differences, and against the reference backend.

    The random network has two hidden populations with self-recurrence and skip connections, delays,
    refractory times, and a leak and reset that are not zero; its thresholds do not adapt, those of
    a run may. Where a change of an entry makes a spike appear or vanish, finite differences are not
    valid; such entries are left out and counted. The exit code is 1 if the check fails.

    [bold]Examples[/bold]

    eventsim gradcheck

    eventsim gradcheck runs/demo --directions 3

    eventsim gradcheck --seed 7 --neurons 20 --json
    """
    began = time.perf_counter()
    # Thousands of tiny runs: a second thread would only wait.
    set_threads(1, backend=backend)
    say_backend(backend)
    rng = np.random.default_rng(seed)
    network = random_network(rng, neurons) if net is None else find_network(net)
    stream = random_stream(rng, network.input.size)
    loss = random_loss(rng, network)
    check = gradcheck(network, stream, loss, backend=backend, n_directions=directions, seed=seed)
    tape, reference, differences = _against_reference(network, stream, loss, backend)
    worst_difference = max(differences.values())
    passed = (
        check.n_compared > 0
        and check.worst_relative_error <= tolerance
        and reference["same_spikes"]
        and reference["worst_time_error_ms"] <= TIME_TOLERANCE
        and worst_difference <= GRADIENT_TOLERANCE
    )
    found = {
        "network": "random" if net is None else str(net),
        "settings": {
            "seed": seed,
            "neurons": neurons,
            "directions": directions,
            "tolerance": tolerance,
            "backend": backend,
        },
        "spikes": {name: len(tape[name]) for name in tape.names},
        "rows": [asdict(row) | {"against_reference": differences[row.name]} for row in check.rows],
        "n_compared": check.n_compared,
        "n_left_out": check.n_left_out,
        "worst_relative_error": check.worst_relative_error,
        "reference": reference | {"worst_gradient_difference": worst_difference},
        "seconds": time.perf_counter() - began,
        "passed": bool(passed),
    }
    present(found, _show, as_json=as_json)
    check_passed(passed)


def _against_reference(
    net: Network, stream: EventStream, loss: Loss, backend: str
) -> tuple[SpikeTape, dict[str, Any], dict[str, float]]:
    """Tape; how its spikes agree; gradient difference by array."""
    tape = simulate(net, stream, backend=backend)
    expected = simulate(net, stream, backend="reference")
    mine, theirs = backward(net, tape, loss), backward(net, expected, loss)
    agree, error = True, 0.0
    for name in tape.names:
        one, two = tape[name], expected[name]
        same = np.array_equal(one.counts(), two.counts())
        agree = agree and same
        if same:
            error = max(error, float(np.abs(_by_neuron(one) - _by_neuron(two)).max(initial=0.0)))
    got = mine.flat() | {"input_times": mine.input_times}
    wanted = theirs.flat() | {"input_times": theirs.input_times}
    differences = {}
    for name, values in got.items():
        scale = np.abs(wanted[name]).max(initial=0.0)
        worst = float(np.abs(values - wanted[name]).max(initial=0.0))
        differences[name] = worst / scale if scale > 0.0 else worst
    return tape, {"same_spikes": bool(agree), "worst_time_error_ms": error}, differences


def _by_neuron(trains: SpikeTrains) -> Floats:
    """Spike times in the order (sample, neuron, time), which rounding cannot change."""
    sample = np.repeat(np.arange(trains.n_samples), np.diff(trains.offsets))
    return trains.times[np.lexsort((trains.times, trains.neurons, sample))]


def _show(found: Mapping[str, Any]) -> None:
    """The proof as tables, and a verdict."""
    rows = [
        [
            row["name"],
            row["n_compared"],
            row["n_left_out"],
            f"{row['worst_relative_error']:.1e}" if row["n_compared"] else "-",
            f"{row['against_reference']:.1e}",
        ]
        for row in found["rows"]
    ]
    spikes = ", ".join(f"{number} of {name}" for name, number in found["spikes"].items())
    backend = found["settings"]["backend"]
    show_table(
        f"Gradients of {found['network']} network on backend {backend} (spikes: {spikes})",
        ["parameter", "compared", "left out", "error to differences", "to reference"],
        rows,
    )
    reference = found["reference"]
    same = "the same spikes" if reference["same_spikes"] else "DIFFERENT SPIKES"
    out = stdout()
    out.print(
        f"Finite differences: worst relative error {found['worst_relative_error']:.1e} of "
        f"{found['n_compared']} entries, at most {found['settings']['tolerance']:.0e} is right.\n"
        f"Reference backend: {same}, times within {reference['worst_time_error_ms']:.1e} ms, "
        f"gradients within {reference['worst_gradient_difference']:.1e} of the largest entry."
    )
    verdict = Text("Right", "bold green") if found["passed"] else Text("WRONG", "bold red")
    out.print(Text.assemble(verdict, f" ({found['seconds']:.1f} s)"))


def random_network(rng: np.random.Generator, neurons: int) -> Network:
    """Two hidden populations with skips and self-recurrence; no parameter is neutral."""
    net = Network()
    net.add_input("input", N_INPUTS)
    earlier = ["input"]
    for name, size in (("hidden1", neurons), ("hidden2", neurons), ("output", N_OUTPUTS)):
        membrane = {
            "tau_mem": rng.uniform(6.0, 20.0, size),
            "tau_syn": rng.uniform(3.0, 8.0, size),
            "resistance": rng.uniform(0.7, 1.4, size),
            "v_leak": rng.uniform(0.05, 0.2, size) * rng.choice([-1.0, 1.0], size),
        }
        # One neuron per population stands on the regular point of equal time constants.
        membrane["tau_mem"][0] = membrane["tau_syn"][0]
        if name == "output":
            net.add_readout(name, size, **membrane)
        else:
            net.add_population(
                name,
                size,
                **membrane,
                threshold=rng.uniform(0.8, 1.2, size),
                v_reset=rng.uniform(-0.4, 0.3, size),
                refractory=rng.uniform(0.5, 2.5, size),
            )
        peak = _peaks(membrane)
        for source in earlier:
            n = net.population(source).size
            scale = (0.6 if source == "input" else 0.4) / np.sqrt(len(earlier))
            weights = scale * rng.normal(0.5, 0.5, (n, size)) / peak
            net.connect(source, name, weights, delays=rng.uniform(0.3, 5.0, (n, size)))
        if name != "output":
            own = rng.uniform(0.1, 0.4, size) * rng.choice([-1.0, 1.0], size) / peak
            net.connect(name, name, self_recurrent(own), delays=rng.uniform(0.3, 3.0, size))
            earlier.append(name)
    return net


def _peaks(membrane: Mapping[str, Floats]) -> Floats:
    """Highest voltage that one unit of weight causes, per neuron."""
    times = np.linspace(0.1, 60.0, 600)
    kernels = [
        max(synaptic_gain(t, tau_mem, tau_syn) for t in times)
        for tau_mem, tau_syn in zip(membrane["tau_mem"], membrane["tau_syn"], strict=True)
    ]
    return membrane["resistance"] * np.array(kernels, dtype=np.float64)


def random_stream(rng: np.random.Generator, n_channels: int) -> EventStream:
    """Poisson events; of wide inputs as many in all as of ``4 * N_INPUTS`` channels."""
    expected = min(n_channels, 4 * N_INPUTS) * RATE * DURATION / 1000.0
    samples = []
    for count in rng.poisson(expected, N_SAMPLES):
        times = np.sort(rng.uniform(0.0, DURATION, count))
        samples.append((times, rng.integers(0, n_channels, count)))
    return EventStream.from_samples(samples, n_channels=n_channels, duration=DURATION)


def random_loss(rng: np.random.Generator, net: Network) -> Loss:
    """Cross-entropy of every readout plus the distance of every population to random trains."""
    terms: list[tuple[float, Loss]] = []
    for population in net.populations.values():
        if population.name in net.readouts:
            labels = rng.integers(0, population.size, N_SAMPLES)
            loss = CrossEntropy(labels, readout=population.name, time_constant=60.0, gain=20.0)
            terms.append((1.0, loss))
        elif population.name in net.spiking:
            targets = _random_trains(rng, population.size)
            distance = VanRossum(targets, population=population.name, time_constant=15.0)
            terms.append((1.0 / population.size, distance))
    return SumOfLosses(tuple(terms))


def _random_trains(rng: np.random.Generator, size: int) -> SpikeTrains:
    counts = rng.poisson(TARGET_RATE * DURATION / 1000.0 * size, N_SAMPLES)
    times = [np.sort(rng.uniform(0.0, DURATION, count)) for count in counts]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    neurons = rng.integers(0, size, int(offsets[-1])).astype(np.int32)
    return SpikeTrains(np.concatenate(times), neurons, offsets, size)
