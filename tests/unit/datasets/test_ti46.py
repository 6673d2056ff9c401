import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from eventsim.datasets import ti46, ti46_text
from eventsim.datasets.encoders import Bsa, Frames, LyonEar, encode
from eventsim.errors import DataError
from tests.support.recordings import sphere
from tests.support.streams import assert_same_events
from tests.support.ti46_files import write_spikes


def speech(seed, n=3100):
    """Noise in syllables, 16-bit at 12.5 kHz."""
    rng = np.random.default_rng(seed)
    envelope = np.sin(np.pi * np.arange(n) / n) ** 2
    return (6000 * envelope * rng.normal(size=n)).clip(-32768, 32767).astype(np.int16)


@pytest.fixture
def corpus(tmp_path):
    """The folders of LDC93S9: two speakers, a few words, SPHERE files."""
    root = tmp_path / "ti46"
    seed = 0
    for speaker in ("f1", "m2"):
        for folder, words in (("ti20", ("03", "09", "go")), ("ti_alpha", ("0a", "0z"))):
            for split, takes in (("train", ("set0", "set7")), ("test", ("s1t0", "s8t1"))):
                place = root / folder / split / speaker
                place.mkdir(parents=True)
                for word in words:
                    for take in takes:
                        seed += 1
                        content = sphere(speech(seed, 2000 + 100 * seed))
                        (place / f"{word}{speaker}{take}.wav").write_bytes(content)
    (root / "ti20" / "train" / "f1" / "readme.txt").write_text("TI46")
    return root


def test_digits_are_read_in_the_order_of_word_speaker_and_take(corpus):
    data = ti46.load("train", root=corpus)
    assert data.labels.tolist() == [3, 3, 3, 3, 9, 9, 9, 9]
    assert data.groups.tolist() == ["f1", "f1", "m2", "m2"] * 2
    assert data.class_names[3] == "three"
    assert data.stream.n_channels == data.info.channels == 78
    assert data.stream.n_samples == len(data) == 8
    assert data.stream.n_events > 1000


def test_letters_and_test_takes_have_their_own_folders(corpus):
    data = ti46.load("test", task="alpha", root=corpus)
    assert data.labels.tolist() == [0, 0, 0, 0, 25, 25, 25, 25]
    assert data.class_names == tuple("abcdefghijklmnopqrstuvwxyz")
    found = ti46.tokens(corpus, task="alpha", split="test")
    assert [t.name for t in found[:3]] == ["0af1s1t0", "0af1s8t1", "0am2s1t0"]
    assert data.keys.tolist() == [t.name for t in found]
    assert data.groups.tolist() == [t.speaker for t in found]


def test_spikes_are_those_of_ear_and_bsa_on_full_scale_audio(corpus):
    data = ti46.load("train", root=corpus)
    token = ti46.tokens(corpus, task="digits", split="train")[5]
    samples = np.frombuffer(token.path.read_bytes()[1024:], "<i2")
    times, channels = encode(samples / 32768.0, 12500, bank=LyonEar(), coder=Bsa())
    np.testing.assert_array_equal(data.stream.sample(5)[1], channels)
    np.testing.assert_allclose(data.stream.sample(5)[0], times, rtol=1e-14)
    assert data.stream.duration[5] == pytest.approx(samples.size / 12.5)


def test_spikes_are_those_of_the_oracle_and_the_published_program(corpus):
    package = pytest.importorskip(
        "lyon.calc", reason="the oracle is not installed: pip install lyon==1.0.0 (x86-64 Linux)"
    )
    data = ti46.load("test", root=corpus)
    for k, token in enumerate(ti46.tokens(corpus, task="digits", split="test")):
        samples = np.frombuffer(token.path.read_bytes()[1024:], "<i2") / 32768.0
        heard = package.LyonCalc().lyon_passive_ear(samples, 12500, decimation_factor=200).T
        times, channels = Bsa().spikes(Frames(heard, step=16.0, duration=0.0))
        np.testing.assert_array_equal(data.stream.sample(k)[1], channels)
        np.testing.assert_allclose(data.stream.sample(k)[0], times)


@pytest.mark.thorough("encodes seconds of speech")
def test_long_recording_is_cut_at_700_steps(corpus):
    path = corpus / "ti20" / "train" / "f1" / "03f1set0.wav"
    path.write_bytes(sphere(speech(1, 20000)))
    data = ti46.load("train", root=corpus, speakers=["f1"])
    assert data.stream.duration[0] == pytest.approx(700 * 1.6)
    assert 600 * 1.6 < data.stream.sample(0)[0].max() < 700 * 1.6


