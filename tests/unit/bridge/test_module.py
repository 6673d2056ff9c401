"""The PyTorch module: its results are eventsim's, its gradients the adjoint's, to rounding."""

import copy
import io

import numpy as np
import pytest

import eventsim as es
from eventsim.bridge import torch_module
from eventsim.errors import EventError, NetworkError, ParameterError, ShapeError
from eventsim.network.parts import PARAMETERS
from tests.support.nets import lateral_net, one_layer, one_sample, random_net, random_stream

torch = pytest.importorskip("torch")

ALL = ("weights", "delays", *PARAMETERS["spiking"])
LOG = ("tau_mem", "tau_syn", "resistance")


def parameter(module, key):
    part, _, kind = key.rpartition(".")
    parameters = module.parts[part]
    return parameters[f"log_{kind}" if kind in LOG else kind]


def random_loss(outputs, *, seed=0):
    """A weighted sum of all integrals and spike times, and its seeds for the adjoint."""
    rng = np.random.default_rng(seed)
    loss, seeds = 0.0, {}
    for name, integral in outputs.readouts.items():
        factors = rng.normal(size=tuple(integral.shape))
        loss = loss + (integral * torch.from_numpy(factors)).sum()
        seeds[name] = es.ReadoutSeed(50.0, factors)
    for name, spikes in outputs.spikes.items():
        seeds[name] = rng.normal(size=spikes.times.numel())
        loss = loss + (spikes.times * torch.from_numpy(seeds[name])).sum()
    return loss, seeds


@pytest.mark.parametrize(
    "net",
    [random_net(0), random_net(1, sparse=True, delays="source"), lateral_net(2)],
    ids=["dense", "sparse", "lateral"],
)
def test_results_and_gradients_are_those_of_the_adjoint(net):
    stream = random_stream(3)
    module = torch_module(net, trained=ALL, time_constant=50.0)
    times = torch.from_numpy(stream.times.copy()).requires_grad_()
    outputs = module(stream, times)
    loss, seeds = random_loss(outputs)
    loss.backward()

    tape = es.simulate(net, stream)
    expected = es.backward(net, tape, seeds)
    integral = es.readout_integral(net, tape, "output", time_constant=50.0)
    assert np.allclose(outputs.readout.detach(), integral, rtol=1e-12)
    for name, spikes in outputs.spikes.items():
        assert np.allclose(spikes.times.detach(), tape[name].times, rtol=0, atol=1e-10)
        assert np.array_equal(spikes.neurons, tape[name].neurons)
    # The values are exp(log(tau)): an ulp away.
    for key, by_value in expected.flat().items():
        chain = net.parameters()[key] if key.rpartition(".")[2] in LOG else 1.0
        scale = np.abs(by_value * chain).max(initial=0.0)
        found = parameter(module, key).grad.numpy()
        assert np.allclose(found, by_value * chain, rtol=1e-8, atol=1e-8 * scale), key
    scale = np.abs(expected.input_times).max()
    assert np.allclose(times.grad, expected.input_times, rtol=1e-8, atol=1e-8 * scale)
    assert module.gradients().grazes == expected.grazes


def tiny():
    """A network and a stream that finite differences can judge: no graze, no spike at the end."""
    net = one_layer(
        "hidden",
        np.array([[3.0, 2.5], [2.0, 4.0]]),
        tau_mem=[12.0, 6.0],
        tau_syn=[4.0, 6.0],
        v_reset=[-0.1, 0.1],
        refractory=[0.5, 1.0],
        delays=[0.5, 1.0],
    )
    net.add_readout("output", 1, tau_mem=10.0, tau_syn=5.0, v_leak=0.1)
    net.connect("hidden", "hidden", es.self_recurrent([-0.4, 0.3]), delays=0.7)
    net.connect("hidden", "output", np.array([[1.0], [-0.5]]))
    stream = one_sample([1.0, 2.5, 4.0, 6.0], [0, 1, 0, 1], n_channels=2, duration=40.0)
    return net, stream


