"""What only Python can ask: ``python scripts.py NAME`` prints one JSON object of numbers.

Run by the Python under test, with the public interface alone. Each answer says how much fired, the
sum of all times, and a hash of the bits, so that a number that moved is found and is of some use.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim import datasets

N_INPUTS = 6


def stream(n_samples=3, seed=0, duration=100.0):
    rng = np.random.default_rng(seed)
    samples = [(np.sort(rng.uniform(0, 80, 60)), rng.integers(0, 6, 60)) for _ in range(n_samples)]
    return es.EventStream.from_samples(samples, n_channels=N_INPUTS, duration=duration)


class Dendrite(es.LinearNeuron):
    """Soma and dendrite, coupled: a neuron of a user's own."""

    states = ("v", "d", "i")
    receptors = {"dendrite": "i"}  # noqa: RUF012
    parameters = {  # noqa: RUF012
        "tau_v": 10.0,
        "tau_d": 20.0,
        "tau_s": 3.0,
        "coupling": 0.5,
    }

    def flow(self, p):
        return {
            ("v", "v"): -(1 + p.coupling) / p.tau_v,
            ("v", "d"): p.coupling / p.tau_v,
            ("d", "d"): -(1 + p.coupling) / p.tau_d,
            ("d", "v"): p.coupling / p.tau_d,
            ("d", "i"): 1 / p.tau_d,
            ("i", "i"): -1 / p.tau_s,
        }

    def reset(self, p):
        return {"v": p.v_reset}


def hidden(n=8, **neurons):
    """Inputs, one population of such neurons, and a readout."""
    rng = np.random.default_rng(7)
    net = es.Network()
    net.add_input("input", N_INPUTS)
    net.add_population("hidden", n, **neurons)
    net.add_readout("output", 2)
    receptors = getattr(neurons.get("neuron"), "receptors", None)
    for receptor in list(receptors or [None]):
        one = {} if receptor is None or len(receptors) == 1 else {"receptor": receptor}
        net.connect("input", "hidden", rng.normal(0.8, 0.6, (N_INPUTS, n)), **one)
    net.connect("hidden", "output", rng.normal(0.0, 1.0, (n, 2)))
    return net


def loop(delays, **neurons):
    """Hidden neurons that also project to each other, and each to itself."""
    net = hidden(**neurons)
    weights = np.random.default_rng(8).normal(-0.1, 0.3, (8, 8))
    net.connect("hidden", "hidden", weights * (1 - np.eye(8)), delays=delays)
    return net


def populations():
    """A loop of three populations, one of them adaptive, with delays of every shape."""
    rng = np.random.default_rng(9)
    net = hidden(5, v_leak=0.1, v_reset=-0.2, refractory=1.5)
    net.add_population("second", 4, adaptation=0.3, tau_adaptation=30.0)
    net.add_population("third", 3, tau_mem=[10.0, 20.0, 30.0], tau_syn=20.0)
    net.connect("hidden", "second", rng.normal(0.6, 0.4, (5, 4)), delays=rng.uniform(0, 3, 5))
    net.connect("second", "third", rng.normal(0.6, 0.4, (4, 3)), delays=rng.uniform(1, 3, (4, 3)))
    net.connect("third", "hidden", rng.normal(-0.3, 0.3, (3, 5)), delays=1.25)
    net.connect("third", "output", rng.normal(0.0, 1.0, (3, 2)))
    return net


def half_centre():
    """Two equal neurons that rest above their threshold and inhibit each other at once."""
    net = hidden(2, tau_syn=20.0, v_leak=1.2)
    net.connect("hidden", "hidden", np.array([[0.0, -0.3], [-0.3, 0.0]]))
    return net


def sparse():
    net = es.Network(weight_dtype=np.float32)
    net.add_input("input", N_INPUTS)
    net.add_population("hidden", 40)
    net.add_readout("output", 2)
    rng = np.random.default_rng(10)
    weights = sp.random(
        N_INPUTS, 40, density=0.3, random_state=rng, data_rvs=lambda n: 1.0 + rng.random(n)
    )
    net.connect("input", "hidden", weights.tocsr())
    net.connect("hidden", "output", rng.normal(0.0, 1.0, (40, 2)))
    return net