def test_step_of_one_counts_in_steps(corpus):
    real, counted = (ti46.load("train", root=corpus, step=s).stream for s in (1.6, 1.0))
    np.testing.assert_array_equal(counted.times, np.round(counted.times))
    np.testing.assert_allclose(real.times, 1.6 * counted.times)
    np.testing.assert_allclose(real.duration, 1.6 * counted.duration)


def test_upper_case_folders_below_the_root_and_converted_files_give_the_same(corpus, tmp_path):
    expected = ti46.load("train", root=corpus).stream
    other = tmp_path / "disc" / "TI46"
    for path in sorted((corpus / "ti20" / "train").rglob("*.wav")):
        place = other / "TI20" / "TRAIN" / path.parent.name.upper()
        place.mkdir(parents=True, exist_ok=True)
        samples = np.frombuffer(path.read_bytes()[1024:], "<i2")
        wavfile.write(place / path.name.upper(), 12500, samples)
        # sph2pipe leaves the compressed file beside the one it made.
        squeezed = sphere(samples, sample_coding="-s26 pcm,embedded-shorten-v2.00")
        (place / path.with_suffix(".SPH").name.upper()).write_bytes(squeezed)
    actual = ti46.load("train", root=tmp_path / "disc").stream
    assert_same_events(actual, expected)


def test_corpus_is_found_in_the_usual_place(corpus, monkeypatch):
    monkeypatch.setenv("EVENTSIM_DATA", str(corpus.parent))
    assert len(ti46.load("test")) == 8


def test_entries_of_the_registry_open_either_task(corpus):
    for opener, task in ((ti46.digits, "digits"), (ti46.alpha, "alpha")):
        data = opener("train", root=corpus, download=False).load()
        assert data.info is ti46.INFO[task]
        assert data.info.name == f"ti46_{task}"
        assert data.split == "train"


def test_second_load_encodes_nothing(corpus, monkeypatch):
    first, encoded = ti46.load("train", root=corpus), []
    once = ti46.recording
    monkeypatch.setattr(ti46, "recording", lambda *given: encoded.append(1) or once(*given))
    second = ti46.load("train", root=corpus)
    assert_same_events(first.stream, second.stream)
    one = ti46.load("train", root=corpus, speakers=["m2"])
    assert one.groups.tolist() == ["m2"] * 4
    assert encoded == []
    path = corpus / "ti20" / "train" / "f1" / "03f1set0.wav"
    path.write_bytes(sphere(speech(99)))
    assert ti46.load("train", root=corpus).stream.n_events != first.stream.n_events
    assert len(encoded) == 8


# Text


SPIKES = "-1\t-1\n0\t3\n0\t17\n77\t3\n5\t1\n-1\t-1\n"


@pytest.fixture
def texts(tmp_path):
    for name, text in (
        ("3/f1_u2_c3.dat", SPIKES),
        ("3/t0_f1_u1_c3.dat", "-1\t-1\n-1\t-1\n"),
        ("0/m8_u10_c0.dat", "-1\t-1\r\n7\t699\r\n7\t700\r\n-1\t-1\r\n\r\n"),
    ):
        path = tmp_path / "digits" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path / "digits"


def test_spike_files_are_read_in_the_order_of_class_and_speaker(texts):
    data = ti46_text.load(texts, step=1.0)
    assert data.labels.tolist() == [0, 3, 3]
    assert data.groups.tolist() == ["m8", "f1", "f1"]
    assert data.stream.duration.tolist() == [700.0] * 3
    assert data.stream.sample(0)[0].tolist() == [699.0]  # 700 is past the end
    times, channels = data.stream.sample(1)
    assert times.tolist() == [1.0, 3.0, 3.0, 17.0]
    assert channels.tolist() == [5, 0, 77, 0]
    assert data.stream.sample(2)[0].size == 0
    np.testing.assert_allclose(ti46_text.load(texts).stream.sample(0)[0], [699 * 1.6])


