"""NeuroBench: its metrics of a run in its own keys, and a network that its harness can run.

:func:`neurobench_results` counts from the tape and needs nothing installed.
:func:`neurobench_model` wraps a network for the harness of NeuroBench 2.3: the network runs in
exact time, and its spikes, in bins of a named step, then pass through layers on which NeuroBench's
own hooks count. Both give the same numbers.

Definitions are NeuroBench's: the footprint is that of all weights as full matrices and of all
parameters, four bytes each, zeros included (:func:`eventsim.energy.footprint` says what must really
be stored); connection sparsity is rounded to four digits; activation sparsity is the mean over
batches. A self-recurrent projection is a layer with one weight per neuron.

A linear decision is a layer with bias that is called once per batch with the voltages that it
reads. Their products with weights are effective MACs; NeuroBench leaves out a voltage that is 0 to
the bit (of a readout neuron that nothing reached), which :func:`eventsim.energy.count` counts,
because a machine that does not look at its inputs multiplies all the same. NeuroBench has no keys
for what enters and leaves a chip, for static power, nor for an encoder of the input.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.adjoint.linear.voltage import joined_voltages, readout_last, readout_maximum
from eventsim.arrays import Floats, Ints
from eventsim.energy.arrivals import CountedRun, Wires, make_run
from eventsim.energy.steps import ClockedCounts, clocked, total
from eventsim.engine import readout_integral, simulate
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.events import EventStream, SpikeTape
from eventsim.events.source import SourceSpikes
from eventsim.events.steps import step_count, step_within
from eventsim.network import Decision, Network

FLOAT_BYTES = 4
Predict = Callable[[Network, SpikeTape], Any]


def neurobench_results(
    net: Network, tape: SpikeTape, *, step_ms: float, batch_size: int = 1
) -> dict[str, Any]:
    """NeuroBench's complexity metrics of a run, in NeuroBench's keys.

    Parameters
    ----------
    net, tape
        A network, and the tape of :func:`eventsim.simulate` with it. A decision reads the voltages
        that the network's answer says, without one the largest.
    step_ms, batch_size
        As :func:`eventsim.energy.clocked`. All but ``footprint``, ``connection_sparsity`` and, if
        no step puts two events together, ``Effective_ACs`` depend on the step.

    Returns
    -------
    dict
        ``footprint`` (bytes), ``connection_sparsity``, ``activation_sparsity``, and
        ``synaptic_operations`` with ``Effective_MACs``, ``Effective_ACs`` and ``Dense`` per sample.
    """
    _refuse_strings(net)
    net, tape = net.to_host(), tape.to_host()
    found = clocked(net, tape, step_ms=step_ms, batch_size=batch_size)
    n = found.steps.size
    decided = _decided(net, tape, batch_size)
    wires = [Wires(projection) for projection in net.projections.values()]
    possible = sum(each.n_possible for each in wires)
    nonzero = sum(int(each.nonzero_fan_out.sum()) for each in wires)
    numbers = sum(values.size for values in _buffers(net).values())
    if net.decision is not None:
        possible += net.decision.weights.size
        nonzero += int(np.count_nonzero(net.decision.weights))
        numbers += net.decision.bias.size
    numbers += possible
    return {
        "footprint": FLOAT_BYTES * numbers,
        "connection_sparsity": round(1.0 - nonzero / possible, 4) if possible else 0.0,
        "activation_sparsity": _mean_over_batches(found),
        "synaptic_operations": {
            "Effective_MACs": float((total(found.effective_macs, n) + decided.macs).mean()),
            "Effective_ACs": float((total(found.effective_acs, n) + decided.acs).mean()),
            "Dense": float((total(found.dense, n) + decided.dense).mean()),
        },
    }


class _Decided(NamedTuple):
    """Operations of a linear decision, [samples]; those of no decision are 0."""

    macs: Ints
    acs: Ints
    dense: int


def _decided(net: Network, tape: SpikeTape, batch_size: int) -> _Decided:
    n = tape.stream.n_samples
    if net.decision is None:
        return _Decided(np.zeros(n, np.int64), np.zeros(n, np.int64), 0)
    read = _read_voltages(net, tape)
    operations = (read != 0.0) @ np.count_nonzero(net.decision.weights, axis=1)
    # A call whose inputs are all 0, 1 or -1 is one of spikes to NeuroBench.
    first = np.arange(0, n, batch_size)
    spikes = np.logical_and.reduceat(np.isin(read, (0.0, 1.0, -1.0)).all(axis=1), first)
    spiking = np.repeat(spikes, np.diff([*first, n]))
    return _Decided(
        np.where(spiking, 0, operations),
        np.where(spiking, operations, 0),
        net.decision.weights.size,
    )


def _refuse_strings(net: Network) -> None:
    if net.decision is not None and net.answer is not None and net.answer.rule == "ctc":
        raise NetworkError(
            f"Decision behind {net.decision.readout!r}: decides in every frame of strings (ctc), "
            "where NeuroBench calls a layer once a sample, expected the rule maximum or last. "
            "eventsim.energy.count and eventsim cost count it."
        )


def _read_voltages(net: Network, tape: SpikeTape) -> NDArray[np.float32]:
    """What a decision reads, [samples, readout neurons], in the harness's precision."""
    assert net.decision is not None
    last = net.answer is not None and net.answer.rule == "last"
    probes = (readout_last if last else readout_maximum)(net, tape, net.decision.readout)
    voltages: NDArray[np.float32] = joined_voltages(probes)[:, :, 0].astype(np.float32)
    return voltages