def convolution():
    """Shared weights, and a linear decision on the largest voltages."""
    net = es.convolutional(N_INPUTS, (3,), 2, output_maps=4, kernel=(3, 2), mean=3.0)
    net.set_answer(es.Answer(rule="maximum", tail=20.0))
    return net


NETWORKS = {
    "lif": lambda: hidden(v_leak=0.1, v_reset=-0.2, refractory=1.5, resistance=1.2),
    "equal taus": lambda: hidden(tau_mem=12.0, tau_syn=12.0),
    "adaptive": lambda: hidden(adaptation=0.3, tau_adaptation=40.0),
    "receptors": lambda: hidden(neuron=es.LIF(tau_syn={"fast": 3.0, "slow": 30.0})),
    "adlif": lambda: hidden(neuron=es.AdLIF(tau_w=60.0, a=0.5, b=0.4)),
    "resonator": lambda: hidden(neuron=es.Resonator(frequency=25.0, damping=20.0)),
    "own neuron": lambda: hidden(neuron=Dendrite()),
    "loop without delay": lambda: loop(0.0),
    "loop by windows": lambda: loop(2.0),
    "loop adaptive": lambda: loop(0.5, adaptation=0.2, tau_adaptation=40.0),
    "loop adlif": lambda: loop(1.0, neuron=es.AdLIF()),
    "loop of populations": populations,
    "half-centre": half_centre,
    "sparse float32": sparse,
    "skips": lambda: es.scsr(N_INPUTS, (8, 8), 2, mean=3.0, forward_delays=(0.0, 9.0)),
    "lateral": lambda: es.rsnn(
        N_INPUTS, (12,), 2, lateral=es.RandomLateral(probability=0.3), inhibitory=0.25, mean=3.0
    ),
    "ring": lambda: es.rsnn(N_INPUTS, (12,), 2, lateral=es.DistanceLateral(scale=2.0), mean=3.0),
    "spiking output": lambda: es.scsr(N_INPUTS, (8,), 2, output="spiking", mean=3.0),
    "convolution": convolution,
}


def digest(values):
    values = np.ascontiguousarray(values)
    return hashlib.sha256(values.tobytes()).hexdigest()[:12]


def told(values):
    values = np.asarray(values, np.float64)
    return {"n": values.size, "sum": float(values.sum()), "bits": digest(values)}


def fired(tape):
    return {
        name: told(tape[name].times) | {"neurons": digest(tape[name].neurons.astype(np.int64))}
        for name in tape.names
    }


def attempt(call):
    """What the call gives, or what kind of error says that it does not go."""
    try:
        return call()
    except es.errors.EventSimError as error:
        return {"refused": type(error).__name__}


def every_network(ask):
    return {name: attempt(lambda: ask(NETWORKS[name]())) for name in NETWORKS}  # noqa: B023


def on(backend, precision="double"):
    return every_network(
        lambda net: fired(es.simulate(net, stream(), backend=backend, precision=precision))
    )


def squares(net, tape):
    """The sum of all squared times, of each population that fires."""
    seeds = {name: 2e-4 * tape[name].times for name in tape.names}
    return sum(1e-4 * float((tape[name].times ** 2).sum()) for name in tape.names), seeds


def flat(grads):
    return {key: told(values) for key, values in grads.flat().items()} | {
        "inputs": told(grads.input_times),
        "grazes": grads.grazes,
    }


def gradients():
    def ask(net):
        return flat(es.backward(net, es.simulate(net, stream(), backend="cpu"), squares))

    return every_network(ask)


def chunks():
    def ask(net):
        pieces = list(stream(1).chunks(25.0))
        tapes, state, readouts = [], None, []
        for piece in pieces:
            tape, state = es.simulate_chunk(net, piece, state)
            tapes.append(fired(tape))
            readouts.append({name: told(one.voltage) for name, one in state.readouts.items()})
        back = attempt(lambda: flat(es.backward_chunks(net, pieces, squares, keep=2)))
        return {"tapes": tapes, "readouts": readouts, "gradients": back}

    return every_network(ask)