def test_pytorch_s_own_gradcheck_passes():
    net, stream = tiny()
    module = torch_module(net, trained=ALL, time_constant=30.0)
    names = [name for name, _ in module.named_parameters()]

    def run(times, *values):
        outputs = torch.func.functional_call(
            module, dict(zip(names, values, strict=True)), (stream, times)
        )
        spikes = outputs.spikes["hidden"]
        first = spikes.first(40.0)
        last = outputs.voltage("output", torch.tensor([10.0, 40.0], dtype=torch.float64))
        return outputs.readout, spikes.times, first, last

    times = torch.from_numpy(stream.times.copy()).requires_grad_()
    values = [value.detach().clone().requires_grad_() for value in module.parameters()]
    assert len(run(times, *values)[1]) >= 4
    # The delay of 0 to the readout has no left side.
    values[names.index("parts.hidden->output.delays")].requires_grad_(False)
    assert torch.autograd.gradcheck(run, (times, *values), eps=1e-6, atol=1e-5, rtol=1e-4)


def test_adam_learns_two_classes():
    rng = np.random.default_rng(0)
    samples, labels = [], torch.tensor([0, 1] * 8)
    for label in labels.tolist():
        samples.append((np.sort(rng.uniform(0, 40, 20)), rng.integers(0, 4, 20) + 4 * label))
    stream = es.EventStream.from_samples(samples, n_channels=8, duration=50.0)
    net = es.scsr(8, (10,), 2, seed=1)
    net.projections["input->hidden1"].weights[:] += 2.0
    module = torch_module(net, time_constant=100.0, precision="single")
    optimiser = torch.optim.Adam(module.parameters(), lr=0.03)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        logits = 0.2 * module(stream).readout
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    assert (logits.argmax(1) == labels).all()
    trained = module.network()
    assert not np.array_equal(trained.populations["hidden1"].tau_mem, np.full(10, 20.0))
    assert np.array_equal(net.populations["hidden1"].tau_mem, np.full(10, 20.0))
    assert trained.population("hidden1").refractory[0] == net.population("hidden1").refractory[0]


def test_data_loader_joins_samples_to_batches():
    net, stream = random_net(0), random_stream(1, n_samples=4)
    items = [(stream[i : i + 1], i % 2) for i in range(4)]

    def collate(batch):
        labels = torch.tensor([label for _, label in batch])
        return es.concatenate([sample for sample, _ in batch]), labels

    module = torch_module(net)
    loader = torch.utils.data.DataLoader(items, batch_size=3, collate_fn=collate)
    found = torch.cat([module(batch).readout.detach() for batch, _ in loader])
    assert np.allclose(found, module(stream).readout.detach(), rtol=1e-12)


def test_gradients_flow_on_to_what_made_the_input_times():
    net, stream = tiny()
    module = torch_module(net, trained=())
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    outputs = module(stream, torch.from_numpy(stream.times.copy()) + shift)
    spikes = outputs.spikes["hidden"].times
    spikes.sum().backward()
    # A shift of the input shifts every spike.
    assert shift.grad.item() == pytest.approx(spikes.numel(), rel=1e-12)


def test_weights_share_their_memory_with_the_network():
    module = torch_module(tiny()[0])
    weights = module.parts["input->hidden"]["weights"]
    mine = module._net.projections["input->hidden"].weights
    assert weights.data_ptr() == mine.ctypes.data
    with torch.no_grad():
        weights.mul_(2.0)
    assert mine[0, 0] == 6.0


def test_copies_and_other_types_are_followed():
    net, stream = tiny()
    module = torch_module(net)
    expected = module(stream).spikes["hidden"].times.detach().clone()
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.parts["input->hidden"]["weights"].mul_(2.0)
        assert np.array_equal(module(stream).spikes["hidden"].times, expected)
        assert len(other(stream).spikes["hidden"].times) > len(expected)
        found = module.float()(stream).spikes["hidden"].times
    assert np.allclose(found, expected, atol=1e-4)
    loss = module(stream).readout.sum()
    loss.backward()
    assert module.parts["input->hidden"]["weights"].grad.dtype == torch.float32


