"""What the calls of the tables are made of: things, which must stay as they are, and functions.

A :func:`thing` is made anew for each row that names it; what it writes lies in the folder before
the call. Functions below make arguments; their files are taken away again.
"""

# ruff: noqa: F401 (the tables use what is imported here)

import copy
import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.events import (
    Dataset,
    Recording,
    StoredStream,
    concatenate,
    stratified_split,
    write_stored,
)
from eventsim.events import transforms as moves
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.events.targets import NAMES, TARGETS, TIMES, Values, targets_of
from eventsim.network import connectivity, convolutional, draw_taus
from eventsim.runs.networks import NetworkSettings
from eventsim.train import (
    AdamSettings,
    AdamW,
    CrossEntropy,
    DecisionOverTime,
    FirstSpike,
    LabelledEvents,
    NearMiss,
    RateBand,
    SparseTraining,
    SpikeCount,
    SpiKL,
    TrainConfig,
    decision_over_time,
    lift_silent,
    predict_over_time,
    select,
    train,
)
from eventsim.train.ctc import FrameLogits, ctc
from eventsim.train.decode import beam_strings, label_error_rate
from eventsim.train.launch import Launch, find_launch
from eventsim.train.quantised import QuantisedTraining
from eventsim.train.regression import MeanSquaredError, evaluate_regression
from eventsim.train.softmax import softmax_loss
from tests.support.nets import one_layer, random_net, random_stream, with_adaptation
from tests.unit.train.task import CONFIG, first_spike_net, small_net, two_patterns

WRITTEN = []


def thing(make):
    """The name of what a function without arguments makes."""
    make.is_thing = True
    return make


def edited(what, *statements):
    """A copy of ``what``, called ``it`` by the statements that change it."""
    it = copy.deepcopy(what)
    for statement in statements:
        exec(statement, globals(), {"it": it})
    return it


