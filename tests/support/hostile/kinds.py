"""Kinds of files: how a small whole one is made, how it is damaged, and what reads it."""

import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import typer
from click.testing import CliRunner
from scipy.io import wavfile

import eventsim as es
from eventsim.chips import load_chip
from eventsim.cli.app import app
from eventsim.conformance.load import read_case
from eventsim.datasets import aer, fsdd, nir_events, nmnist, ntidigits, shd, text, ti46, ti46_text
from eventsim.datasets.aer_sensors import find_sensor
from eventsim.datasets.formats import format_of
from eventsim.datasets.label_files import labelled_files, read_labels
from eventsim.errors import EventSimError
from eventsim.events import Dataset, StoredStream, write_stored
from eventsim.events.stored import Recording
from eventsim.events.tape import SpikeTape
from eventsim.events.transforms import extend
from eventsim.experiment import Selection, load_recipe, load_task, resolve
from eventsim.mapping import load_cores, map_network
from eventsim.network.nir import read_nir, write_nir
from eventsim.runs.run import load_run
from eventsim.train import Exact, TrainConfig, load_network, save_network
from eventsim.train.augment import augment, mix_pairs
from eventsim.train.checkpoint import Origin, TrainState, load_checkpoint, save_checkpoint
from eventsim.train.groups import select
from eventsim.train.optimiser import AdamW
from eventsim.train.sums import BatchSums
from tests.support import aedat
from tests.support.hostile.hierarchical import change_h5
from tests.support.hostile.mutate import (
    JSON_VALUES,
    changed_json,
    changed_json_lines,
    changed_toml,
    damaged,
)
from tests.support.hostile.packed import changed_npz
from tests.support.nets import lateral_net, one_layer, random_net, random_stream
from tests.unit.experiment.conftest import TASK

COMMAND = typer.main.get_command(app)
LARGEST_INPUT = 10_000  # channels; a network of more is read, but not run


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    make
        Writes a small whole one, and what belongs to it, into a folder; its path.
    use
        Reads a file and uses what it read.
    change
        Structural damage: takes the bytes and a generator, gives bytes; of HDF5 a function that
        changes the file in place. None for bytes alone.
    named
        Whether every refusal has the name of the file.
    """

    name: str
    make: Callable[[Path], Path]
    use: Callable[[Path], None]
    change: Callable | None = None
    named: bool = False


def at(name, write):
    """A maker of a file of that name."""

    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        return path

    return make


def mutate(kind, path, whole, rng):
    """Write a damaged version of ``whole`` to the path."""
    if kind.change is None or (kind.change is not _assignment and rng.integers(3) == 0):
        path.write_bytes(damaged(whole, rng))
    elif kind.change is change_h5:
        path.write_bytes(whole)
        change_h5(path, rng)
    else:
        path.write_bytes(kind.change(whole, rng))


def command(*arguments):
    """Run eventsim as from a shell; raise what it did not turn into a message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(COMMAND, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 1, 2):
        raise RuntimeError(f"exit code {result.exit_code}: {result.output[-500:]}")
    if result.exit_code == 2:
        raise EventSimError(result.output[-500:])


# What makes and uses networks and streams.


def run_net(net):
    """Run a network that was read on every backend that is here."""
    size = next((p.size for p in net.populations.values() if p.kind == "input"), 0)
    if not 0 < size <= LARGEST_INPUT:
        return
    stream = random_stream(0, n_samples=2, n_channels=size, duration=20.0, rate=300.0 / size)
    _run(net, stream)


def _run(net, stream):
    refusals = []
    for backend, precision in (("reference", "double"), ("cpu", "double"), ("cpu", "single")):
        try:
            es.simulate(net, stream, backend=backend, precision=precision)
        except EventSimError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _small_net(path):
    net = random_net(1, n_inputs=4, hidden=(5, 4), n_outputs=3, sparse=True)
    net.set_answer(es.Answer(tail=5.0, class_names=("a", "b", "c")))
    save_network(path, net)


def _lateral(path):
    save_network(path, lateral_net(2))


def _convolution(path):
    net = es.convolutional(16, (2,), 3, output_maps=2, kernel=(3, 3), stride=(2, 2), seed=0)
    save_network(path, net)


def use_network(path):
    run_net(load_network(path))


# Events.


def _stream(path):
    random_stream(3, n_samples=3, n_channels=4, duration=30.0).save(path)


def use_stream(path):
    run_stream(es.EventStream.load(path))