def test_state_dict_restores_a_module():
    net, stream = tiny()
    module, other = torch_module(net), torch_module(es.Network.from_arrays(net.to_arrays()))
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.01)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    one, two = module(stream), other(stream)
    assert np.array_equal(one.readout.detach(), two.readout.detach())
    assert "parts.hidden.log_tau_mem" in module.state_dict()


def test_values_out_of_their_domain_are_put_back_in_training():
    net, stream = tiny()
    module = torch_module(net, trained=("delays", "threshold"))
    with torch.no_grad():
        module.parts["input->hidden"]["delays"][0] = -1.0
        module.parts["hidden"]["threshold"][0] = -5.0
    with pytest.raises(ParameterError, match="threshold is -5.0"):
        module.eval()(stream)
    module.train()(stream)
    assert module.parts["input->hidden"]["delays"].tolist() == [0.0, 1.0]
    assert module.parts["hidden"]["threshold"][0].item() == pytest.approx(-0.05)


def test_two_runs_may_wait_for_one_backward_pass():
    net, stream = tiny()
    module = torch_module(net)
    both = module(stream).readout.sum() + 2.0 * module(stream).readout.sum()
    both.backward()
    found = module.parts["input->hidden"]["weights"].grad.clone()
    module.zero_grad()
    module(stream).readout.sum().backward()
    assert torch.allclose(found, 3.0 * module.parts["input->hidden"]["weights"].grad)


def test_values_changed_before_the_backward_pass_are_noticed():
    net, stream = tiny()
    module = torch_module(net)
    loss = module(stream).readout.sum()
    with torch.no_grad():
        module.parts["input->hidden"]["weights"].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("delays", ["none", "source", "synapse"])
@pytest.mark.parametrize("ratio", [None, 1.0])
def test_voltage_is_that_of_the_engine(sparse, delays, ratio):
    net = random_net(4, sparse=sparse, delays=delays, tau_ratio=ratio)
    outputs = torch_module(net)(random_stream(5))
    at = torch.tensor([0.0, 30.0, 60.0, 90.0], dtype=torch.float64)
    expected = es.voltage(net, outputs.tape, "output", at.numpy())
    assert np.allclose(outputs.voltage("output", at).detach(), expected, rtol=1e-10, atol=1e-12)


def test_first_spikes_and_counts_by_neuron():
    net = random_net(0)
    outputs = torch_module(net)(random_stream(1, duration=30.0, rate=12.0))
    spikes = outputs.spikes["hidden2"]
    first, counts = spikes.first(99.0), spikes.counts()
    assert first.shape == counts.shape == (3, 5)
    for sample in range(3):
        times, neurons = outputs.tape["hidden2"].sample(sample)
        for j in range(5):
            own = times[neurons == j]
            assert counts[sample, j] == own.size
            assert first[sample, j].item() == (own[0] if own.size else 99.0)
    assert (counts == 0).any()
    assert np.array_equal(np.bincount(spikes.samples, minlength=3), counts.sum(1))


def test_only_what_is_named_is_trained():
    module = torch_module(tiny()[0], trained=("hidden.tau_mem", "delays"))
    trained = [name for name, value in module.named_parameters() if value.requires_grad]
    assert trained == [
        "parts.hidden.log_tau_mem",
        "parts.input->hidden.delays",
        "parts.hidden->hidden.delays",
        "parts.hidden->output.delays",
    ]
    with pytest.raises(NetworkError, match=r"trained names \['tau'\]"):
        torch_module(tiny()[0], trained=("tau",))


