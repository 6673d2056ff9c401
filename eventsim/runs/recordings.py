"""Settings of the recordings of a run, and their conditions."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from eventsim import datasets
from eventsim.datasets import audio_events, fsdd, spoken_digits
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.entries import Count, Natural, Positive, Share, check_types, shown
from eventsim.entries.described import described, setting
from eventsim.errors import ParameterError
from eventsim.runs.division import Folds
from eventsim.train.parts import named

Encoder = Annotated[Mapping[str, Any], "parameters of CochleaEncoder by name"]
Division = Literal["auto", "group", "recording"]
OWN = "file"  # the name of a data set that is a file of one's own
TESTED_BY = ("held_out", "test_group", "test_file", "folds")  # each says what is tested
DIVIDED_ANEW = "true where a data set is divided anew"
# What makes events of the audio of a data set, where a run may choose.
ENCODERS = {"fsdd": fsdd.ENCODER, "spoken_digits": spoken_digits.ENCODER}


@dataclass(frozen=True, kw_only=True)
@described
class AbstractDataSettings:
    """Settings of recordings for training and test; :class:`.DataSettings` reads them."""

    name: str = setting(
        OWN,
        "Name of a data set of ``eventsim.datasets.DATASETS``, or ``file`` for recordings "
        "of your own.",
    )
    file: str | None = setting(
        None,
        "File or folder of the data set; None to look in the usual places. Of your own: a file "
        "that ``eventsim data import`` or :meth:`eventsim.events.Dataset.save` wrote.",
    )
    train_split: str = setting("train", "Parts of the data set.")
    test_split: str = setting("test", "Parts of the data set.")
    test_group: tuple[str, ...] = setting(
        (),
        "Groups (speakers, writers) that together are the test part, whatever the data set "
        "says; all others are the training part. Repeat for more.",
    )
    held_out: tuple[str, ...] = setting(
        (),
        "Groups, each of which is the test part of one run; empty for the division of the "
        "data set.",
    )
    folds: Folds | None = setting(
        None,
        "Folds over the groups: number of divisions, each with other groups as the test part, "
        "so that every group is tested once; ``each`` for one fold per group. "
        "``division_seed`` draws the groups of a fold, so that folds have about the same "
        "number of recordings.",
    )
    train_samples: Count | None = setting(
        None, "At most so many, evenly taken from all and of every class; None for all of them."
    )
    test_samples: Count | None = setting(
        None, "At most so many, evenly taken from all and of every class; None for all of them."
    )
    repeats: Count = setting(
        1,
        "How often an epoch uses every recording of the training part, at least 1. It "
        "must be 1 if a validation part is held out, "
        "which would otherwise contain copies of training recordings.",
    )
    encoder: Encoder = setting(
        dict,
        "Parameters of :class:`eventsim.datasets.encoders.CochleaEncoder` that are not the data "
        "set's. Of ``fsdd`` and ``spoken_digits`` only.",
    )
    round_times: Positive | None = setting(
        None,
        "ms, > 0: every time of an event becomes a multiple of it, as "
        ":meth:`eventsim.EventStream.round_times` says; None for the times of the recordings. The "
        "run's own choice: recordings that a command reads for the run are rounded as well.",
    )
    in_memory: bool = setting(
        True, "False to leave the events on disk and to read one batch at a time."
    )
    targets: bool = setting(
        False,
        "A file of your own with values in place of classes (``eventsim data import "
        "--targets``), for regression.",
    )
    test_file: str | None = setting(
        None, "Another file of your own, all of which is the test part."
    )
    divide: Division = setting(
        "auto",
        "How recordings are divided into a training and a test part: by ``group`` (whole "
        "groups, such as speakers, are tested), by ``recording`` (single recordings of every "
        "class are tested), or ``auto``: as the data set or the file says; if it does not say "
        "it, by group if there are groups, else by recording.",
    )
    test_fraction: Share = setting(
        0.2,
        "Fraction of the recordings that is the test part, in (0, 1), if eventsim divides "
        "them: with ``divide``, or if the file does not say how.",
    )
    division_seed: Natural = setting(
        0, "Seed that draws the test part, if eventsim divides the recordings."
    )

    def __post_init__(self) -> None:
        check_types(self, where="data")
        for name, good, expected in self._conditions():
            if not good:
                value = shown(getattr(self, name))
                raise ParameterError("data", f"{name} is {value}", expected)
        self._encoder()

    def _conditions(self) -> Iterator[tuple[str, bool, str]]:
        """Conditions: a field, whether it holds, what is expected; each if those before hold."""
        yield "test_fraction", self.test_fraction > 0, "0 < x < 1"
        if self.name == OWN:
            yield "file", self.file is not None, "a path, or name a data set"
            alone = self.divide == "auto" or self.test_file is None
            yield "divide", alone, "'auto' beside a test_file, which is the test part"
        else:
            known = f"{OWN} or one of {', '.join(datasets.DATASETS)}"
            yield "name", self.name in datasets.DATASETS, known
            parts = datasets.DATASETS[self.name].parts
            for key in ("train_split", "test_split"):
                yield key, getattr(self, key) in parts, f"one of {parts}"
            yield "test_file", self.test_file is None, f"none for the set {self.name!r}"
            yield "targets", not self.targets, f"false for the set {self.name!r}"
            drawn = self.test_fraction == 0.2 or self.divide != "auto"
            beside = f"beside divide, which says how the set {self.name!r} is divided"
            yield "test_fraction", drawn, f"0.2, or another {beside}"
            drawn = self.division_seed == 0 or self.divide != "auto"
            yield "division_seed", drawn, f"0, or another {beside}"
        kept = not (self.targets and self.in_memory)
        yield "in_memory", kept, "false with targets, which are in the file"
        yield "test_split", self.train_split != self.test_split, "another part than train_split"
        spoken_only = f"none for the data set {self.name!r}, only for {' and '.join(ENCODERS)}"
        yield "encoder", self.name in ENCODERS or not self.encoder, spoken_only
        changed = bool(self.encoder or self.repeats > 1 or self.round_times)
        expected = "true with repeats, an encoder or round_times"
        yield "in_memory", self.in_memory or not changed, expected
        for key in TESTED_BY:
            drawn = self.test_fraction == 0.2 or not getattr(self, key)
            yield "test_fraction", drawn, f"0.2 beside {key}, which says what is tested"
        for key in ("held_out", "test_group", "folds"):
            there = bool(getattr(self, key))
            kept = self.in_memory or not there or (self.name == OWN and key != "held_out")
            yield "in_memory", kept, "true where groups are held out"
            whole = "auto" if key == "held_out" else "group"
            alone = self.divide in ("auto", whole) or not there
            yield "divide", alone, f"{whole!r} where groups are held out"
            yield key, self.test_file is None or not there, "none beside a test_file"
        chosen = [k for k in ("held_out", "test_group", "folds") if getattr(self, k)]
        yield chosen[-1] if chosen else "folds", len(chosen) < 2, f"none beside {chosen[:1]}"
        of_parts = self.divide != "auto" and self.name != OWN
        yield "in_memory", self.in_memory or not of_parts, DIVIDED_ANEW

    @property
    def fold(self) -> str | None:
        """The groups that are the test part, in words; None for another division."""
        return named(self.test_group) or None

    @property
    def title(self) -> str:
        """The data set, or the name of the file of your own."""
        return Path(self.file).name if self.name == OWN and self.file else self.name

    def plain(self) -> dict[str, Any]:
        """The settings that decide training and test part, as plain values."""
        elsewhere = ("held_out", "folds", *(() if self.name == OWN else ("file",)))
        return {k: v for k, v in asdict(self).items() if k not in elsewhere}

    def _encoder(self) -> CochleaEncoder:
        """The encoder of the data set (elsewhere that of FSDD), with what is asked for."""
        own = ENCODERS.get(self.name, fsdd.ENCODER)
        return audio_events.changed(own, self.encoder, "data: encoder")