def run_stream(stream):
    """Use events that were read: slices, chunks, and a network that hears them."""
    list(stream.batches(2))
    stream[: min(2, len(stream))]
    if len(stream) and stream.n_channels <= LARGEST_INPUT and stream.n_events < 10_000:
        net = one_layer("hidden", np.full((stream.n_channels, 2), 0.5), refractory=1.0)
        _run(net, stream[: min(2, len(stream))])


def _stored(path):
    stream = random_stream(3, n_samples=3, n_channels=4, duration=30.0)
    recordings = [Recording(t, c, 40.0) for t, c in stream]
    write_stored(
        path,
        recordings,
        n_channels=4,
        columns={"labels": np.arange(3), "splits": np.array(["train", "test", "train"])},
        notes={"class_names": '["x", "y", "z"]', "key": "k"},
    )


def use_stored(path):
    stored = StoredStream.open(path)
    stored.verify()
    run_stream(stored[:2])
    next(stored.chunks(10.0))
    Dataset.open(path, split="train").read()


def _nir_events(path):
    import nir

    data = nir_events.to_nir(random_stream(3, n_samples=2, n_channels=4, duration=30.0))
    nir.write_data(path, nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": data})}))


def use_nir_events(path):
    format_of(path)
    run_stream(nir_events.load(path))


def _labels(path):
    for name in "ab":
        (path.parent / f"{name}.csv").write_text("1,0\n2,1\n")
    path.write_text("file,label,group,split\na.csv,yes,ann,train\nb.csv,no,bob,test\n")


def use_labels(path):
    data, splits = labelled_files(read_labels(path), text.load, name="mine")
    data.save(path.parent / "mine.h5", splits=splits)


def _tape(path):
    net, stream = random_net(1, n_inputs=4), random_stream(3, n_samples=2, n_channels=4)
    es.simulate(net, stream, backend="reference").save(path)


def use_tape(path):
    tape = SpikeTape.load(path)
    for name in tape.names:
        tape[name].counts()
        tape[name].sample(0)
    tape.save(path)


def _loop():
    return lateral_net(5, delays="synapse"), random_stream(6, n_samples=2, n_channels=5)


def _state(path):
    net, stream = _loop()
    es.simulate_chunk(net, next(stream.chunks(30.0)), backend="cpu")[1].save(path)


def use_state(path):
    net, stream = _loop()
    state = es.RunState.load(path, net)
    later = list(stream.chunks(30.0))[1]
    es.simulate_chunk(net, later, state, backend=state.backend, precision=state.precision)
    state.save(path)


# Training.


def _training():
    config = TrainConfig(epochs=2, batch_size=4, backend="reference", precision="double")
    net = random_net(1, n_inputs=4, hidden=(5,), self_delays="none")
    origin = Origin(config.to_dict(), "net", "data")
    return config, net, origin


def _checkpoint(path):
    config, net, origin = _training()
    optimiser = AdamW(net, select(net, config.trained()), config.adam_settings())
    line = {"epoch": 1, "loss": 1.0, "accuracy": 0.5, "validation_accuracy": 0.5,
            "validation_loss": 1.0, "seconds": 1.0}  # fmt: skip
    sums = BatchSums(loss=1.0, samples=4)
    state = TrainState(net, optimiser, net.copy(), 1, 1, sums, [line])
    save_checkpoint(path, state, origin)


def use_checkpoint(path):
    config, _, origin = _training()
    state = load_checkpoint(path, origin, config, Exact())
    state.pace(config, 4)
    state.digest()
    state.selection(state.outcome())
    run_net(state.net)


def _digits(folder):
    rng = np.random.default_rng(0)

    def spoken(speakers):
        found = {}
        for speaker in speakers:
            for k, word in enumerate("o12"):
                times = np.sort(rng.uniform(0.0, 40.0, 30))
                found[f"man-{speaker}-a-{word}"] = (times, rng.integers(20 * k, 20 * k + 20, 30))
        return found

    path = folder / "digits.hdf5"
    ntidigits.write(path, train=spoken(["aa", "bb", "cc"]), test=spoken(["dd"]))
    return path


def use_ntidigits(path):
    run_stream(ntidigits.load("train", root=path).stream)
    ntidigits.stored("train", root=path) if hasattr(ntidigits, "stored") else None


def _finished(folder, name):
    """A finished run, and the path of one of its files."""
    data, home = _digits(folder), folder / "run"
    command("train", data, "--hidden", 4, "--epochs", 2, "--batch-size", 5, "--backend",
            "reference", "--out", home)  # fmt: skip
    return home / name


def use_run(path):
    """Everything that reads the folder of a run."""
    use_report(path)
    command("evaluate", path.parent)


def use_report(path):
    run = load_run(path.parent)
    run.checked(run.data("test"))
    assert run.result


# Data sets.


def _shd(path):
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (3,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (3,), h5py.vlen_dtype(np.uint16))
        for k in range(3):
            times[k], units[k] = np.sort(rng.uniform(0, 1, 20)), rng.integers(0, 700, 20)
        file["labels"] = np.arange(3).astype("u1")
        file["extra/speaker"] = np.arange(3).astype("u1")
        file["extra/keys"] = np.array([f"word {k}" for k in range(20)], dtype="S")


def use_shd(path):
    run_stream(shd.load("train", root=path.parent).stream[:1])


def _nmnist(path):
    rows = np.zeros((30, 5), np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 3] = np.arange(30), np.arange(30), np.arange(30)
    path.write_bytes(rows.tobytes())


def use_nmnist(path):
    nmnist.load("train", root=path.parents[2])


def _nmnist_packed(path):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 300_000, 40))
    x, y, p = (rng.integers(0, n, 40).astype(np.uint8) for n in (34, 34, 2))
    np.savez_compressed(
        path, t=t, x=x, y=y, p=p, offsets=np.array([0, 20, 40]), label=np.array([3, 4]),
        index=np.array([7, 9]),
    )  # fmt: skip