def _mean_over_batches(found: ClockedCounts) -> float:
    """Activation sparsity of every batch, weighted by its samples."""
    n = found.steps.size
    neurons = sum(found.sizes[name] for name in found.activations)
    first = np.arange(0, n, found.batch_size)
    if neurons == 0 or n == 0:
        return 0.0
    spikes = np.add.reduceat(total(found.activations, n), first)
    places = np.add.reduceat(found.steps, first) * neurons
    samples = np.diff([*first, n])
    # Added up in NeuroBench's order: the same to the last bit.
    return float(sum(((places - spikes) / places * samples / n).tolist()))


def _buffers(net: Network) -> dict[str, NDArray[Any]]:
    """Numbers of a network that are no weights, by names that torch takes."""
    found = {
        f"{population.name}_{key}": values
        for population in net.populations.values()
        for key, values in population.parameters.items()
    }
    for number, projection in enumerate(net.projections.values()):
        if projection.delays.any():
            found[f"delays_{number}"] = projection.delays
    return found


def neurobench_batch(stream: EventStream) -> Any:
    """A stream as a torch tensor for a DataLoader of the harness, float64 [samples, events, 2].

    Rows are (time in ms, channel); the first of a sample is (its duration, -1), and what follows
    its last event is (inf, -1).
    """
    torch, _ = _imports()
    rows = int(np.diff(stream.offsets).max(initial=0)) + 1
    batch = np.full((stream.n_samples, rows, 2), (np.inf, -1.0))
    batch[:, 0, 0] = stream.duration
    for sample, (times, channels) in enumerate(stream):
        batch[sample, 1 : times.size + 1] = np.column_stack([times, channels])
    return torch.as_tensor(batch)


def _stream_of(batch: Any, n_channels: int) -> EventStream:
    """What :func:`neurobench_batch` made of a stream."""
    rows = np.asarray(batch.cpu(), dtype=np.float64)
    if rows.ndim != 3 or rows.shape[2] != 2 or (rows[:, 0, 1] != -1.0).any():
        raise ShapeError(
            f"NeuroBench: the batch has shape {rows.shape}, expected what neurobench_batch(stream) "
            "gives: [samples, events, 2] with durations in front."
        )
    events = [sample[1:][np.isfinite(sample[1:, 0])] for sample in rows]
    return EventStream.from_samples(
        [(times, channels.astype(np.int64)) for times, channels in (e.T for e in events)],
        n_channels=n_channels,
        duration=rows[:, 0, 0],
    )


def neurobench_model(
    net: Network, *, step_ms: float, predict: Predict | None = None, backend: str = "auto"
) -> Any:
    """A network as a NeuroBenchModel, for ``neurobench.benchmarks.Benchmark``.

    Parameters
    ----------
    net
        Delays of a source may not differ between its synapses: NeuroBench's layers have one input
        per source.
    step_ms
        Of the bins in which NeuroBench sees the exact spikes.
    predict
        Takes network and tape and gives the answers that are compared with targets, one per sample;
        by default the class of the largest score of a linear decision, without one the readout
        whose voltage has the largest integral.
    backend
        As :func:`eventsim.simulate`.

    Returns
    -------
    NeuroBenchModel
        Takes batches of :func:`neurobench_batch`.

    Raises
    ------
    NetworkError, ParameterError
    ImportError
        NeuroBench is not installed.
    """
    _refuse_strings(net)
    torch, base = _imports()
    net = net.to_host()
    if not 0.0 < step_ms < np.inf:
        raise ParameterError(f"neurobench_model: step_ms is {step_ms}, expected a number > 0.")
    for projection in net.projections.values():
        if projection.delay_per_synapse:
            raise NetworkError(
                f"Projection {projection.name!r}: has a delay per synapse, which NeuroBench's "
                "layers cannot express. neurobench_results(net, tape, step_ms=...) counts it."
            )
    answer = _largest(net) if predict is None else predict
    module, fired = _module(torch, net)

    class EventSimModel(base):  # type: ignore[misc, valid-type]
        """A network of eventsim in exact time, seen by NeuroBench in bins."""

        def __init__(self) -> None:
            super().__init__()
            self.add_activation_module(fired)

        def __net__(self) -> Any:
            return module

        def __call__(self, batch: Any) -> Any:
            tape = simulate(net, _stream_of(batch, net.input.size), backend=backend)
            with torch.no_grad():
                module(_frames(torch, make_run(net, tape), step_ms))
                if net.decision is not None:
                    module.decision(torch.as_tensor(_read_voltages(net, tape)))
            return torch.as_tensor(np.asarray(answer(net, tape)))

    return EventSimModel()


