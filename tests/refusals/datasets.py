"""Files and folders of the table ``datasets.toml``: small ones, whole or broken on purpose.

A function writes a file and gives its path; statements change what is written.
"""

# ruff: noqa: F401 (the table uses what is imported here)

import gzip
import io
import os
import struct
import sys
import zipfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from scipy.io import wavfile

import eventsim as es
from eventsim import datasets
from eventsim.datasets import (
    aer,
    aer_dv,
    camera_files,
    espeak,
    fsdd,
    guarded,
    guarded_child,
    nir_events,
    nmnist,
    ntidigits,
    shd,
    spoken_digits,
    text,
    ti46,
    ti46_text,
    yinyang,
)
from eventsim.datasets import hdf5 as arrays_of_sets
from eventsim.datasets.adapters import AdaptedSet, from_arrays, from_nir, to_nir
from eventsim.datasets.aer_sensors import nas
from eventsim.datasets.audio import read_audio
from eventsim.datasets.audio_events import AudioEncoding, changed
from eventsim.datasets.cache import Samples, cached
from eventsim.datasets.dataset import Assumed
from eventsim.datasets.encoders import CochleaEncoder, GammatoneBank, LyonEar
from eventsim.datasets.formats import format_of
from eventsim.datasets.label_files import labelled_files, read_folder, read_labels, read_targets
from tests.refusals.things import WRITTEN, file, packed, saved, silent
from tests.refusals.things import small as small_network
from tests.support.aedat import (
    DESCRIPTION,
    END_2,
    END_3,
    EVENTS_4,
    HEADER_2,
    HEADER_3,
    LZ4_PACKET,
    caer,
    caer_packet,
    dv,
    dv_packet,
    ear_word,
    jaer,
    polarity_word,
)
from tests.support.recordings import (
    CAMERA,
    COCHLEA,
    EVENTS,
    camera,
    nmnist_bin,
    raw_evt,
    raw_evt21,
    sphere,
    wav,
)

MONO_4 = nas(32, 1)
CAMERA_ARRAYS = dict(zip("txyp", EVENTS.T, strict=True))
SIZE = {"sensor_size": (4, 4, 2)}
GOOD_3 = caer_packet(1, [polarity_word(1, 1, 1)] * 3, [1, 2, 3])
WHOLE = dv(dv_packet(EVENTS_4))


def with_(changes, call):
    """What a call raises while names of eventsim.datasets have other values."""
    with ExitStack() as stack:
        for name, value in changes.items():
            stack.enter_context(mock.patch(f"eventsim.datasets.{name}", value))
        return call()


def lacking(name, call):
    """What a call raises where a package is not installed."""
    with mock.patch.dict(sys.modules, {name: None}):
        return call()


def here(library, path, *arguments, **_limits):
    """A library reads in this process, quickly; test_vlen.py starts those that are real."""
    return guarded_child.WAYS[library](str(path), *arguments)