def state(value):
    """What must be the same after a call: arrays by their bytes, files by their contents."""
    if isinstance(value, dict):
        return {key: state(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [state(one) for one in value]
    if isinstance(value, Path):
        files = sorted(value.rglob("*")) if value.is_dir() else [value]
        return [(str(f), f.read_bytes() if f.is_file() else None) for f in files if f.exists()]
    if isinstance(value, es.Network):
        return [value.answer, state(value.parameters()), list(value.populations)]
    try:
        return pickle.dumps(value)
    except (TypeError, AttributeError, pickle.PicklingError):
        return repr(value)


def saved(what, path="given.npz"):
    """The path of the file that ``what`` saves itself into."""
    what.save(path)
    WRITTEN.append(Path(path))
    return path


def file(content, path):
    """The path of a file with a text or bytes."""
    Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    WRITTEN.append(Path(path))
    return path


# Networks


def inputs_alone(channels):
    """A network with an input, and with nothing behind it."""
    net = es.Network()
    net.add_input("input", channels)
    return net


@thing
def net():
    """3 channels, 4 neurons, 2 readouts; only what its name says is connected."""
    net = es.Network()
    net.add_input("input", 3)
    net.add_population("hidden", 4)
    net.add_readout("output", 2)
    net.connect("hidden", "output", np.ones((4, 2)))
    return net


@thing
def scsr():
    return es.scsr(4, (3,), 2)


@thing
def random():
    return random_net(704, hidden=(4,), sparse=True)


@thing
def adaptive():
    return with_adaptation(random_net(21, delays="none", self_delays="none"), 22)


@thing
def answering():
    made = random_net(41, delays="source")
    made.set_answer(es.Answer(rule="maximum", tail=25.0, class_names=("no", "yes", "üñ")))
    return made


@thing
def deciding():
    """A linear decision behind the readout, read by an answer."""
    made = random_net(41, delays="source")
    made.decide("output", np.ones((3, 4)))
    made.set_answer(es.Answer(rule="last", class_names=tuple("abcd")))
    return made


@thing
def sparse():
    """An input of 5 channels onto 4 neurons by 13 synapses."""
    return one_layer("hidden", matrix())


@thing
def delayed():
    """The same with a delay per synapse."""
    return one_layer("hidden", matrix(), delays=np.ones(13))


@thing
def single():
    """A network whose weights are float32."""
    return one_layer("hidden", np.ones((1, 1))).with_weight_dtype(np.float32)


def matrix(form="csr"):
    dense = np.arange(1.0, 21.0).reshape(5, 4) * (np.arange(20).reshape(5, 4) % 3 > 0)
    return sp.csr_array(dense).asformat(form)


def with_bad(shape, bad):
    """Ones, but the entry in the middle."""
    values = np.ones(shape)
    values.flat[values.size // 2] = bad
    return values


def masked(shape):
    return np.ma.array(np.ones(shape), mask=1.0 - with_bad(shape, 0))


def file_of(net, **changed):
    """A file of a network, whose structure or arrays are others."""
    arrays = net.to_arrays()
    structure = json.loads(str(arrays["structure"]))
    for key, value in changed.items():
        if key in ("adaptive", "weight_dtype", "delay_dtype"):
            structure[key] = value
        else:
            arrays[key.replace("__", "->").replace("_1", ".")] = value
    arrays["structure"] = np.array(json.dumps(structure))
    write_arrays("given.npz", arrays, kind="eventsim-network", version=1)
    WRITTEN.append(Path("given.npz"))
    return "given.npz"


def lacking(net, name):
    """The arrays of a network without one."""
    return {key: value for key, value in net.to_arrays().items() if key != name}


# Streams


@thing
def stream():
    """3 samples of 5 channels."""
    return random_stream(705)


@thing
def empty():
    """A sample of 3 channels without an event."""
    return es.EventStream([], [], [0, 0], n_channels=3, duration=5.0)


@thing
def tape():
    """Of ``random`` and ``stream``."""
    return es.simulate(random(), stream(), backend="reference")


@thing
def stored():
    """An open file of 7 recordings of 64 channels, with labels of 7 classes."""
    return StoredStream.open(stored_file())


@thing
def labelled():
    """Two samples without events, of the classes a and b."""
    return Dataset(silent(2), [0, 1], ("a", "b"))


def silent(n_samples, n_channels=1):
    return es.EventStream([], [], np.zeros(n_samples + 1, int), n_channels=n_channels, duration=1.0)


def events(**changed):
    """A stream of two samples and 4 channels, with some arguments changed."""
    given = {"times": [1.0, 2.0, 3.0], "channels": [0, 1, 2], "offsets": [0, 1, 3]} | changed
    return es.EventStream(**{"n_channels": 4, "duration": 10.0} | given)


def stored_file(*statements, columns=None, notes=None, path="given.h5"):
    """A file of stored events, which statements change as ``file`` of h5py."""
    rng = np.random.default_rng(0)
    some = [
        Recording(np.sort(rng.uniform(0, 50, n)), rng.integers(0, 64, n), 50.0)
        for n in (4, 0, 9, 1, 0, 20, 3)
    ]
    columns = {"labels": np.arange(7)} if columns is None else columns
    notes = {"class_names": json.dumps(list("abcdefg"))} if notes is None else notes
    write_stored(path, some, n_channels=64, columns=columns, notes=notes)
    with h5py.File(path, "a") as file:
        for statement in statements:
            exec(statement, globals(), {"file": file})
    WRITTEN.append(Path(path))
    return path


def replaced(name, values):
    """The statement that puts other values into a file of h5py."""
    return f"values = {values}; del file[{name!r}]; file[{name!r}] = values"


def packed(path="given.npz", **arrays):
    np.savez(path, **{name: np.array(value) for name, value in arrays.items()})
    WRITTEN.append(Path(path))
    return path


# Training


@thing
def small():
    """A network of ``patterns``, with an answer."""
    made = small_net()
    made.set_answer(es.Answer(class_names=("low", "high")))
    return made


@thing
def maximal():
    """The same, whose answer is not known at every time."""
    return edited(small(), "it.set_answer(es.Answer(rule='maximum'))")


@thing
def patterns():
    """8 recordings of two classes on 6 channels."""
    return two_patterns(8)


@thing
def ran():
    """The tape of ``small``."""
    return es.simulate(small(), two_patterns(8).stream, backend="cpu", precision="double")


@thing
def frames():
    """Of CTC: 2 samples of 3 and 2 frames, 3 classes with the blank."""
    return FrameLogits(np.zeros((2, 3, 3)), np.array([3, 2]))


SRUN = {
    "SLURM_PROCID": "6",
    "SLURM_STEP_NUM_TASKS": "7",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3),1",
    "SLURM_NODEID": "3",
}
TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}


def settings(**values):
    """Settings of a run from a table of a file."""
    return TrainConfig.from_dict(values)


def answers(logits):
    """A decision over time of one sample."""
    logits = np.asarray(logits, float)
    return DecisionOverTime(np.arange(1.0, len(logits) + 1)[None], logits[None])
