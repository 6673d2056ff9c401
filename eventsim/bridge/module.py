"""EventModule: a network whose parameters PyTorch trains.

==========================  ============  =====================================================
parameter                   trained as    its domain is kept by
==========================  ============  =====================================================
tau_mem, tau_syn,           logarithm     itself; in ``state_dict`` as ``log_tau_mem`` ...
resistance, tau_adaptation
threshold                   itself        :meth:`EventModule.project_`: v_reset + margin or more
delays, refractory,         itself        :meth:`EventModule.project_`: 0 or more
adaptation
weights, v_leak, v_reset    itself
==========================  ============  =====================================================

A parameter that is trained as itself shares its memory with the network: a step of an optimiser
changes both. After ``module.to(...)`` or a deep copy this is no longer so. Then values are copied
at every run.
"""

from collections.abc import Iterator
from typing import Any

import torch

from eventsim.adjoint import Gradients
from eventsim.arrays import Precision
from eventsim.bridge.function import Call, SimulateFunction
from eventsim.bridge.outputs import Outputs, Spikes
from eventsim.bridge.share import put, require_times, to_torch
from eventsim.engine import place
from eventsim.errors import EventError, NetworkError, ParameterError, ShapeError
from eventsim.events import EventStream
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.parts import ADAPTIVE, PARAMETERS

LOGARITHMIC = ("tau_mem", "tau_syn", "resistance", "tau_adaptation")
KINDS = ("weights", "delays", *PARAMETERS["spiking"], *ADAPTIVE)
NOT_NEGATIVE = ("delays", "refractory", "adaptation")
THRESHOLD_MARGIN = 0.05  # a threshold nearer to v_reset makes gradients explode
LOG = "log_"


class EventModule(torch.nn.Module):
    """A network as a module; made by :func:`eventsim.bridge.torch_module`.

    Attributes
    ----------
    parts
        Parameters by population and projection: ``module.parts["hidden"]["log_tau_mem"]``,
        ``module.parts["input->hidden"]["weights"]``.
    """

    def __init__(
        self,
        net: Network,
        *,
        trained: tuple[str, ...],
        time_constant: float,
        backend: str,
        precision: Precision,
    ):
        super().__init__()
        # On the processor place() gives the same network: the copy is what is ours alone.
        self._net = place(net.to_host().copy(), backend=backend)
        self._time_constant, self._backend, self._precision = time_constant, backend, precision
        self._calls: list[Call] = []
        live = self._net.parameters()
        require("torch_module", net)
        _check_trained(trained, list(live))
        self.parts: Any = torch.nn.ModuleDict()
        for key, array in live.items():
            part, _, kind = key.rpartition(".")
            if part not in self.parts:
                self.parts[part] = torch.nn.ParameterDict()
            values = to_torch(array)
            wanted = key in trained or kind in trained
            if kind in LOGARITHMIC:
                kind, values = LOG + kind, values.log()
            parameters: Any = self.parts[part]
            parameters[kind] = torch.nn.Parameter(values, requires_grad=wanted)

    def forward(self, stream: EventStream, times: Any = None) -> Outputs:
        """Run the network on a batch.

        Parameters
        ----------
        stream
            The batch. A network with a tail runs on for its tail, as in :func:`eventsim.simulate`.
        times
            Tensor float64 [events] in the order of the stream, in place of its times. If it
            requires a gradient, it gets one.

        Returns
        -------
        Outputs

        Raises
        ------
        ParameterError
            ``stream`` is no stream, ``times`` is no tensor of floating-point numbers, or a
            parameter is complex.
        EventError, ShapeError
            The times do not fit the stream, or are in another order; a parameter has another shape.
        """
        if self.training:
            self.project_()
        if times is not None:
            stream = _with_times(stream, times)
        values = self.values()
        readouts, spiking = tuple(self._net.readouts), tuple(self._net.spiking)
        call = Call(
            self._net,
            stream,
            tuple(values),
            readouts,
            spiking,
            self._time_constant,
            self._backend,
            self._precision,
        )
        self._calls = [call]
        apply: Any = SimulateFunction.apply  # untyped in PyTorch
        results = apply(call, times, *values.values())
        assert call.tape is not None
        found = dict(zip((*readouts, *spiking), results, strict=True))
        device = next(iter(values.values())).device
        return Outputs(
            {name: found[name] for name in readouts},
            {name: Spikes(found[name], call.tape[name]) for name in spiking},
            call.tape,
            self._net,
            values,
            to_torch(stream.times).to(device) if times is None else times,
        )

    def values(self) -> dict[str, Any]:
        """Tensors of all parameters as the network has them, by its names for them."""
        return {
            f"{part}.{kind.removeprefix(LOG)}": value.exp() if kind.startswith(LOG) else value
            for part, kind, value in self._entries()
        }

    def network(self) -> Network:
        """The network with the present values, of NumPy arrays. New arrays."""
        self._write()
        return self._net.to_host().copy()

    def gradients(self) -> Gradients | None:
        """Gradients of the last backward pass, and its count of grazing spikes; None before it."""
        found = self._calls[-1].gradients if self._calls else []
        return found[-1] if found else None

    @torch.no_grad()
    def project_(self) -> None:
        """Move values that a step took out of their domain back to its border."""
        for part, kind, value in self._entries():
            low: Any = 0.0
            if kind == "threshold":
                low = self.parts[part]["v_reset"] + THRESHOLD_MARGIN
            elif kind not in NOT_NEGATIVE:
                continue
            # Changed only where it must be: a change forbids backward passes of earlier runs.
            if value.requires_grad and bool((value < low).any()):
                value.copy_(torch.maximum(value, torch.as_tensor(low, dtype=value.dtype)))

    def _entries(self) -> Iterator[tuple[str, str, Any]]:
        for part, parameters in self.parts.items():
            for kind, value in parameters.items():
                yield part, kind, value

    @torch.no_grad()
    def _write(self) -> None:
        live = self._net.parameters()
        for key, value in self.values().items():
            put(value, live[key])


def _check_trained(trained: tuple[str, ...], keys: list[str]) -> None:
    unknown = [name for name in trained if name not in (*KINDS, *keys)]
    if unknown:
        raise NetworkError(
            "torch_module",
            f"trained names {unknown}, which the network has not",
            remedy=f"There are the kinds {', '.join(KINDS)}, and single ones such as {keys[0]!r}.",
        )


def _with_times(stream: EventStream, times: Any) -> EventStream:
    require_times("EventModule", "times", times)
    if not isinstance(stream, EventStream):
        raise ParameterError(
            "EventModule",
            f"the stream is of type {type(stream).__name__}",
            "an EventStream, whose times the tensor replaces",
        )
    if tuple(times.shape) != stream.times.shape:
        raise ShapeError(
            "EventModule",
            f"times have shape {tuple(times.shape)}, the stream has {stream.n_events} events",
        )
    moved = EventStream(
        times.detach().cpu().numpy(),
        stream.channels,
        stream.offsets,
        n_channels=stream.n_channels,
        duration=stream.duration,
    )
    if (moved.channels != stream.channels).any():
        raise EventError(
            "EventModule",
            "times make events simultaneous whose channels descend, so that their order is "
            "another than in the stream",
            remedy="Sort them, or keep them apart.",
        )
    return moved
