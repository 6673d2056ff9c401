"""Norse itself runs an exported file, where it is installed; numbers in bench/nir."""

import numpy as np
import pytest

import eventsim as es
from eventsim.network.nir import write_nir
from tests.unit.network.test_nir_targets import assert_steps_follow, small_net, stream_for

nir = pytest.importorskip("nir", minversion="1.0.8")
torch = pytest.importorskip("torch")
norse = pytest.importorskip("norse.torch")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("resets", [False, True])
def test_norse_runs_a_file_with_our_spikes_within_its_time_step(tmp_path, resets):
    net, dt = small_net(resets=resets), 0.05
    stream = stream_for(net)
    write_nir(net, tmp_path / "net.nir", target="norse", dt=dt)
    module, state = norse.from_nir(nir.read(tmp_path / "net.nir"), dt=dt / 1e3), None
    spikes = {"one": [], "two": []}
    for name, kept in spikes.items():
        getattr(module, name).register_forward_hook(lambda m, i, o, kept=kept: kept.append(o[0]))
    steps = (stream.times / dt).astype(int)
    with torch.no_grad():
        for k in range(int(stream.duration[0] / dt)):
            counts = np.bincount(stream.channels[steps == k], minlength=4)
            _, state = module(torch.tensor(counts, dtype=torch.float32)[None], state)
    tape = es.simulate(net, stream)
    for name, kept in spikes.items():
        z = torch.stack(kept)[:, 0].numpy()
        stepped = [(np.flatnonzero(z[:, j]) + 0.5) * dt for j in range(z.shape[1])]
        assert_steps_follow(stepped, tape[name], dt)
