"""Address formats of events: bit fields of the sensors that write AEDAT files.

An address is cut into fields. The fields of a sensor are listed from the slowest to the fastest
one; numbered in this order they give the channel of an event, so that for a field list (ear,
channel, polarity)

    channel of the stream = (ear * channels + channel) * 2 + polarity .

==================  ===============================================================  ===========
sensor              address bits                                                     channel 0
==================  ===============================================================  ===========
nas_N_mono          0 polarity, then the channel (0 .. N - 1)                        highest
nas_N_stereo        as mono, then the ear (0 left, 1 right)                          highest
cochlea_ams1b, 1c   0 filter, 1 ear (0 left, 1 right), 2-7 channel, 8-9 neuron       highest
dvs128              0 polarity, 1-7 x, 8-14 y, 15 marks external events
davis240, davis346  11 polarity, 12-21 x, 22-30 y, 31 marks frames, 10 triggers
==================  ===============================================================  ===========

Polarity is 1 for ON (rising) and 0 for OFF. Of a NAS (Neuromorphic Auditory Sensor, an FPGA
cochlea) it is the sign of the filter's output. ``filter`` of the AMS cochleas is 1 for the
low-pass and 0 for the band-pass cell, ``neuron`` is one of four cells that differ in their
threshold. x and y are the bits of the address as they are; nothing is mirrored.

A NAS writes no header: what recorded it decides the widths. jAER writes 4-byte addresses and
ticks of 1 us (``nas_64_stereo``), a USBAERmini2 board 2-byte addresses and ticks of 0.2 us
(``nas_64_stereo_usbaer``). For anything else: ``replace(SENSORS[...], tick_us=0.08)``.

References
----------
Jimenez-Fernandez et al. (2017), A binaural neuromorphic auditory sensor for FPGA, IEEE TNNLS
28:804. Dominguez-Morales et al. (2021), pyNAVIS: an open-source cross-platform software for
spike-based neuromorphic audio information processing, Neurocomputing 449:172. jAER:
CochleaAMSNoBiasgen (bits of the AMS cochleas), APSDVSchip (bits of the DAVIS).
"""

from dataclasses import dataclass, replace

from eventsim.checks import in_domain, one_of
from eventsim.entries import nearest
from eventsim.entries.annotations import Positive
from eventsim.errors import DataError, ParameterError

NAS_CHANNELS = (16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Field:
    """Bits ``shift .. shift + bits - 1`` of an address; values are below ``size``."""

    name: str
    size: int
    shift: int
    bits: int

    @property
    def mask(self) -> int:
        """The bits that belong to the field."""
        return ((1 << self.bits) - 1) << self.shift


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """Record format of a sensor."""

    name: str
    fields: tuple[Field, ...]  # from the slowest to the fastest in the numbering of channels
    tick_us: float = 1.0  # length of a tick of the sensor's clock in us
    # 2 or 4; None takes what the file's version says (AEDAT 1: 2, AEDAT 2: 4)
    address_bytes: int | None = None
    # Address bits that mark records which are no events of the sensor, such as triggers or audio
    # samples. Such records are skipped and counted.
    special: int = 0
    unused: int = 0  # address bits that may have any value. Every other bit must be 0.

    def __post_init__(self) -> None:
        where = f"Sensor {self.name!r}"
        in_domain(where, "tick_us", self.tick_us, Positive)
        one_of(where, "address_bytes", self.address_bytes, (None, 2, 4))
        for field in self.fields:
            if not (1 <= field.size <= 1 << field.bits and field.shift + field.bits <= 32):
                raise ParameterError(where, f"{field}", "a size that its bits of 32 hold")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields, slowest first."""
        return tuple(field.name for field in self.fields)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of values of every field."""
        return {field.name: field.size for field in self.fields}

    @property
    def known(self) -> int:
        """Every bit that may be set."""
        mask = self.special | self.unused
        for field in self.fields:
            mask |= field.mask
        return mask


def nas(channels: int, ears: int, *, address_bytes: int = 4, tick_us: float = 1.0) -> Sensor:
    """A NAS cochlea of ``channels`` (a power of two) per ear, 1 or 2 ears."""
    if channels < 2 or channels & (channels - 1) or ears not in (1, 2):
        raise ParameterError(
            "nas", f"{channels} channels and {ears} ears", "a power of two and 1 or 2 ears"
        )
    bits = channels.bit_length() - 1
    fields = [Field("channel", channels, 1, bits), Field("polarity", 2, 0, 1)]
    if ears == 2:
        fields.insert(0, Field("ear", 2, 1 + bits, 1))
    name = f"nas_{channels}_{'stereo' if ears == 2 else 'mono'}"
    return Sensor(name=name, fields=tuple(fields), address_bytes=address_bytes, tick_us=tick_us)


def _dvs(name: str, width: int, height: int, bits: tuple[int, ...], **masks: int) -> Sensor:
    polarity, x, x_bits, y, y_bits = bits
    fields = (
        Field("polarity", 2, polarity, 1),
        Field("y", height, y, y_bits),
        Field("x", width, x, x_bits),
    )
    return Sensor(name=name, fields=fields, **masks)


def _ams(name: str, **masks: int) -> Sensor:
    fields = (
        Field("ear", 2, 1, 1),
        Field("channel", 64, 2, 6),
        Field("neuron", 4, 8, 2),
        Field("filter", 2, 0, 1),
    )
    return Sensor(name=name, fields=fields, **masks)


_DAVIS_BITS = (11, 12, 10, 22, 9)
_DAVIS_SPECIAL, _DAVIS_UNUSED = 1 << 31 | 1 << 10, 0x3FF

SENSORS: dict[str, Sensor] = {
    sensor.name: sensor
    for sensor in (
        *(nas(n, ears) for n in NAS_CHANNELS for ears in (1, 2)),
        *(
            replace(nas(n, ears, address_bytes=2, tick_us=0.2), name=f"{nas(n, ears).name}_usbaer")
            for n in NAS_CHANNELS
            for ears in (1, 2)
        ),
        _ams("cochlea_ams1b", unused=0xFC00),
        _ams("cochlea_ams1c", special=0x2000),  # marks samples of its audio converter
        _dvs("dvs128", 128, 128, (0, 1, 7, 8, 7), special=0x8000),
        _dvs("davis240", 240, 180, _DAVIS_BITS, special=_DAVIS_SPECIAL, unused=_DAVIS_UNUSED),
        _dvs("davis346", 346, 260, _DAVIS_BITS, special=_DAVIS_SPECIAL, unused=_DAVIS_UNUSED),
    )
}


def find_sensor(name: str) -> Sensor:
    """The sensor of that name; a DataError lists what there is."""
    if name in SENSORS:
        return SENSORS[name]
    others = ", ".join(key for key in SENSORS if not key.startswith("nas_"))
    sizes = ", ".join(map(str, NAS_CHANNELS))
    raise DataError(
        "AEDAT",
        f"there is no sensor {name!r}",
        f"{others}, or nas_N_mono or nas_N_stereo with N = {sizes}, each also with _usbaer at its "
        "end",
        nearest(name, SENSORS),
    )


def sensor_of_chip(chip: str) -> Sensor | None:
    """The sensor of a chip that a file's header names, e.g. 'DAVIS240C', or None."""
    squeezed = "".join(c for c in chip.lower() if c.isalnum())
    for name, sensor in SENSORS.items():
        if squeezed.startswith(name.replace("_", "")):
            return sensor
    return None