def use_nmnist_packed(path):
    nmnist.load("train", root=path.parent)


def _fsdd(folder):
    path = folder / "fsdd" / "recordings" / "3_ann_4.wav"
    path.parent.mkdir(parents=True)
    t = np.arange(800) / 8000
    for take in (0, 4, 5):
        pcm = (8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
        wavfile.write(path.with_name(f"3_ann_{take}.wav"), 8000, pcm)
    return path.with_name("3_ann_5.wav")


def use_fsdd(path):
    fsdd.load("train", root=path.parents[1])


def _fsdd_zip(folder):
    path = folder / "fsdd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for wav in sorted(_fsdd(folder).parent.iterdir()):
            archive.write(wav, f"free-spoken-digit-dataset-1/recordings/{wav.name}")
    return path


def use_fsdd_zip(path):
    fsdd.load("train", root=path)


def _ti46(folder):
    place = folder / "ti20" / "train" / "f1"
    place.mkdir(parents=True)
    samples = (6000 * np.random.default_rng(0).normal(size=1500)).clip(-32768, 32767)
    samples = samples.astype("<i2")
    header = (
        f"NIST_1A\n   1024\nsample_count -i {samples.size}\nsample_rate -i 12500\n"
        "channel_count -i 1\nsample_n_bytes -i 2\nsample_byte_format -s2 01\n"
        "sample_coding -s3 pcm\nend_head\n"
    )
    path = place / "03f1set0.wav"
    path.write_bytes(header.encode().ljust(1024, b"\0") + samples.tobytes())
    return path


def use_ti46(path):
    ti46.load("train", root=path.parents[3])


def _ti46_text(path):
    path.write_text("-1\t-1\n5\t1\n0\t3\n77\t3\n0\t17\n-1\t-1\n")


def use_ti46_text(path):
    ti46_text.load(path.parents[1], step=1.0)


# Texts and recordings of sensors.


def _csv(path):
    rows = [f"{k * 1000},{k % 4},{k // 15}" for k in range(30)]
    path.write_text("\n".join(["time_us,channel,sample", *rows]) + "\n")


def use_csv(path):
    run_stream(text.load(path))


def _aedat(content, name):
    def make(folder):
        path = folder / name
        path.write_bytes(content)
        return path

    return make


def use_aedat(path):
    width = 2 if path.stem == "short" else 4
    sensor = replace(find_sensor("nas_64_stereo"), address_bytes=width)
    _use_recording(path, *aer.load(path, sensor=sensor))


def use_camera(path):
    _use_recording(path, *aer.load(path))


def _use_recording(path, stream, record):
    assert stream.n_events == record.n_events > 0
    if path.suffix == ".aedat":  # nothing is packed: an event takes six bytes or more
        assert record.n_events + sum(record.skipped.values()) <= path.stat().st_size / 6
    record.summary()
    run_stream(stream)


_PAIRS = [(k % 128, 100 * k) for k in range(40)]
_WORDS = [aedat.polarity_word(k, k, k % 2) for k in range(20)]
_CAER = aedat.caer(aedat.caer_packet(1, _WORDS, list(range(20))))
_DV = aedat.dv(aedat.dv_packet(aedat.EVENTS_4))
_DV_LZ4 = aedat.dv(aedat.LZ4_PACKET, compression=1)
_DV_ZSTD = aedat.dv(aedat.ZSTD_PACKET, compression=3)


# Descriptions.


def _copied(package, name, target):
    def make(folder):
        path = folder / target
        path.write_bytes((files(package) / name).read_bytes())
        return path

    return make


def use_chip(path):
    load_chip(path)


def use_case(path):
    case = read_case(path)
    from eventsim.conformance.run import run_case  # noqa: F401  # imported for its readers

    repr(case)


RECIPE = """format = "eventsim-recipe"
version = 1
name = "small"
title = "Skips"
task = "small.toml"
seeds = 2
baseline = "plain"
[network]
tau_syn = 10.0
[train]
bip = []
epochs = 2
augmentation = { jitter = 1.0, drop = 0.1 }
[[condition]]
name = "plain"
network = { skip = false, self_recurrent = false }
[[condition]]
name = "skip"
title = "with skips"
network = { self_recurrent = false }
same_parameters_as = "plain"
[[condition]]
name = "grid"
method = "grid"
dt = 1.0
train = { bip = [], train_delays = false, near_miss_strength = 0.0 }
[search]
condition = "plain"
seeds = [0]
trials = 3
[search.space]
"train.rates.weights" = { low = 1e-3, high = 1e-1, log = true }
"network.hidden" = { choices = [[4], [5]] }
"""


def _recipe(folder):
    (folder / "small.toml").write_text(TASK)
    path = folder / "recipe.toml"
    path.write_text(RECIPE)
    return path


def _task(folder):
    return _recipe(folder).with_name("small.toml")


def use_recipe(path):
    recipe = load_recipe(path.with_name("recipe.toml"))
    task = load_task(recipe.task, home=recipe.home)
    for smoke in (False, True):
        for spec in resolve(recipe, task, Selection(smoke=smoke)).specs()[:4]:
            json.dumps(spec.to_dict())


def _mapping(path):
    map_network(random_net(1, n_inputs=4), None, load_chip("loihi"), method="refined").save(path)


def use_mapping(path):
    load_cores(path)


def _config(suffix):
    def make(folder):
        path = folder / f"config{suffix}"
        plain = TrainConfig(loss="cross_entropy").to_dict()
        if suffix == ".json":
            path.write_text(json.dumps(plain))
        else:
            flat = [(k, v) for k, v in plain.items() if not isinstance(v, dict)]
            lines = [f"{k} = {json.dumps(v)}" for k, v in flat]
            for name, inner in plain.items():
                if isinstance(inner, dict):
                    lines.append(f"[{name}]")
                    # TOML has no null; these are the defaults.
                    given = {k: v for k, v in inner.items() if v is not None}
                    lines += [f"{k} = {json.dumps(v)}" for k, v in given.items()]
            path.write_text("\n".join(lines) + "\n")
        return path

    return make


def use_config(path):
    from eventsim.cli.train_settings import read_config_file

    TrainConfig.from_dict(read_config_file(path)).adam_settings()


def _assigned(folder):
    path = folder / "assigned.json"
    path.write_text(json.dumps(["near_miss_strength=0.1"]))
    return path


def _assignment(content, rng):
    del content
    plain = TrainConfig().to_dict()
    keys = [k for k in plain if not isinstance(plain[k], dict)]
    keys += [f"{k}.{i}" for k in plain if isinstance(plain[k], dict) for i in plain[k]]
    value = JSON_VALUES[rng.integers(len(JSON_VALUES))] if rng.integers(5) else "x"
    return json.dumps([f"{keys[rng.integers(len(keys))]}={value}"]).encode()


def use_assigned(path):
    """Type the values after --set; the data set is missing, so that nothing is trained."""
    given = json.loads(path.read_bytes())
    from eventsim.cli.train_settings import assign

    values = TrainConfig().to_dict()
    for one in given:
        assign(values, one)
    config = TrainConfig.from_dict(values)
    json.dumps(config.to_dict())
    stream, rng = (
        random_stream(0, n_samples=2, n_channels=4, duration=20.0),
        np.random.default_rng(0),
    )
    augment(extend(stream, config.tail), config.augmentation, rng=rng)
    mix_pairs(stream, np.eye(2), max(config.augmentation.mix, 0.1), rng=rng)


def _results(folder):
    home = folder / "experiment"
    recipe = _recipe(folder)
    command("experiment", "run", recipe, "--condition", "plain", "--out", home, "--jobs", 1)
    return next(home.rglob("result.json"))


def _plan(folder):
    return _results(folder).parents[2] / "experiment.json"


def use_results(path):
    root = next(p for p in path.parents if p.name == "experiment")
    command("experiment", "table", root)


def _nir(path):
    net = random_net(1, n_inputs=4, self_delays="none", delays="none")
    for name in ("hidden1", "hidden2"):
        net.populations[name].refractory[...] = 0.0  # NIR has no word for it
    net.set_answer(es.Answer(rule="last", tail=5.0))
    write_nir(net, path, lossy=True)


def use_nir(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_net(read_nir(path))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("network", at("net.npz", _small_net), use_network, changed_npz),
        Kind("lateral", at("lateral.npz", _lateral), use_network, changed_npz),
        Kind("convolution", at("convolution.npz", _convolution), use_network, changed_npz),
        Kind("stream", at("events.npz", _stream), use_stream, changed_npz, named=True),
        Kind("tape", at("tape.npz", _tape), use_tape, changed_npz),
        Kind("state", at("state.npz", _state), use_state, changed_npz),
        Kind("checkpoint", at("checkpoint.npz", _checkpoint), use_checkpoint, changed_npz),
        Kind("nmnist-npz", at("nmnist_train.npz", _nmnist_packed), use_nmnist_packed, changed_npz),
        Kind("stored", at("stored.h5", _stored), use_stored, change_h5),
        Kind("nir-events", at("events.nir", _nir_events), use_nir_events, change_h5),
        Kind("labels", at("labels.csv", _labels), use_labels),
        Kind("ntidigits", _digits, use_ntidigits, change_h5),
        Kind("shd", at("shd_train.h5", _shd), use_shd, change_h5),
        Kind("nir", at("net.nir", _nir), use_nir, change_h5),
        Kind("csv", at("events.csv", _csv), use_csv, named=True),
        Kind("ti46-text", at("digits/3/f1_u2_c3.dat", _ti46_text), use_ti46_text),
        Kind("ti46", _ti46, use_ti46),
        Kind("fsdd", _fsdd, use_fsdd, named=True),
        Kind("fsdd-zip", _fsdd_zip, use_fsdd_zip),
        Kind("nmnist", at("Train/3/00002.bin", _nmnist), use_nmnist),
        *(
            Kind(name, _aedat(content, file), use, named=True)
            for name, content, file, use in (
                ("aedat1", aedat.jaer(_PAIRS, width=2), "short.aedat", use_aedat),
                ("aedat2", aedat.jaer(_PAIRS, header=aedat.HEADER_2), "a.aedat", use_aedat),
                ("aedat3", _CAER, "a.aedat", use_camera),
                ("aedat4", _DV, "a.aedat4", use_camera),
                ("aedat4-lz4", _DV_LZ4, "a.aedat4", use_camera),
                ("aedat4-zstd", _DV_ZSTD, "a.aedat4", use_camera),
            )
        ),
        Kind("chip", _copied("eventsim.chips", "loihi.toml", "mine.toml"), use_chip, changed_toml),
        Kind("recipe", _recipe, use_recipe, changed_toml),
        Kind("task", _task, use_recipe, changed_toml),
        Kind("config-toml", _config(".toml"), use_config, changed_toml),
        Kind("config-json", _config(".json"), use_config, changed_json),
        Kind("assigned", _assigned, use_assigned, _assignment),
        Kind(
            "case",
            _copied(
                "eventsim.conformance", "cases/loop-without-delay.json", "loop-without-delay.json"
            ),
            use_case,
            changed_json,
        ),
        Kind("mapping", at("mapping.json", _mapping), use_mapping, changed_json),
        Kind("run.json", lambda f: _finished(f, "run.json"), use_run, changed_json),
        Kind("result.json", lambda f: _finished(f, "result.json"), use_report, changed_json),
        Kind("metrics", lambda f: _finished(f, "metrics.jsonl"), use_report, changed_json_lines),
        Kind("results", _results, use_results, changed_json),
        Kind("plan", _plan, use_results, changed_json),
    )
}


def restore(folder, pristine):
    """Put a folder back as it was."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pristine, folder)
