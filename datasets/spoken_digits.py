"""Spoken digits made here: the eleven words of TIDIGITS by many voices of eSpeak NG.

A stand-in for N-TIDIGITS18 that needs no download and no licence from third parties: "oh",
"one" to "nine" and "zero" are synthesized, encoded by the cochlea of
:mod:`eventsim.datasets.encoders.cochlea`, and cached. :func:`make` writes a set as an HDF5 file in
exactly the layout of :mod:`eventsim.datasets.ntidigits`, whose reader reads it back.

A **voice** is one of eSpeak NG's variants (formants, pitch range, source); with an accent it
makes a speaker, who says every word twice (takes a and b), each time with a pitch and a rate of
its own. Train and test have no voice in common, nor two of one family: what is tested is speech
of voices that were never heard. Synthetic speech is easier than people's; say so with every
result.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.datasets import espeak as espeak_module
from eventsim.datasets import ntidigits, ntidigits_file
from eventsim.datasets.cache import Samples, code_digest
from eventsim.datasets.dataset import Split, Texts, check_split, duration_after, find, missing
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.encoders.cochlea import LEAST_RATE, SOURCES
from eventsim.datasets.espeak import Synthesizer
from eventsim.datasets.ntidigits_file import (
    CLASS_NAMES,
    DIGITS,
    N_CHANNELS,
    Key,
    labels_of,
    parse_key,
)
from eventsim.datasets.parallel import mapped
from eventsim.datasets.sources import Source, loading
from eventsim.entries import Bounds, Natural, NotNegative, Settings
from eventsim.errors import DataError
from eventsim.events import DatasetInfo, Recording
from eventsim.extras import install_hint

ACCENTS = (
    "en-us",
    "en",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-us-nyc",
    "en-gb-x-gbclan",
    "en-029",
    "en-gb-x-gbcwmd",
)

# Variants of eSpeak NG that sound like a person: no whisper, no robot, no shout, no duplicate.
_TRAIN_MEN = """
Alex Andy Denis Diogo Gene Gene2 Henrique Hugo Jacky Marco Mario Michael Mike Storm adam benjamin
boris caleb croak david ed edward edward2 grandpa gustave ian iven iven2 john klatt klatt2 klatt3
klatt6 m1 m2 m3 m5 m7 m8 marcelo max michel miguel mike2 norbert pablo rob robert victor
"""
_TRAIN_WOMEN = "Alicia Annie belinda f1 f2 f5 grandma linda steph steph2 steph3"
_TEST_MEN = "Lee Nguyen Reed antonio m4 m6 paul quincy sandro"
_TEST_WOMEN = "Andrea anika aunty f3 f4 shelby"
TRAIN_VOICES = tuple(sorted((_TRAIN_MEN + _TRAIN_WOMEN).split(), key=str.lower))
TEST_VOICES = tuple(sorted((_TEST_MEN + " " + _TEST_WOMEN).split(), key=str.lower))
WOMEN = frozenset((_TRAIN_WOMEN + " " + _TEST_WOMEN).split())

PITCHES = (30, 70)  # eSpeak's scale, 50 is the voice's own
RATES = (120, 220)  # words per minute

# eSpeak speaks at 22.05 kHz: the cochlea may hear the fricatives, which lie above 4 kHz. The
# gain makes about 2,800 events per second on the training voices.
ENCODER = CochleaEncoder(frequency_max=8000.0, gain=2550.0)

# Of the equaliser: frequencies evenly apart in octaves from LOWEST Hz to half the sample rate.
EQUALISER_POINTS, LOWEST = 5, 50.0
HALF_SCALE = 16384.0  # largest sample of what a microphone hears, 6 dB below full scale

FILE_NAME = "spoken_digits.hdf5"
SPLITS = ("train", "test")

INFO = DatasetInfo(
    name="spoken_digits",
    description="The eleven words of TIDIGITS, spoken by eSpeak NG in the layout of N-TIDIGITS18",
    classes=CLASS_NAMES,
    channels=N_CHANNELS,
    splits="60 voices train, 15 other voices test",
    obtain=f"Made at the first use; needs eSpeak NG: {install_hint('demo')}.",
    licence="made on your machine by eSpeak NG (GPL-3.0 program)",
    samples="1,320 + 330, more on request",
    grouped=("train", "test"),
    lasts=390.0,
)


@dataclass(frozen=True)
class SpeechRecipe(Settings):
    """Recipe of a set; two equal recipes make equal sets.

    Parameters
    ----------
    train_voices, test_voices
        Number of voices of each split, at most 60 and 15.
    accents
        Accents in which every voice speaks, 1 to 8: multiplies the size.
    seed
        Of the random pitches and rates.
    encoder
        The cochlea.
    sample_rate
        Hz, to which the audio is brought before it is heard; None for the synthesizer's own.
    equaliser
        dB; standard deviation of the gain of a microphone and a room at five frequencies, drawn
        for every clip. 0 for none.
    noise
        Largest root mean square of white noise, of the clip's largest sample; log-uniform from a
        thirtieth of it on. 0 for none.

    The defaults give 60 x 11 x 2 = 1,320 train and 330 test clips.
    """

    train_voices: Annotated[int, Bounds(ge=1, le=len(TRAIN_VOICES))] = len(TRAIN_VOICES)
    test_voices: Annotated[int, Bounds(ge=1, le=len(TEST_VOICES))] = len(TEST_VOICES)
    accents: Annotated[int, Bounds(ge=1, le=len(ACCENTS))] = 1
    seed: Natural = 0
    encoder: CochleaEncoder = ENCODER
    sample_rate: Annotated[int, Bounds(ge=LEAST_RATE)] | None = None
    equaliser: NotNegative = 0.0
    noise: NotNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        channels = self.encoder.n_channels
        expected = f"at most {N_CHANNELS}, which the layout of N-TIDIGITS18 holds"
        self.require("encoder.n_channels", channels, channels <= N_CHANNELS, expected)

    @property
    def n_clips(self) -> tuple[int, int]:
        """Number of train and test clips."""
        each = self.accents * len(DIGITS) * 2
        return self.train_voices * each, self.test_voices * each

    def describe(self) -> dict[str, str]:
        """The parameters as text, and the digest of the code that makes the set."""
        own = {f.name: repr(getattr(self, f.name)) for f in fields(self)}
        modules = (str(espeak_module.__file__), str(ntidigits_file.__file__))
        return own | {"code": code_digest(__file__, *modules, *SOURCES)}


@dataclass(frozen=True)
class Utterance:
    """Request to the synthesizer for one clip."""

    key: Key
    voice: str
    pitch: int
    rate: int
    seed: tuple[int, ...]  # of the microphone and its noise

    @property
    def word(self) -> str:
        """The word that is said."""
        return CLASS_NAMES[self.key.labels[0]]


def utterances(recipe: SpeechRecipe, split: Split) -> list[Utterance]:
    """Every clip of a split, in the order of the file."""
    check_split("spoken_digits", split)
    voices = TRAIN_VOICES if split == "train" else TEST_VOICES
    count = recipe.train_voices if split == "train" else recipe.test_voices
    result = []
    for number, voice in enumerate(voices[:count]):
        sex = "woman" if voice in WOMEN else "man"
        # A voice's draws depend on nothing but its number, so that sets of any size agree.
        seed = (recipe.seed, int(split == "test"), number)
        rng = np.random.default_rng(seed)
        for turn in range(recipe.accents):
            accent = (number + turn) % len(ACCENTS)
            speaker = f"{voice.lower()}.{accent}"
            for k, (take, digit) in enumerate(itertools.product("ab", DIGITS)):
                result.append(
                    Utterance(
                        key=Key(sex, speaker, take, digit),
                        voice=f"{ACCENTS[accent]}+{voice}",
                        pitch=int(rng.integers(*PITCHES, endpoint=True)),
                        rate=int(rng.integers(*RATES, endpoint=True)),
                        seed=(*seed, turn, k),
                    )
                )
    return result


def source(
    split: Split = "train",
    *,
    root: str | Path | None = None,
    recipe: SpeechRecipe | None = None,
    download: bool = False,
) -> Source:
    """Recordings of one split; the set is made first if need be, about 15 s for the default one.

    Parameters
    ----------
    split
        "train" or "test".
    root
        A file that :func:`make` wrote, or a folder that holds ``spoken_digits.hdf5``. None for
        the set of ``recipe`` in the cache, made at the first use.
    recipe
        None for ``SpeechRecipe()``. Not to be given together with ``root``.
    download
        Changes nothing: the set is made here.

    Returns
    -------
    Source
        Labels 0 for "oh" to 10 for "zero"; groups are the voices, keys those of
        :mod:`eventsim.datasets.ntidigits`. New arrays.

    Raises
    ------
    DataError
        The file of ``root`` is missing or unreadable; eSpeak NG is missing or lacks a voice.
    """
    del download
    check_split("spoken_digits", split)
    if root is not None:
        return _source_of_file(split, root, recipe)
    recipe = recipe or SpeechRecipe()
    chosen = {str(u.key) for u in utterances(recipe, split)}
    return Source(
        INFO,
        split,
        make=partial(_samples, recipe),
        key=recipe.describe,
        choose=lambda keys: np.isin(keys, list(chosen)),
        encoded=True,
    )


load = loading(source)


def make(path: str | Path, *, recipe: SpeechRecipe | None = None) -> None:
    """Write a set in the layout of N-TIDIGITS18, made first if it is not in the cache.

    Parameters
    ----------
    path
        The HDF5 file; an existing one is replaced once the new one is complete.
    recipe
        None for ``SpeechRecipe()``.

    Raises
    ------
    DataError
        eSpeak NG is missing or lacks a voice.
    """
    recipe = recipe or SpeechRecipe()
    halves = {}
    for split in SPLITS:
        data = load(split, recipe=recipe)
        assert data.keys is not None
        halves[split] = dict(zip(data.keys.tolist(), data.stream, strict=True))
    ntidigits.write(path, train=halves["train"], test=halves["test"], attributes=recipe.describe())


def _source_of_file(split: Split, root: str | Path, recipe: SpeechRecipe | None) -> Source:
    if recipe is not None:
        raise DataError("spoken_digits", "root and recipe are given", "one of them")
    place = find("spoken_digits", root=root, candidates=(FILE_NAME,))
    if place is None or place.is_dir():
        missing("spoken_digits", FILE_NAME, Path(root), obtain="Make it there, or omit root.")
    file = ntidigits.source(split, root=place)

    def by_voice() -> Samples:
        samples = file.make()
        return replace(samples, groups=_voices([parse_key(k) for k in samples.keys.tolist()]))

    return replace(file, info=INFO, split=split, make=by_voice)


def _samples(recipe: SpeechRecipe) -> Samples:
    """The clips of both splits: what the synthesizer says depends on what it said before."""
    everything = [u for split in SPLITS for u in utterances(recipe, split)]
    keys = [u.key for u in everything]
    return Samples(
        recordings=_spoken(recipe, everything),
        labels=labels_of(keys),
        groups=_voices(keys),
        keys=np.array([str(key) for key in keys]),
        n_channels=N_CHANNELS,
    )


def _spoken(recipe: SpeechRecipe, everything: Sequence[Utterance]) -> Iterator[Recording]:
    speaker = Synthesizer()
    rate = speaker.sample_rate
    clips = (
        (u.seed, speaker.say(u.word, voice=u.voice, pitch=u.pitch, rate=u.rate)) for u in everything
    )

    def encode(clip: tuple[tuple[int, ...], NDArray[np.int16]]) -> Recording:
        seed, audio = clip
        rng = np.random.default_rng(seed)
        times, channels = recipe.encoder.encode(*_recorded(recipe, audio, rate, rng))
        return Recording(times, channels, duration_after(times))

    return mapped(encode, clips)


def _recorded(
    recipe: SpeechRecipe, audio: NDArray[np.int16], rate: int, rng: np.random.Generator
) -> tuple[NDArray[np.int16], int]:
    """The audio as the recipe's microphone hears it, and its sample rate."""
    if not (recipe.sample_rate or recipe.equaliser or recipe.noise):
        return audio, rate
    heard, to = audio.astype(np.float64), recipe.sample_rate or rate
    if to != rate:
        common = math.gcd(to, rate)
        heard = scipy.signal.resample_poly(heard, to // common, rate // common)
    if recipe.equaliser:
        gains = rng.normal(0.0, recipe.equaliser, EQUALISER_POINTS)
        octaves = np.log2(np.maximum(np.fft.rfftfreq(heard.size, 1 / to), LOWEST) / LOWEST)
        points = np.linspace(0.0, np.log2(to / 2 / LOWEST), EQUALISER_POINTS)
        curve = 10 ** (np.interp(octaves, points, gains) / 20)
        heard = np.fft.irfft(np.fft.rfft(heard) * curve, heard.size)
    heard /= max(np.abs(heard).max(), 1e-9)
    if recipe.noise:
        level = recipe.noise * 30.0 ** rng.uniform(-1.0, 0.0)
        heard += level * rng.standard_normal(heard.size)
    return np.clip(heard * HALF_SCALE, -32768, 32767).astype(np.int16), to


def _voices(keys: Sequence[Key]) -> Texts:
    """Voice of every speaker, whatever the accent."""
    return np.array([key.speaker.partition(".")[0] for key in keys])
