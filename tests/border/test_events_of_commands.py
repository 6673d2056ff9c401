"""Every kind of events through every command that takes events, and the files between them."""

from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets import nir_events, ntidigits
from eventsim.events import Dataset, EventStream, Recording, write_stored
from eventsim.train import save_network
from tests.support.aedat import jaer
from tests.support.tiers import beyond
from tests.unit.cli import conftest as cli
from tests.unit.cli.conftest import TINY, call, done, refused, told

places, undrawn = cli.places, cli.undrawn  # for all tests

N_CHANNELS = 64  # of all kinds but the data set and the camera
WORDS = ("no", "yes")
LABELLED = ("set", "own", "ntidigits")
KINDS = (*LABELLED, "unlabelled", "npz", "csv", "aedat", "nir")


def stream(n=20, seed=0):
    """Recordings of two classes in turn: events of the lower channels, or of the upper ones."""
    rng = np.random.default_rng(seed)
    samples = []
    for k in range(n):
        times = np.sort(rng.uniform(0.0, 40.0, 30))
        samples.append((times, rng.integers(32 * (k % 2), 32 * (k % 2) + 32, 30)))
    return EventStream.from_samples(samples, n_channels=N_CHANNELS, duration=41.0)


def own(path, *, n=20, seed=0, splits=None):
    Dataset(stream(n, seed), np.arange(n) % 2, WORDS).save(path, splits=splits)
    return str(path)


