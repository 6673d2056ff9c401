"""Spoken digits made here: the eleven words of TIDIGITS by many voices of eSpeak NG.

A stand-in for N-TIDIGITS18 that needs no download and no licence from third parties: "oh",
"one" to "nine" and "zero" are synthesized, encoded by the cochlea of
:mod:`eventsim.datasets.encoders.cochlea`, and written as an HDF5 file in exactly the layout of
:mod:`eventsim.datasets.ntidigits`, whose reader reads them back.

A **voice** is one of eSpeak NG's variants (formants, pitch range, source); with an accent it
makes a speaker, who says every word twice (takes a and b), each time with a pitch and a rate of
its own. Train and test have no voice in common, nor two of one family: what is tested is speech
of voices that were never heard. Synthetic speech is easier than people's; say so with every
result.
"""

import itertools
from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim.datasets import espeak as espeak_module
from eventsim.datasets import ntidigits
from eventsim.datasets.cache import code_digest, entry
from eventsim.datasets.dataset import Split, check_split, find
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.encoders.cochlea import SOURCES
from eventsim.datasets.espeak import Synthesizer
from eventsim.datasets.ntidigits import CLASS_NAMES, DIGITS, Key
from eventsim.datasets.progress import track
from eventsim.errors import DataError, ParameterError
from eventsim.events import EventStream

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

FILE_NAME = "spoken_digits.hdf5"
SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass(frozen=True)
class Recipe:
    """How a set is made; two equal recipes make equal sets.

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

    The defaults give 60 x 11 x 2 = 1,320 train and 330 test clips.
    """

    train_voices: int = len(TRAIN_VOICES)
    test_voices: int = len(TEST_VOICES)
    accents: int = 1
    seed: int = 0
    encoder: CochleaEncoder = ENCODER

    def __post_init__(self) -> None:
        """Check the sizes once."""
        for name, limit in (
            ("train_voices", len(TRAIN_VOICES)),
            ("test_voices", len(TEST_VOICES)),
            ("accents", len(ACCENTS)),
        ):
            value = getattr(self, name)
            if not 1 <= value <= limit:
                raise ParameterError(f"spoken_digits: {name} is {value}, expected 1 to {limit}.")
        if self.seed < 0:
            raise ParameterError(f"spoken_digits: seed is {self.seed}, expected 0 or more.")
        if self.encoder.n_channels > ntidigits.N_CHANNELS:
            raise ParameterError(
                f"spoken_digits: the encoder has {self.encoder.n_channels} channels, the layout "
                f"of N-TIDIGITS18 holds {ntidigits.N_CHANNELS}."
            )

    @property
    def n_clips(self) -> tuple[int, int]:
        """Number of train and test clips."""
        each = self.accents * len(DIGITS) * 2
        return self.train_voices * each, self.test_voices * each

    def describe(self) -> dict[str, str]:
        """All parameters as text, and the digest of the code that makes the set."""
        own = {f.name: repr(getattr(self, f.name)) for f in fields(self)}
        modules = (espeak_module, ntidigits)
        files = (__file__, *SOURCES, *(str(m.__file__) for m in modules))
        return own | {"code": code_digest(*files)}


@dataclass(frozen=True)
class Utterance:
    """What is asked of the synthesizer for one clip."""

    key: Key
    voice: str
    pitch: int
    rate: int

    @property
    def word(self) -> str:
        """The word that is said."""
        return CLASS_NAMES[self.key.labels[0]]


