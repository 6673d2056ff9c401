"""Audio files and the microphone: one cochlea for what is learned and what is heard."""

import numpy as np
import pytest
from scipy.io import wavfile

import eventsim as es
from eventsim.cli.events import find_for
from eventsim.cli.exchange import _audio
from eventsim.cli.listen import _cochlea_of
from eventsim.cli.reading import Reading
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.encoders import CochleaEncoder, cochlea_operations
from eventsim.events import Dataset
from tests.unit.cli.conftest import TINY, done, told
from tests.unit.datasets import conftest as files

wavs = files.wavs

COCHLEA = CochleaEncoder(n_channels=8, inhibition_width=3, gain=4000.0, streaming=True)
TYPED = [f"--encoder={name}={getattr(COCHLEA, name)}" for name in ("n_channels", "gain")]
TYPED += ["--encoder=inhibition_width=3"]


def word(pitch, rate=8000):
    rng, t = np.random.default_rng(pitch), np.arange(rate // 10) / rate
    tone = 9000 * np.sin(2 * np.pi * pitch * t)
    return (tone + rng.normal(0, 200, t.size)).astype("<i2")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A folder per class with files of audio; the file made of it; and a run on that."""
    home = tmp_path_factory.mktemp("words")
    for name, pitch in (("low", 300), ("high", 2500)):
        (home / "files" / name).mkdir(parents=True)
        for k in range(4):
            wavfile.write(home / "files" / name / f"{k}.wav", 8000, word(pitch + 20 * k))
    outcome = told("data", "import", home / "files", *TYPED, "--out", home / "words.h5")
    done("train", home / "words.h5", *TINY, "--out", home / "run", "--json")
    return home, outcome


def test_a_folder_of_audio_becomes_events_that_say_by_which_cochlea(words):
    home, found = words
    assert found["audio"] == {"encoder": vars(COCHLEA), "sample_rate": 8000.0}
    data = Dataset.open(home / "words.h5")[:]
    assert data.class_names == ("high", "low")
    times, channels = COCHLEA.encode(word(2500), 8000)
    first = data.stream[:1]
    np.testing.assert_array_equal(first.times, times)
    np.testing.assert_array_equal(first.channels, channels)
    assert first.duration.tolist() == [100.0]


def test_a_run_hears_files_and_the_microphone_by_the_cochlea_that_it_has_learned(words):
    home, _ = words
    file = home / "files" / "low" / "1.wav"
    found = done("predict", home / "run", file, "--json").says(
        "audio encoded by the cochlea of words.h5"
    )
    part = COCHLEA.encode(word(320), 8000)
    stream = es.EventStream.from_samples([part], n_channels=8, duration=100.0)
    wanted = es.predict(es.load_run(home / "run").net, stream)
    assert found.json["answers"][0]["answer"] == wanted.names[0]
    assert _cochlea_of(home / "run") == AudioEncoding(COCHLEA, 8000.0)
    assert _audio(home / "run").sample_rate == 8000.0


@pytest.mark.parametrize("events", [[], ["words.h5"], ["files/low/1.wav"]])
def test_cost_counts_the_cochlea_of_audio_of_ones_own(words, events):
    home, _ = words
    found = told("cost", home / "run", *(home / one for one in events))
    of_second = cochlea_operations(COCHLEA, 8000.0).multiply_adds
    assert found["encoder"]["multiply_adds"] == pytest.approx(0.1 * of_second)


def test_a_data_set_by_name_is_encoded_as_that_of_the_run(wavs, monkeypatch, tmp_path):
    monkeypatch.setenv("EVENTSIM_DATA", str(wavs.parent))
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    soft = ["--encoder=gain=4000", "--encoder=n_channels=16", "--encoder=inhibition_width=3"]
    done("train", "fsdd", *soft, *TINY, "--out", tmp_path / "run", "--json")
    own, named = (find_for(tmp_path / "run", place, Reading()) for place in (None, "fsdd"))
    assert own.stream.n_channels == named.stream.n_channels == 16
    np.testing.assert_array_equal(own.stream[:].times, named.stream[:].times)
    found = done("cost", tmp_path / "run", "fsdd", "--json").says(
        "fsdd encoded as the run's recordings: gain=4000, n_channels=16"
    )
    assert found.json["encoder"] == told("cost", tmp_path / "run")["encoder"]


def test_audio_of_several_rates_is_told(words, tmp_path):
    wavfile.write(tmp_path / "a.wav", 16000, word(300, 16000))
    lines = [f"{tmp_path / 'a.wav'},low", f"{words[0] / 'files' / 'high' / '0.wav'},high"]
    (tmp_path / "labels.csv").write_text("file,label\n" + "\n".join(lines))
    done("data", "import", "--labels", tmp_path / "labels.csv", "--out", tmp_path / "a.h5").says(
        "audio of different kinds: 1 of 16000 Hz, 1 of 8000 Hz; 0 files of no audio"
    )


def test_a_run_on_events_of_whole_recordings_gets_no_microphone_in_its_page(finished, monkeypatch):
    _, run, _ = finished
    assert "it is not known which cochlea" in _audio(run)
    monkeypatch.setattr(
        "eventsim.runs.data.DataSettings.audio", AudioEncoding(CochleaEncoder(), 8000.0)
    )
    assert "whose cochlea hears a whole recording before its first event" in _audio(run)