def write(kind, folder):
    """A place of that kind; the set is Yin-Yang, which is made here."""
    some = stream(4)
    if kind == "set":
        return "yinyang"
    if kind == "own":
        return own(folder / "own.h5")
    path = folder / f"some.{ {'unlabelled': 'h5', 'ntidigits': 'hdf5'}.get(kind, kind) }"
    if kind == "ntidigits":
        train, test = (cli.recordings(who, seed=3) for who in (["aa", "bb"], ["cc"]))
        ntidigits.write(path, train=train, test=test)
    elif kind == "unlabelled":
        write_stored(path, [Recording(t, c, 41.0) for t, c in some], n_channels=N_CHANNELS)
    elif kind == "npz":
        some.save(path)
    elif kind == "csv":
        sample = np.repeat(np.arange(4), np.diff(some.offsets))
        rows = zip(some.times, some.channels, sample, strict=True)
        lines = [f"{t},{c},{s}" for t, c, s in rows]
        path.write_text("\n".join(["time_ms,channel,sample", *lines, f"40.5,{N_CHANNELS - 1},0"]))
    elif kind == "aedat":
        path.write_bytes(jaer([(k % 32, 1000 * k) for k in range(60)]))
    else:
        nir = pytest.importorskip("nir")
        data = nir.NIRNodeData({"spikes": nir_events.to_nir(some)})
        nir.write_data(path, nir.NIRGraphData({"input": data}))
    return str(path)


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Place, further options and network file of every kind, made when it is asked for."""
    made = {}

    def make(kind):
        if kind not in made:
            home = tmp_path_factory.mktemp(kind)
            place = write(kind, home)
            n_channels = {"set": 5, "aedat": 32}.get(kind, N_CHANNELS)
            classes = {"set": 3, "ntidigits": 11}.get(kind, 2)
            net = es.scsr(n_channels, [4], classes, seed=1)
            save_network(home / "net.npz", net)
            options = ("--sensor", "nas_16_mono") if kind == "aedat" else ()
            made[kind] = place, options, home / "net.npz"
        return made[kind]

    return make


def commands(kind, home):
    place, options, net = home
    some = (*options, "--samples", 2, "--threads", 1)
    yield "data", "info", place, *options
    yield "data", "plot", place, *options, "--sample", 1 if kind != "aedat" else 0
    yield "data", "import", place, *options, "--out", "imported.h5"
    yield "simulate", net, place, *some
    yield "cost", net, place, *some
    yield "map", net, place, *some, "--method", "refined"
    yield "report", net, place, *some
    if kind in LABELLED:
        size = ("--epochs", 1, "--batch-size", 256 if kind == "set" else 6)
        yield "train", place, *TINY, *size, "--out", "run"
        run = "run"
        yield "evaluate", run, place, "--threads", 1
        yield "cost", run, "--samples", 2, "--threads", 1
        yield "data", "make", place
    if kind == "own":
        yield "report", run, "--samples", 2, "--threads", 1


@pytest.mark.parametrize(
    "kind",
    beyond(
        1,
        ("own", "set", "ntidigits", *KINDS[3:]),
        pytest.mark.thorough("all commands; export takes every kind, quickly"),
    ),
)
def test_every_command_takes_every_kind_of_events(kind, homes):
    home = homes(kind)
    for command in commands(kind, home):
        outcome = call(*command)
        if kind == "own" and command[:2] == ("data", "make"):
            assert outcome.code == 2
            assert "is a file of eventsim already" in outcome.err
            continue
        assert outcome.code == 0, (command, outcome.err, outcome.out)
    done("simulate", home[2], "imported.h5", "--samples", 1, "--json")


@pytest.mark.parametrize("kind", KINDS)
def test_export_checks_a_network_on_every_kind_of_events(kind, homes):
    pytest.importorskip("nir")
    place, options, net = homes(kind)
    done("export", net, "--out", "net.nir", "--events", place, *options, "--samples", 1)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(LABELLED)))
def test_events_without_labels_are_refused_where_labels_are_needed(kind, homes):
    place, *_ = homes(kind)
    outcome = refused("train", place, *TINY)
    assert f"eventsim data import {place}" in outcome.err.replace("\n", "")
    assert "--labels" in outcome.err


def test_file_is_told_by_its_content_whatever_its_name(homes, tmp_path):
    for kind in KINDS[1:]:
        place, options, net = homes(kind)
        content = Path(place).read_bytes()
        for suffix in ("h5", "dat") if kind != "aedat" else ("aedat",):
            (tmp_path / f"renamed.{suffix}").write_bytes(content)
            renamed = tmp_path / f"renamed.{suffix}"
            done("simulate", net, renamed, *options, "--samples", 1, "--json")


def test_files_of_something_else_are_called_what_they_are(homes, tmp_path):
    _, _, net = homes("npz")
    pytest.importorskip("nir")
    done("export", net, "--out", "net.nir")
    (tmp_path / "strange.h5").write_bytes(b"\x00\x01\x02")
    (tmp_path / "empty.h5").write_bytes(b"")
    for place, words in (
        (net, "is a network, expected a file of events"),
        ("net.nir", "is a NIR graph, no events"),
        ("strange.h5", "is neither text, HDF5, npz nor AEDAT"),
        ("empty.h5", "is empty"),
        (tmp_path, "is a folder"),
    ):
        refused("simulate", net, place).says(words)


def test_address_events_without_a_sensor_name_those_that_fit(homes):
    place, _, net = homes("aedat")
    for options in ((), ("--sensor", "nas_16_mono_usbaer")):
        refused("simulate", net, place, *options).says("fit nas_16_mono", "--sensor nas_16_mono")


def test_own_file_is_trained_divided_and_asked_again(tmp_path):
    path = own(tmp_path / "mine.h5")
    trained = done("train", path, *TINY, "--out", "run", "--json").says(
        "20 % of every class are the test part, drawn by seed 0"
    )
    assert trained.json["test"]["samples"] == 4
    own_part = told("evaluate", "run")
    assert own_part["samples"] == 4
    assert told("evaluate", "run", "mine.h5")["accuracy"] == own_part["accuracy"]
    other = own(tmp_path / "other.h5", n=6, seed=1)
    assert told("evaluate", "run", other)["samples"] == 6
    done("train", "mine.h5", "--resume", "--out", "run", "--json")
    refused("train", other, "--resume", "--out", "run")


def test_own_file_is_divided_as_it_says_or_by_another_file(tmp_path):
    path = own(tmp_path / "mine.h5", splits=np.repeat(["train", "test"], [14, 6]))
    assert told("train", path, *TINY, "--out", "a")["test"]["samples"] == 6
    other = own(tmp_path / "other.h5", n=8, seed=1)
    trained = told("train", path, "--test-data", other, *TINY, "--out", "b")
    assert trained["test"]["samples"] == 8
    found = told("data", "info", path)["splits"]
    assert {name: part["samples"] for name, part in found.items()} == {"train": 14, "test": 6}
    refused("train", "yinyang", "--test-data", other).says("has a test part")


LATE = 37_250.0  # ms: what a sensor's clock shows when the first event comes


def write_begun(kind, path, zero):
    """Six recordings of two classes, the first event of each at ``zero`` ms."""
    samples = [(times - times[0] + zero, channels) for times, channels in stream(6)]
    events = EventStream.from_samples(samples, n_channels=N_CHANNELS, duration=zero + 41.0)
    if kind == "own":
        Dataset(events, np.arange(6) % 2, WORDS).save(path)
    else:
        sample = np.repeat(np.arange(6), np.diff(events.offsets))
        rows = zip(events.times, events.channels, sample, strict=True)
        lines = [f"{1e3 * t:.0f},{c},{s}" for t, c, s in rows]
        path.write_text("\n".join(["time_us,channel,sample", *lines]))
    return path


def same(found, expected):
    """Whether JSON of a command says the same, up to the rounding of times that were moved.

    What is left out: names of files, times of the clock, and how the recordings were read.
    """
    left = ("seconds", "compile_seconds", "read", "data", "out", "report", "title")
    left += ("begin", "guesses", "description", "figure")
    if isinstance(found, dict):
        assert found.keys() == expected.keys()
        return all(same(found[name], expected[name]) for name in found if name not in left)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, float):
        return found == pytest.approx(expected, rel=1e-6, abs=1e-9)
    return found == expected


@pytest.mark.parametrize(
    "kind", beyond(1, ["csv", "own"], pytest.mark.thorough("trains; its import is tested above"))
)
def test_recordings_that_begin_late_are_to_all_commands_what_they_are_at_zero(kind, tmp_path):
    """Text as it is, which every command reads; the others after their import."""
    save_network(tmp_path / "net.npz", es.scsr(N_CHANNELS, [4], 2, seed=1))
    answer = {}
    for name, zero in (("plain", 0.0), ("late", LATE)):
        place = write_begun(kind, tmp_path / f"{name}.{kind}", zero)
        if kind == "own":
            done("data", "import", place, "--out", f"{name}.h5")
            place = f"{name}.h5"
            run = (*TINY, "--backend", "cpu", "--out", name)
            done("train", place, *run, "--json")
            evaluated = told("evaluate", name)
            answer[name, "evaluate"] = {k: evaluated[k] for k in ("accuracy", "confusion")}
        some = ("net.npz", place, "--samples", 2, "--threads", 1)
        for command in (
            ("data", "info", place),
            ("data", "plot", place),
            ("simulate", *some),
            ("cost", *some),
            ("map", *some, "--method", "first-fit", "--no-compare"),
            ("report", *some, "--out", f"{name}.html"),
        ):
            outcome = done(*command, "--json")
            words = " ".join(map(str, command[:2])) if command[0] == "data" else command[0]
            answer[name, words] = outcome.json
            if kind == "csv":
                assert ("moved by 37,250 ms" in outcome.err) == (name == "late")
                found = outcome.json
                read = found.get("read") or found.get("measured", {}).get("read")
                read = read or found["splits"]["all"]
                assert read["begin"]["moved"] == (6 if name == "late" else 0)
    for name, words in list(answer):
        if name == "late":
            assert same(answer["late", words], answer["plain", words]), words
