"""How events are read: the options that say it, once for all commands."""

from dataclasses import dataclass

from eventsim.cli.options import DownloadOption, FileOption, SplitOption, option
from eventsim.cli.text_events import PLAIN, Assumed
from eventsim.datasets.audio_events import ENCODER
from eventsim.datasets.encoders import CochleaEncoder

PART = "test"  # of divided data, where none is named

# The options of a command that measures a network on events.
MEASURED = ("split", "sensor", "unit", "columns", "sensor_size", "begin")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a place is read; the options of the commands, by their names there.

    ``assumed``, ``step`` and ``cochlea`` are no options: the unit of text that names none, the step
    of TI46, and what encodes audio, as a run has them. ``begin_reason`` says why ``begin`` is what
    it is. Of a file with parts that eventsim wrote, ``whole`` takes all of them in place of
    :attr:`part`.
    """

    form: str = option(
        "auto",
        "auto (told by the content), set, stored, ntidigits, shd, nir, aedat, nas, csv, "
        "arrays, npz, audio, or tonic (PLACE is the name of a data set of tonic, --file its "
        "folder).",
        "--format",
    )
    file: FileOption = None
    split: SplitOption = None
    whole: bool = False
    download: DownloadOption = False
    sensor: str | None = option(
        None,
        "Of an AEDAT file: nas_64_stereo, nas_32_mono_usbaer, cochlea_ams1c, dvs128, ...",
        metavar="NAME",
    )
    address_bytes: int | None = option(None, "Of an AEDAT file, if not the sensor's: 2 or 4.")
    tick_us: float | None = option(None, "Of an AEDAT file, if not the sensor's: a tick in us.")
    by: str | None = option(
        None,
        "Of an AEDAT file: fields that make up the channel, e.g. ear,channel.",
        metavar="FIELDS",
    )
    where: list[str] | None = option(
        None, "Of an AEDAT file: only these events.", metavar="FIELD=VALUE"
    )
    after_reset: bool = option(
        False, "Of an AEDAT file: what follows the clock's reset.", "--after-reset"
    )
    unit: str | None = option(
        None,
        "Of times in a file of text or arrays: s, ms or us; by default what its header "
        "says, else ms in text and us in arrays.",
    )
    channels: int | None = option(None, "Of text or arrays; the largest channel by default.", min=1)
    columns: str | None = option(
        None,
        "Of text or arrays: what each column is, time, channel, sample, x, y, p, or a "
        "dash to drop it: t_us,channel,-. Where arrays have names: which of them are read.",
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
    assumed: Assumed = PLAIN
    step: float | None = None
    cochlea: CochleaEncoder = ENCODER

    @property
    def part(self) -> str:
        """The part of divided data that is read."""
        return PART if self.split is None else self.split