def voltages():
    at = np.arange(0.0, 100.0, 0.5)

    def ask(net):
        tape = es.simulate(net, stream(), backend="cpu")
        first = tape.names[0]
        return {
            "hidden": attempt(lambda: told(es.voltage(net, tape, first, at))),
            "output": attempt(lambda: told(es.voltage(net, tape, "output", at))),
            "integral": attempt(lambda: told(es.readout_integral(net, tape, "output"))),
            "explained": attempt(lambda: es.explain(net, tape, first, 1).to_dict()),
        }

    return every_network(ask)


def scores():
    """Answers of every rule, and of the decision; with and without a tail."""

    def ask(net):
        found = {}
        for rule in ("integral", "maximum", "last", "first_spike", "spike_count"):
            for tail in (0.0, 20.0):
                attempt(lambda: net.set_answer(es.Answer(rule=rule, tail=tail)))  # noqa: B023
                found[f"{rule} {tail}"] = attempt(lambda: told(es.predict(net, stream()).scores))
        return found

    return every_network(ask)


def yinyang(n, split="train"):
    return datasets.load("yinyang", split=split)[:n]


def trained(net, config, **more):
    result = es.train(net, yinyang(60), config, **more)
    score = es.evaluate(result.net, yinyang(60, "test"), config)
    learned = {key: told(values) for key, values in result.net.parameters().items()}
    return {"learned": learned, "accuracy": score.accuracy, "loss": score.loss}


def losses():
    """A step or two by every loss, on the output that it takes."""
    kinds = {"readout": ("cross_entropy", "cross_entropy_maximum", "cross_entropy_last")}
    kinds["spiking"] = ("first_spike", "spike_count", "van_rossum")
    return {
        loss: attempt(
            lambda: trained(
                es.scsr(5, (8,), 3, output=output, mean=4.0),  # noqa: B023
                es.TrainConfig(epochs=1, batch_size=20, loss=loss, seed=1),  # noqa: B023
            )
        )
        for output, names in kinds.items()
        for loss in names
    }


def stepped():
    """Training in fixed steps, and what the same network does in exact time."""
    from eventsim.clocked import Grid

    config = es.TrainConfig(epochs=1, batch_size=20, bip=("tau_mem", "tau_syn"), seed=1)
    return attempt(lambda: trained(es.scsr(5, (8,), 3, mean=4.0), config, method=Grid(dt=1.0)))


def regression():
    at = np.arange(10.0, 100.0, 10.0)
    wanted = np.sin(at / 15.0)[None, :, None] * np.array([1.0, 0.5, -1.0])[:, None, None]
    loss = es.train.MeanSquaredError(wanted, at)
    net = es.scsr(N_INPUTS, (8,), 1, mean=3.0)
    config = es.train.RegressionConfig(epochs=3, batch_size=2)
    result = es.train.regress(net, stream(), loss, config)
    found = es.train.evaluate_regression(result.net, stream(), loss)
    return {"error": found.mean_squared_error, "r2": list(map(float, found.r2))}


def checks():
    """Gradients against finite differences."""

    def ask(net):
        check = es.gradcheck(net, stream(1), squares, n_directions=1)
        return {"compared": check.n_compared, "left out": check.n_left_out}

    return every_network(ask)


def files():
    """Networks written to a file and read back, and rounded to four bits in C."""

    def ask(net):
        net.save("kept.npz")
        return fired(es.simulate(es.Network.load("kept.npz"), stream()))

    return every_network(ask)


def in_torch():
    """The module of a network: its readout, and the gradients by torch."""
    import torch

    from eventsim.bridge import torch_module

    def ask(net):
        module = torch_module(net, time_constant=50.0)
        out = module(stream())
        (out.readout**2).sum().backward()
        grads = {k: told(p.grad) for k, p in module.named_parameters() if p.grad is not None}
        return {"readout": told(out.readout.detach()), "gradients": grads}

    torch.manual_seed(0)
    return every_network(ask)


def networks(_option, folder):
    """Files of some of the networks, and of the events, for the commands."""
    Path(folder).mkdir()
    for name in ("adaptive", "receptors", "adlif", "loop of populations", "lateral", "convolution"):
        net = NETWORKS[name]()
        net.set_answer(es.Answer(rule="maximum"))
        net.save(f"{folder}/{name.replace(' ', '-')}.npz")
    stream().save(f"{folder}/events.npz")
    return {"events": told(stream().times)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    name, *given = sys.argv[1:]
    json.dump(globals()[name](*given), sys.stdout, indent=1, default=float)