def test_what_does_not_fit_is_refused():
    net, stream = tiny()
    module = torch_module(net)
    with pytest.raises(ShapeError, match="times have shape .2,., the stream has 4 events"):
        module(stream, torch.zeros(2, dtype=torch.float64))
    with pytest.raises(EventError):
        module(stream, torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64))
    with pytest.raises(EventError, match="simultaneous"):
        module(stream, torch.tensor([1.0, 2.0, 2.0, 3.0], dtype=torch.float64))
    with pytest.raises(NetworkError, match="expected a readout"):
        module(stream).voltage("hidden", torch.zeros(1))
    alone = one_layer("hidden", np.ones((2, 1)))
    with pytest.raises(NetworkError, match="has 0 readouts"):
        _ = torch_module(alone)(stream).readout


def wrong_calls(net, stream):
    """What goes wrong by its text: the call, and the words that say what to do."""
    module = torch_module(net)
    outputs, times, call = module(stream), stream.times.copy(), torch.func.functional_call
    weights = "parts.input->hidden.weights"
    return {
        "stream is Tensor, expected an EventStream": lambda: module(torch.zeros(3)),
        "stream is of type Tensor, expected an EventStream": lambda: module(
            torch.zeros(4), torch.zeros(4)
        ),
        r"times is of type ndarray, .* torch.as_tensor\(times": lambda: module(stream, times),
        "times is of type list": lambda: module(stream, list(times)),
        r"times is a tensor of torch.int64, .*times.to\(torch.float64": lambda: module(
            stream, torch.zeros(4, dtype=torch.int64)
        ),
        "times is a tensor of torch.complex64": lambda: module(
            stream, torch.zeros(4, dtype=torch.complex64)
        ),
        r"at is of type list, .* torch.as_tensor\(at": lambda: outputs.voltage("output", [1.0]),
        "at is of type float": lambda: outputs.voltage("output", 1.0),
        "at is a tensor of torch.int64": lambda: outputs.voltage("output", torch.tensor([1])),
        r"at has shape \(\), expected one dim": lambda: outputs.voltage(
            "output", torch.tensor(1.0)
        ),
        "at has entries that are not finite": lambda: outputs.voltage(
            "output", torch.tensor([np.nan])
        ),
        "silent is of type NoneType": lambda: outputs.spikes["hidden"].first(None),
        "network is of type Linear": lambda: torch_module(torch.nn.Linear(2, 1)),
        r"trained is 'weights', expected \('weights',\)": lambda: torch_module(
            net, trained="weights"
        ),
        r"time_constant is tensor\(3.\), expected a number": lambda: torch_module(
            net, time_constant=torch.tensor(3.0)
        ),
        r"weights is a tensor of shape \(2, 3\), expected \(2, 2\)": lambda: call(
            module, {weights: torch.zeros((2, 3))}, (stream,)
        ),
        "weights is a tensor of torch.complex64": lambda: call(
            module, {weights: torch.zeros((2, 2), dtype=torch.complex64)}, (stream,)
        ),
    }


@pytest.mark.parametrize("text", wrong_calls(*tiny()))
def test_arguments_of_a_wrong_kind_are_refused_in_words(text):
    with pytest.raises((ParameterError, ShapeError), match=text):
        wrong_calls(*tiny())[text]()


def test_voltage_moves_with_the_asked_times():
    net, stream = tiny()
    outputs = torch_module(net)(stream)
    at = torch.tensor([12.0, -1.0, 39.0, 12.0, 5.0], dtype=torch.float64, requires_grad=True)
    found = outputs.voltage("output", at)
    assert found[0, 1, 0] == 0.1
    assert found[0, 0, 0] == found[0, 3, 0]
    assert torch.autograd.gradcheck(lambda at: outputs.voltage("output", at), (at,), eps=1e-6)


def test_shared_values_are_refused():
    net = random_net(0)
    net.share("hidden1.tau_mem", np.full(net.population("hidden1").size, -1))
    with pytest.raises(NetworkError, match="'hidden1.tau_mem' are shared"):
        torch_module(net)