def _largest(net: Network) -> Predict:
    """The class of the largest score, or the readout neuron of the largest integral."""
    decision = net.decision
    if decision is not None:
        return lambda net, tape: _scores(decision, _read_voltages(net, tape)).argmax(axis=1)
    readouts = list(net.readouts)
    if len(readouts) != 1:
        raise NetworkError(
            f"neurobench_model: the readouts are {readouts}, expected one. Or pass predict."
        )
    return lambda net, tape: readout_integral(net, tape, readouts[0]).argmax(axis=1)


def _scores(decision: Decision, read: NDArray[np.float32]) -> Floats:
    return read @ decision.weights + decision.bias


def _module(torch: Any, net: Network) -> tuple[Any, type]:
    """The network as layers on which NeuroBench's hooks count, and the class of its neurons."""

    class Fired(torch.nn.Module):  # type: ignore[misc]
        """Spiking neurons: passes on the spikes they fired in a step."""

        def forward(self, spikes: Any) -> Any:
            return spikes

    class Layers(torch.nn.Module):  # type: ignore[misc]
        """All projections and spiking populations."""

        def __init__(self) -> None:
            super().__init__()
            self.projections = torch.nn.ModuleList(
                _layer(torch, p) for p in net.projections.values()
            )
            self.neurons = torch.nn.ModuleList(Fired() for _ in net.spiking)
            if net.decision is not None:
                self.decision = _decision_layer(torch, net.decision)
            for name, values in _buffers(net).items():
                self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32))

        def forward(self, frames: Mapping[str, list[Any]]) -> None:
            for name, layers in (("projections", self.projections), ("neurons", self.neurons)):
                for layer, inputs in zip(layers, frames[name], strict=True):
                    for step in range(inputs.shape[1]):
                        layer(inputs[:, step])

    return Layers(), Fired


def _layer(torch: Any, projection: Any) -> Any:
    """A projection as a layer without bias: linear, or one weight per neuron."""
    if projection.one_to_one:
        n = projection.values.size
        layer = torch.nn.Conv1d(n, n, 1, groups=n, bias=False)
        values = projection.values.reshape(n, 1, 1)
    else:
        layer = torch.nn.Linear(*projection.weights.shape, bias=False)
        values = projection.matrix(projection.values).T
    layer.weight = torch.nn.Parameter(torch.as_tensor(values, dtype=torch.float32))
    return layer


def _decision_layer(torch: Any, decision: Decision) -> Any:
    layer = torch.nn.Linear(*decision.weights.shape)
    layer.weight = torch.nn.Parameter(torch.as_tensor(decision.weights.T, dtype=torch.float32))
    layer.bias = torch.nn.Parameter(torch.as_tensor(decision.bias, dtype=torch.float32))
    return layer


def _frames(torch: Any, run: CountedRun, step_ms: float) -> dict[str, list[Any]]:
    """Inputs of projections and spikes of populations, float32 [samples, steps, neurons] each."""
    steps = int(step_count(run.duration, step_ms).max(initial=0))

    def frames(sent: SourceSpikes, met: Any, time: Any) -> Any:
        binned = np.zeros((run.n_samples, steps, sent.size), np.float32)
        sample = sent.sample[met]
        step = step_within(time[met], run.duration[sample], step_ms)
        np.add.at(binned, (sample, step, sent.neurons[met]), 1.0)
        return torch.as_tensor(binned)

    inputs = []
    for wires in run.wires.values():
        sent = run.source(wires)
        found = frames(sent, *wires.sources_met(sent, run.duration))
        inputs.append(found[..., None] if wires.projection.one_to_one else found)
    fired = [
        frames(sent, np.ones(sent.times.size, bool), sent.times)
        for sent in (run.sent[name] for name in run.net.spiking)
    ]
    return {"projections": inputs, "neurons": fired}


def _imports() -> tuple[Any, Any]:
    """Torch and the class NeuroBenchModel; the counts do without."""
    import torch
    from neurobench.models import NeuroBenchModel

    return torch, NeuroBenchModel
