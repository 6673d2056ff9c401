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
from tests.support.streams import assert_same_events
from tests.support.ti46_files import write_spikes
from tests.unit.datasets.test_audio import sphere


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
    first = ti46.load("train", root=corpus)
    monkeypatch.setattr(ti46, "recording", None)
    second = ti46.load("train", root=corpus)
    assert_same_events(first.stream, second.stream)
    one = ti46.load("train", root=corpus, speakers=["m2"])
    assert one.groups.tolist() == ["m2"] * 4
    path = corpus / "ti20" / "train" / "f1" / "03f1set0.wav"
    path.write_bytes(sphere(speech(99)))
    with pytest.raises(TypeError):
        ti46.load("train", root=corpus)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": "dev"}, "split is 'dev'"),
        ({"task": "words"}, "task is 'words', expected 'digits' or 'alpha'"),
        ({"step": 0.0}, "step is 0.0 ms"),
        ({"speakers": ["f8"]}, r"no speaker f8\. There are: f1, m2"),
        ({"speakers": []}, "no speaker given"),
    ],
)
def test_unknown_option_is_refused(corpus, options, words):
    with pytest.raises(DataError, match=words):
        ti46.load(**{"split": "train", "root": corpus} | options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "03f1set0.wav: is empty, expected a recording"),
        (b"hello", "03f1set0.wav: starts with b'hello'"),
        (sphere(speech(0))[:-1], "claims 3100 samples, the file holds 3099"),
        (
            sphere(speech(0), sample_coding="-s26 pcm,embedded-shorten-v1.09"),
            "sph2pipe -f rif .*03f1set0.wav",
        ),
        (sphere(speech(0), sample_rate="-i 16000"), "16000 Hz, expected 12500"),
    ],
)
def test_unusable_recording_is_refused_by_its_name(corpus, content, words):
    (corpus / "ti20" / "train" / "f1" / "03f1set0.wav").write_bytes(content)
    with pytest.raises(DataError, match=words):
        ti46.load("train", root=corpus)


def test_recording_of_unreasonable_size_is_not_read(corpus, monkeypatch):
    monkeypatch.setattr(ti46, "LARGEST_FILE", 5000)
    with pytest.raises(DataError, match="expected a recording of one word, at most 5000 bytes"):
        ti46.load("train", root=corpus)


def test_missing_corpus_says_where_it_belongs(tmp_path):
    with pytest.raises(DataError, match=r"EVENTSIM_DATA is not set.*LDC93S9"):
        ti46.load("train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no folder 'ti20' in .*empty or its subfolders.*LDC93S9"):
        ti46.load("train", root=tmp_path / "empty")
    (tmp_path / "empty" / "ti20").mkdir()
    with pytest.raises(DataError, match="has no folder 'train'"):
        ti46.load("train", root=tmp_path / "empty")
    (tmp_path / "empty" / "ti20" / "train" / "f1").mkdir(parents=True)
    with pytest.raises(DataError, match="holds no recording named like f1/03f1set7.wav"):
        ti46.load("train", root=tmp_path / "empty")


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "f1_u2_c3.dat: is empty"),
        ("\n\n", "begins with '' and ends with ''"),
        ("-1\t-1\n", "expected a first and a last line '-1 -1'"),
        ("0\t3\n-1\t-1\n", "begins with '0.t3'"),
        (SPIKES[:-6], "ends with '5.t1'"),
        ("-1 -1\n0 3 4\n-1 -1\n", "line 2: is '0 3 4', expected a channel"),
        ("-1 -1\n0 3\n78 3\n-1 -1\n", "line 3: is '78 3', expected a channel of 0 to 77"),
        ("-1 -1\n0 0\n-1 -1\n", "line 2: is '0 0'.* a step from 1 on"),
        ("-1 -1\n0 1.5\n-1 -1\n", "line 2: is '0 1.5'"),
        ("-1 -1\n0 99999999999999999999\n-1 -1\n", "line 2"),
        ("-1 -1\n0 " + "9" * 5000 + "\n-1 -1\n", "line 2"),
        ("-1 -1\n\n-1 -1\n", "line 2: is ''"),
        ("-1 -1\n0 3\n-1 -1\n-1 -1\n0 4\n-1 -1\n", "line 3: .*A file holds one token"),
        ("-1 -1\n4 3\n4 3\n-1 -1\n", "channel 4 spikes twice"),
    ],
)
def test_spike_file_against_the_layout_is_refused_with_its_line(texts, text, words):
    (texts / "3" / "f1_u2_c3.dat").write_text(text)
    with pytest.raises(DataError, match=words):
        ti46_text.load(texts)


def cochleagram(rows=78, columns=3):
    return [" ".join(["  1.5e-04"] * columns) for _ in range(rows)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (cochleagram(77), "has 77 lines, expected 78"),
        (["-1 -1", "-1 -1"], "has 2 lines, expected 78"),
        ([*cochleagram(77), "1 2"], "line 78: has 2 numbers, expected 3"),
        ([*cochleagram(77), "1 2 x"], "line 78: .*expected numbers"),
        ([*cochleagram(77), "1 2 nan"], "line 78: .*all finite"),
        ([*cochleagram(40), "", *cochleagram(37)], "line 41: has 0 numbers"),
    ],
)
def test_cochleagram_against_the_layout_is_refused_with_its_line(tmp_path, lines, words):
    path = tmp_path / "f1_u1_c0.dat"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=words):
        ti46_text.read_cochleagram(path)


def test_file_in_the_folder_of_another_class_is_refused(texts):
    (texts / "3" / "f1_u2_c3.dat").rename(texts / "3" / "f1_u2_c4.dat")
    with pytest.raises(DataError, match="its name says class 4, its folder 3"):
        ti46_text.load(texts)


def test_digits_have_ten_classes(letters):
    with pytest.raises(DataError, match="its name says class 1., its folder 1.; expected .*0 to 9"):
        ti46_text.load(letters)


def test_folder_without_spike_files_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match=r"no file named like 3/f1_u2_c3.dat"):
            ti46_text.load(folder)


def test_text_file_of_unreasonable_size_is_not_read(texts, monkeypatch):
    monkeypatch.setattr(ti46_text, "LARGEST_FILE", 20)
    with pytest.raises(DataError, match="expected a text file of .*, at most 20"):
        ti46_text.load(texts)


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
    monkeypatch.setattr(ti46_text, "_all_spikes", None)  # nothing can be parsed any more
    second = ti46_text.load(letters, task="alpha")
    assert all_times(second) == all_times(first)
    assert second.keys.tolist() == first.keys.tolist()
    assert second.info.description == first.info.description
    with pytest.raises(TypeError):
        ti46_text.load(letters, task="alpha", step=1.0)


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