def utterances(recipe: Recipe, split: Split) -> list[Utterance]:
    """Every clip of a split, in the order of the file."""
    check_split("spoken_digits", split)
    voices = TRAIN_VOICES if split == "train" else TEST_VOICES
    count = recipe.train_voices if split == "train" else recipe.test_voices
    result = []
    for number, voice in enumerate(voices[:count]):
        sex = "woman" if voice in WOMEN else "man"
        # A voice's draws depend on nothing but its number, so that sets of any size agree.
        rng = np.random.default_rng([recipe.seed, split == "test", number])
        for turn in range(recipe.accents):
            accent = (number + turn) % len(ACCENTS)
            speaker = f"{voice.lower()}.{accent}"
            for take, digit in itertools.product("ab", DIGITS):
                result.append(
                    Utterance(
                        key=Key(sex, speaker, take, digit),
                        voice=f"{ACCENTS[accent]}+{voice}",
                        pitch=int(rng.integers(*PITCHES, endpoint=True)),
                        rate=int(rng.integers(*RATES, endpoint=True)),
                    )
                )
    return result


def make(path: str | Path, *, recipe: Recipe | None = None) -> None:
    """Synthesize, encode and write a set; about 15 s for the default one.

    Parameters
    ----------
    path
        The HDF5 file; an existing one is replaced once the new one is complete.
    recipe
        None for ``Recipe()``.

    Raises
    ------
    DataError
        eSpeak NG is missing or lacks a voice.
    """
    recipe = recipe or Recipe()
    plan = {split: utterances(recipe, split) for split in SPLITS}
    everything = [u for split in SPLITS for u in plan[split]]
    speaker = Synthesizer()
    events = {}
    for u in track(everything, total=len(everything), title="making spoken digits"):
        audio = speaker.say(u.word, voice=u.voice, pitch=u.pitch, rate=u.rate)
        events[str(u.key)] = recipe.encoder.encode(audio, speaker.sample_rate)
    train, test = ({str(u.key): events[str(u.key)] for u in plan[split]} for split in SPLITS)
    ntidigits.write(path, train=train, test=test, attributes=recipe.describe())


def load(
    split: Split, *, root: str | Path | None = None, recipe: Recipe | None = None
) -> tuple[EventStream, NDArray[np.int64], tuple[str, ...]]:
    """Events, labels and class names of one split; the set is made first if need be.

    Parameters
    ----------
    split
        "train" or "test".
    root
        A file that :func:`make` wrote, or a folder that holds ``spoken_digits.hdf5``. None for
        the set of ``recipe`` in the cache, made at the first use.
    recipe
        None for ``Recipe()``. Not to be given together with ``root``.

    Returns
    -------
    stream, labels, class_names
        As :func:`eventsim.datasets.ntidigits.load`.

    Raises
    ------
    DataError
        The file of ``root`` is missing or unreadable, or the set cannot be made.
    """
    stream, keys = load_with_keys(split, root=root, recipe=recipe)
    return stream, ntidigits.labels_of(keys), CLASS_NAMES


def load_with_keys(
    split: Split, *, root: str | Path | None = None, recipe: Recipe | None = None
) -> tuple[EventStream, tuple[Key, ...]]:
    """As :func:`load`, with the key of every sample."""
    check_split("spoken_digits", split)
    if root is not None:
        if recipe is not None:
            raise DataError("spoken_digits: give root or recipe, not both.")
        place = find("spoken_digits", root=root, candidates=(FILE_NAME,))
        if place is None or place.is_dir():
            raise DataError(
                f"spoken_digits: {root} holds no {FILE_NAME}. Make it there, or omit root."
            )
        return ntidigits.load_with_keys(place, split=split)
    path = cached_file(recipe or Recipe())
    try:
        return ntidigits.load_with_keys(path, split=split)
    except DataError:
        # Its head is right and its body is not: a damaged disk, since files are moved in whole.
        make(path, recipe=recipe)
        return ntidigits.load_with_keys(path, split=split)


def cached_file(recipe: Recipe) -> Path:
    """File of the set in the cache, made if it is not there or not of this recipe."""
    key = recipe.describe()
    path = entry("spoken_digits", key)[0].with_suffix(".hdf5")
    try:
        with h5py.File(path, "r") as file:
            whole = dict(file.attrs) == key
    except OSError:
        whole = False
    if not whole:
        make(path, recipe=recipe)
    return path


def voice_of(key: Key) -> str:
    """Voice of a speaker, whatever the accent."""
    return key.speaker.partition(".")[0]