def test_cochleagrams_of_the_corpus_give_its_spikes(corpus, tmp_path):
    data = ti46.load("test", task="alpha", root=corpus)
    folder = tmp_path / "text"
    for k, token in enumerate(ti46.tokens(corpus, task="alpha", split="test")):
        samples = np.frombuffer(token.path.read_bytes()[1024:], "<i2")
        name = f"{token.label}/t{token.name[-1]}_{token.speaker}_u{k}_c{token.label}.dat"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # Seven decimals, as MATLAB's save -ascii.
        np.savetxt(folder / name, LyonEar().frames(samples, 12500).values, fmt="%16.7e")
    text = ti46_text.load(folder, task="alpha")
    np.testing.assert_array_equal(text.labels, data.labels)
    for label in (0, 25):
        mine, theirs = (
            sorted(
                (c, t)
                for k in np.flatnonzero(d.labels == label)
                for t, c in zip(*d.stream.sample(k), strict=True)
            )
            for d in (text, data)
        )
        np.testing.assert_allclose(mine, theirs)


@given(
    st.text(alphabet="-0123456789 \t\nex.", max_size=60)
    | st.binary(max_size=60).map(lambda b: b.decode("latin-1")),
    st.booleans(),
)
def test_any_text_is_read_or_refused(tmp_path, text, framed):
    path = tmp_path / "any.dat"
    path.write_bytes((f"-1\t-1\n{text}\n-1\t-1\n" if framed else text).encode("latin-1"))
    for read in (ti46_text.read_spikes, ti46_text.read_cochleagram):
        try:
            read(path)
        except DataError as error:  # and nothing else
            assert "any.dat" in str(error)  # noqa: PT017


# --- text files from the registry and through the cache --------------------------------------


@pytest.fixture
def letters(tmp_path):
    """Class folders of five speakers, not divided."""
    return write_spikes(tmp_path / "letters")


def all_times(data):
    return [data.stream.sample(k)[0].tolist() for k in range(len(data))]


def test_text_files_are_parsed_once_and_read_from_the_cache_then(letters, monkeypatch):
    first = ti46_text.load(letters, task="alpha")
    parsed, once = [], ti46_text._all_spikes
    monkeypatch.setattr(ti46_text, "_all_spikes", lambda path: parsed.append(path) or once(path))
    second = ti46_text.load(letters, task="alpha")
    assert all_times(second) == all_times(first)
    assert second.keys.tolist() == first.keys.tolist()
    assert second.info.description == first.info.description
    assert parsed == []
    ti46_text.load(letters, task="alpha", step=1.0)
    assert len(parsed) == len(first)


@pytest.mark.parametrize("change", ["content", "removed", "added"])
def test_a_folder_that_was_changed_is_read_anew(letters, change):
    before = ti46_text.load(letters, task="alpha")
    path = letters / "7" / "m1_u2_c7.dat"
    stamp = path.stat()
    if change == "removed":
        path.unlink()
    elif change == "added":
        (letters / "7" / "m1_u3_c7.dat").write_text(path.read_text())
    else:
        path.write_text(path.read_text().replace("\t1", "\t2", 1))
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # its time tells nothing
    after = ti46_text.load(letters, task="alpha")
    assert len(after) - len(before) == {"content": 0, "removed": -1, "added": 1}[change]
    assert (all_times(after) != all_times(before)) or change != "content"


def test_a_damaged_text_file_is_refused_and_nothing_is_cached(letters):
    path = letters / "9" / "f2_u1_c9.dat"
    whole = path.read_text()
    path.write_text(whole[:-6])
    for _ in range(2):
        with pytest.raises(DataError, match="f2_u1_c9.dat: begins with"):
            ti46_text.load(letters, task="alpha")
    path.write_text(whole)
    assert len(ti46_text.load(letters, task="alpha")) == 260


def test_spikes_past_the_last_step_are_left_out_and_told(letters):
    data = ti46_text.load(letters, task="alpha")
    told = "text files of spikes, a step of 1.6 ms; left out: 10 spikes from step 700 on, in 10 of"
    assert told in data.info.description
    assert max(map(max, all_times(data))) < 700 * 1.6
    shutil.rmtree(letters / "0")
    data = ti46_text.load(letters, task="alpha", step=1.0)
    assert data.info.description.endswith("text files of spikes, a step of 1 ms")


def test_files_of_other_names_are_left_out_and_told(letters):
    data = ti46_text.load(letters, task="alpha")
    assert "other names" not in data.info.description
    folder = next(path for path in letters.iterdir() if path.name.isdigit())
    for name in ("F1_u2_c3.dat", "f1_u3.txt", ".hidden"):
        (folder / name).write_text("-1 -1\n-1 -1\n")
    again = ti46_text.load(letters, task="alpha")
    assert len(again) == len(data)
    told = f"left out: 2 files of other names, such as {folder.name}/F1_u2_c3.dat"
    assert told in again.info.description