def folder(files, path="given"):
    """The path of a folder with files; what has no content is a folder."""
    for name, content in files.items():
        place = Path(path, name)
        if content is None:
            place.mkdir(parents=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
    Path(path).mkdir(exist_ok=True)
    WRITTEN.append(Path(path))
    return Path(path)


def decoded(content, **options):
    """What the reader of AEDAT 4 raises, where its package is there."""
    pytest.importorskip("aedat")
    return aer.load(file(content, "a.aedat"), **options)


def saved_array(values, path="given.npy"):
    np.save(path, values)
    WRITTEN.append(Path(path))
    return path


def pipe(path="pipe"):
    os.mkfifo(path)
    WRITTEN.append(Path(path))
    return path


def zipped(files, path="given.zip"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    WRITTEN.append(Path(path))
    return path


def hdf5(*statements, path="given.h5"):
    """A file of HDF5, which the statements fill as ``file`` of h5py."""
    with h5py.File(path, "w") as made:
        for statement in statements:
            exec(statement, globals(), {"file": made})
    WRITTEN.append(Path(path))
    return Path(path)


def digits(*statements, path="n-tidigits.hdf5"):
    """A file of N-TIDIGITS18, whose sample ``man-ae-a-o`` has 40 events."""
    rng = np.random.default_rng(0)
    train = {"man-ae-a-o": (np.sort(rng.uniform(0, 900, 40)), rng.integers(0, 64, 40))}
    ntidigits.write(path, train=train, test={"man-ae-a-12": ([1.0], [0])})
    with h5py.File(path, "a") as made:
        for statement in statements:
            exec(statement, globals(), {"file": made})
    WRITTEN.append(Path(path))
    return Path(path)


def digit(part, values):
    """The file in which one array of a sample is another, or is none."""
    name = f"train_{part}/man-ae-a-o"
    put = f"; file[{name!r}] = {values}" if values else ""
    return ntidigits.load("train", root=digits(f"del file[{name!r}]{put}"))


def words(*statements, path="shd_train.h5"):
    """A file of SHD: 6 samples of one event."""
    with h5py.File(path, "w") as made:
        for name, kind, value in (("times", "f2", 0.5), ("units", "u2", 3)):
            made.create_dataset(f"spikes/{name}", (6,), h5py.vlen_dtype(np.dtype(kind)))
            for k in range(6):
                made[f"spikes/{name}"][k] = np.array([value], kind)
        made["labels"] = np.arange(6)
        made["extra/speaker"] = np.arange(6) % 3
        for statement in statements:
            exec(statement, globals(), {"file": made})
    WRITTEN.append(Path(path))
    return path


def heard(*statements):
    """What a file of SHD raises, of which statements change a part."""
    return with_({"guarded.blocks": here}, lambda: shd.load("train", root=words(*statements)))


def word(times, units):
    """A file of SHD whose sample 2 is another."""
    return heard(
        f"file['spikes/times'][2] = np.array({times}, 'f2')",
        f"file['spikes/units'][2] = np.array({units}, 'u2')",
    )


def packed_digits(path="nmnist_train3.npz", **changes):
    """N-MNIST in arrays: two samples, of 2 and of 1 events."""
    arrays = {name: np.array([1, 0, 1]) for name in "txyp"}
    numbers = {"offsets": [0, 2, 3], "label": [0, 3], "index": [7, 2]}
    arrays |= {name: np.array(values) for name, values in numbers.items()} | changes
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    WRITTEN.append(Path(path))
    return path


def table(content, also=None):
    """The path of a table beside files of one recording each, of which c has two."""
    for name, lines in (("a", "1,0"), ("b", "2,1"), ("c", "3,0,0\n4,2,1")):
        file(lines, f"{name}.csv")
    if also == "sub":
        folder({}, "sub")
    if also == "link":
        Path("link.csv").symlink_to("a.csv")
        WRITTEN.insert(0, Path("link.csv"))
    for name, n in (("d", 4), ("e", 5)) if also == "npz" else ():
        saved(es.EventStream([1.0], [0], [0, 1], n_channels=n, duration=2.0), f"{name}.npz")
    return Path(file(content, "labels.txt"))


def labelled_by(content, *named):
    """The recordings of a table."""
    rows = read_labels(table(content), [Path(name) for name in named])
    return labelled_files(rows, text.load, name="x")


SPIKES = "-1\t-1\n0\t3\n0\t17\n77\t3\n5\t1\n-1\t-1\n"


def spikes(content, name="3/f1_u2_c3.dat", **options):
    """Text of TI46: a file of a folder."""
    files = {"0/m8_u10_c0.dat": "-1 -1\n7 699\n-1 -1\n", name: content}
    return ti46_text.load(folder(files), **options)


def cochleagram(rows=78, columns=3):
    return [" ".join(["  1.5e-04"] * columns) for _ in range(rows)]


def corpus(content, **options):
    """TI46 of one recording."""
    place = folder({"ti20/train/f1/03f1set0.wav": content})
    return ti46.load("train", root=place, **options)


def event_data(**changes):
    """Of NIR: a sample of two events."""
    nir = pytest.importorskip("nir")

    given = {"idx": np.array([[0, 1]]), "time": np.array([[0.1, 0.2]])} | changes
    return nir.EventData(**given, n_neurons=4, t_max=0.5)


def valued_data():
    nir = pytest.importorskip("nir")

    return nir.ValuedEventData(np.array([[0]]), np.array([[0.1]]), 4, 0.5, np.array([[2.0]]))


def nir_file(nodes, *statements, path="events.nir"):
    nir = pytest.importorskip("nir")

    given = {
        name: nir.NIRNodeData(
            {"spikes": event_data()}
            if good
            else {"v": nir.TimeGriddedData(np.zeros((1, 3, 2)), 1.0)}
        )
        for name, good in nodes.items()
    }
    nir.write_data(path, nir.NIRGraphData(given))
    with h5py.File(path, "a") as made:
        for statement in statements:
            exec(statement, globals(), {"file": made})
    WRITTEN.append(Path(path))
    return path


def cut(path, n):
    """The same file, of which ``n`` bytes are left, or -n are cut off."""
    Path(path).write_bytes(Path(path).read_bytes()[:n])
    return path


def claims_of(half, n):
    """Statements by which a sample of N-TIDIGITS18 claims ``n`` events and stores none."""
    for part, kind in (("timestamps", "f4"), ("addresses", "i1")):
        yield f"del file['{half}_{part}/man-ae-a-o']"
        yield (
            f"file['{half}_{part}'].create_dataset('man-ae-a-o', ({n},), '{kind}', chunks=(100,))"
        )


def claiming(path):
    """N-MNIST in arrays, of which one claims more than it has."""
    whole = io.BytesIO()
    np.save(whole, np.zeros(10, np.uint32))
    lying = whole.getvalue().replace(b"(10,), ", b"(10000000000000,), ").replace(b" " * 12, b"", 1)
    with zipfile.ZipFile(packed_digits(path, t=None), "a") as archive:
        archive.writestr("t.npy", lying)
    return path


def spoken(content=None):
    """FSDD of one recording, a part of its training half."""
    return folder({"recordings/3_ann_5.wav": wav(rate=8000) if content is None else content})


def served(content, call):
    """What a call raises if the network gives this; pooch itself compares the checksum."""

    def server(_url, output_file, _pooch, **_options):
        if content is None:
            raise ConnectionError("no route to host")
        Path(output_file).write_bytes(content)

    with mock.patch("pooch.core.choose_downloader", return_value=server):
        return call()


def offline(call):
    return served(None, call)


def cache_in_a_file():
    made = Samples((), np.zeros(0, int), np.zeros(0, str), np.zeros(0, str), 2)
    with mock.patch.dict(os.environ, {"EVENTSIM_CACHE": file("no folder", "cache")}):
        return cached("x", key={}, make=lambda: made, use=list)


def set_of_three():
    return es.Dataset(silent(3), [0, 1, 0], ("a", "b"))


def with_voice(name):
    pytest.importorskip("espeakng_loader")
    return espeak.Synthesizer().say("one", voice=name, pitch=50, rate=160)


def ragged_of(statement):
    with h5py.File(hdf5(statement)) as made:
        return arrays_of_sets.ragged(made, "x", kinds="f")


class Recorded(list):
    """As a data set of tonic's: pairs of events and a target."""

    def __init__(self, *targets, size=(8, 1, 1)):
        super().__init__((np.array([(1000 * k, k, 1)], COCHLEA), t) for k, t in enumerate(targets))
        self.sensor_size = size
