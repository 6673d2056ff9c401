"""A module whose arrays are on a device: CuPy's stand-in lends its memory to PyTorch by DLPack."""

import sys

import numpy as np
import pytest

import eventsim as es
from eventsim.bridge import torch_module
from eventsim.engine.contract.registry import using_backend
from tests.support.nets import random_net, random_stream
from tests.support.simt import arrays

torch = pytest.importorskip("torch")


@pytest.fixture
def lending(monkeypatch):
    """The stand-in's arrays as CuPy's are: they speak DLPack, both ways."""
    library = sys.modules[arrays.NAME]

    def lend(self, **options):
        return self._values.__dlpack__()

    kind = arrays.ndarray
    monkeypatch.setattr(kind, "__dlpack__", lend, raising=False)
    monkeypatch.setattr(
        kind, "__dlpack_device__", lambda self: self._values.__dlpack_device__(), raising=False
    )
    monkeypatch.setattr(library, "from_dlpack", lambda x: kind(np.from_dlpack(x)), raising=False)
    return library


def test_arrays_of_a_device_and_tensors_share_their_memory(lending):
    from eventsim.bridge.share import from_torch, put, to_torch

    array = lending.asarray(np.arange(3.0))
    tensor = to_torch(array)
    tensor[0] = 7.0
    assert array.get()[0] == 7.0
    back = from_torch(tensor, array)
    assert type(back) is type(array)
    put(torch.full((3,), 2.0), array)
    assert np.array_equal(tensor, [2.0, 2.0, 2.0])


def test_module_on_a_device_has_the_results_and_gradients_of_the_cpu(lending, host_cuda):
    net, stream = random_net(0, n_outputs=2), random_stream(1, n_samples=2, duration=50.0)
    with using_backend("cuda", host_cuda):
        found = _run(torch_module(net, backend="cuda", time_constant=50.0), stream)
    expected = _run(torch_module(net, backend="cpu", time_constant=50.0), stream)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        scale = value.abs().max().item() if value.numel() else 0.0
        assert torch.allclose(found[key], value, rtol=1e-7, atol=1e-7 * scale), key


def _run(module, stream):
    times = torch.from_numpy(stream.times.copy()).requires_grad_()
    outputs = module(stream, times)
    (outputs.readout.square().sum() + outputs.spikes["hidden2"].times.sum()).backward()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    network = module.network()
    assert isinstance(network, es.Network)
    assert isinstance(network.parameters()["hidden1.tau_mem"], np.ndarray)
    return gradients | {"readout": outputs.readout.detach(), "times": times.grad}
