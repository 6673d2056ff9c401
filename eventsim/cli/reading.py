"""Options for the reading of events, once for all commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from eventsim.cli.options import DownloadOption, FileOption, SplitOption, option
from eventsim.datasets.audio_events import ENCODER
from eventsim.datasets.dataset import Assumed
from eventsim.datasets.encoders import CochleaEncoder

PART = "test"  # of divided data, where none is named


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Options for the reading of a place, by their names in the commands.

    ``assumed``, ``of_set`` and ``cochlea`` are no options: the unit of text that names none, the
    fields of DataSettings that say how a data set becomes events (encoder), and what
    encodes audio, as a run has them. ``begin_reason`` says why ``begin`` is what
    it is. Of a file with parts that eventsim wrote, ``whole`` takes all of them in place of
    :attr:`part`.
    """

    form: str = option(
        "auto",
        "Format: auto (recognised by the content), set, stored, ntidigits, shd, nir, aedat, "
        "nas, csv, arrays, npz, audio; ti46_digits or ti46_alpha: text files of TI46.",
        "--format",
    )
    file: FileOption = None
    split: SplitOption = None
    whole: bool = False
    download: DownloadOption = False
    sensor: str | None = option(
        None,
        "AEDAT: sensor, such as nas_64_stereo, nas_32_mono_usbaer, cochlea_ams1c or dvs128.",
        metavar="NAME",
    )
    address_bytes: int | None = option(
        None, "AEDAT: bytes of an address, 2 or 4, if not the sensor's."
    )
    tick_us: float | None = option(None, "AEDAT, TI46: a tick in us, if not the sensor's or 1,600.")
    by: str | None = option(
        None, "AEDAT: fields that make up the channel, such as ear,channel.", metavar="FIELDS"
    )
    where: list[str] | None = option(None, "AEDAT: read only these events.", metavar="FIELD=VALUE")
    after_reset: bool = option(
        False, "AEDAT: read only the events after the reset of the clock.", "--after-reset"
    )
    unit: str | None = option(
        None,
        "Text and arrays: unit of times, s, ms or us. By default that of the header, else ms "
        "in text and us in arrays.",
    )
    channels: int | None = option(
        None, "Text and arrays: number of channels. By default the largest channel plus one.", min=1
    )
    columns: str | None = option(
        None,
        "Text and arrays: name of each column in order: time, channel, sample, x, y, p, or a "
        "dash to drop it, such as t_us,channel,-. If arrays have names: those that are read.",
        metavar="NAMES",
    )
    sensor_size: str | None = option(
        None, "With columns x, y or p: width, height, polarities of the sensor.", metavar="W,H,P"
    )
    encoder: list[str] | None = option(
        None,
        "Of audio: parameters of CochleaEncoder, such as n_channels=32 or frequency_max=8000; by "
        "default a streaming cochlea of 64 channels from 100 to 3700 Hz.",
        metavar="KEY=VALUE",
    )
    begin: str | None = option(
        None,
        "Time 0 of every recording: first-event, zero (as in the file), or a time of the "
        "file in ms. By default first-event where times are plainly a clock.",
        metavar="TIME",
    )
    begin_reason: str = "--begin"
    assumed: Assumed | None = None
    of_set: Mapping[str, Any] = field(default_factory=dict)
    cochlea: CochleaEncoder = ENCODER

    @property
    def part(self) -> str:
        """The part of divided data that is read."""
        return PART if self.split is None else self.split


# With the options of a command that measures a network on events.
MeasuredReading = Annotated[Reading, "split", "sensor", "unit", "columns", "sensor_size", "begin"]
