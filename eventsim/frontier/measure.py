"""Accuracy and costs of a finished run: the numbers of a point.

Energies are those that ``eventsim cost`` prints for the same run and chips. Leakage is a number of
its own: static power over the time of an inference, which is the whole recording and the time for
which the network runs on after it. The energy of an encoder of the input is a number of its own
too. Cores, axons and links are those of the mapping that ``eventsim map`` finds.
:mod:`eventsim.mapping.fits` says whether a network fits at all.

The numbers are kept in the folder of the run, in ``frontier.json``, with the question. The same
question of the same network is not measured again.
"""

import hashlib
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from eventsim.chips import ENERGY_TERMS, Chip
from eventsim.energy import EnergyReport, RunCosts, Widths
from eventsim.entries import read_object
from eventsim.errors import StorageError
from eventsim.events import AnyDataset, Dataset
from eventsim.events.labelled import spread
from eventsim.events.storage import write_json
from eventsim.mapping.fits import Fit
from eventsim.report.priced import priced
from eventsim.runs.run import Run
from eventsim.train import Evaluation
from eventsim.train.parts import validation_split

MEASURED = "frontier.json"
Numbers = Mapping[str, float | None]
"""Of a run, by name; those of a chip are called ``energy_pj:loihi``."""
ACCURACY, CHOICE = "accuracy", "validation_accuracy"
OPERATIONS = "synaptic_operations"
TIME = "inference_ms"
ENERGY = "energy_pj"
LEAKAGE = tuple(name for name, term in ENERGY_TERMS.items() if term.needs == "time")
_VERSION = (
    7  # raised when numbers are new or others: what is remembered without them is measured again
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The measurements of a run.

    Attributes
    ----------
    numbers
        By name.
    fits
        Whether the network fits, by name of the chip; none for technologies.
    missing
        Names of the terms that the energies of a chip lack, leakage included, by name of the chip.
    """

    numbers: Numbers
    fits: Mapping[str, Fit] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Any) -> Self:
        """Measurements from plain values; an error of any kind if the values are others."""
        return cls(
            numbers=dict(values["numbers"]),
            fits={name: Fit.read(one) for name, one in values["fits"].items()},
            missing={name: tuple(map(str, names)) for name, names in values["missing"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class Question:
    """Settings of the measurement of each run.

    Attributes
    ----------
    chips
        By which it is priced, by the name or file that ``eventsim cost`` takes; of different names.
    part
        Of the data set.
    samples
        At most so many recordings, spread over the classes; None for all.
    step_ms
        Of the clocked terms; None for that of each chip.
    """

    chips: Mapping[str, Chip]
    part: str = "test"
    samples: int | None = None
    step_ms: float | None = None

    def command(self, folder: Path, bits: int | None = None) -> str:
        """The command that counts and prices a run, or it rounded to bits, in the same way."""
        words = ["eventsim", "cost", str(folder)]
        for name in self.chips:
            words += ["--chip", name]
        words += [] if self.part == "test" else ["--split", self.part]
        words += [] if self.samples is None else ["--samples", str(self.samples)]
        words += [] if self.step_ms is None else ["--dt", f"{self.step_ms:g}"]
        words += [] if bits is None else ["--bits", str(bits)]
        return shlex.join(words)

    def recordings(self, data: AnyDataset) -> Dataset:
        """Recordings of the requested part and number, in memory."""
        return data[:] if self.samples is None else data[spread(data.labels, self.samples)][:]

    def described(self) -> dict[str, Any]:
        """All settings on which the numbers depend, as plain values."""
        return {
            "chips": [asdict(chip) for chip in self.chips.values()],
            "part": self.part,
            "samples": self.samples,
            "step_ms": self.step_ms,
            "version": _VERSION,
        }


def energy_key(chip: str) -> str:
    """Name of the energy of a run on a chip without leakage, pJ per recording."""
    return f"{ENERGY}:{chip}"


def leakage_key(chip: str) -> str:
    """Name of the leakage energy of an inference; None if it is no term of its own."""
    return f"leakage_pj:{chip}"


def encoder_key(chip: str) -> str:
    """Name of the energy of an encoder of the input; None where there is none, or no price."""
    return f"encoder_pj:{chip}"


def total_key(chip: str) -> str:
    """Name of the energy with leakage, pJ per recording; None where nothing is known of that."""
    return f"energy_with_leakage_pj:{chip}"


def cores_key(chip: str) -> str:
    """Name of the number of cores; None where a chip has none, or a network no place on them."""
    return f"cores:{chip}"


def measure(run: Run, data: AnyDataset, asked: Question) -> Measured:
    """Accuracy, operations, spikes, energies and cores of a run; means per recording.

    Parameters
    ----------
    run
        Finished.
    data
        Recordings of ``asked.part``, all of them.
    asked
        What is measured.

    Returns
    -------
    Measured
        It is kept in the folder of the run.

    Raises
    ------
    StorageError
        The run is not finished, or a file of it is damaged.
    """
    return remembered(run.folder, _asks(run, asked), lambda: _measured(run, data, asked))


def measure_rounded(
    run: Run, data: AnyDataset, training: AnyDataset, asked: Question, bits: int
) -> Measured:
    """As :func:`measure`, of the network with weights rounded to bits after its training.

    ``training`` are the recordings of the training part, of which the run held some out: they are
    asked again. The numbers are kept beside those of the run.
    """

    def make() -> Measured:
        rounded = run.rounded(bits)
        found = _measured(rounded, data, asked, trained=False)
        _, held = validation_split(training, run.config)
        choice = _accuracy(rounded, training[held][:]) if held.size else None
        return replace(found, numbers={**found.numbers, CHOICE: choice})

    return remembered(run.folder, _asks(run, asked, bits), make, name=f"frontier-{bits}-bits.json")


def _asks(run: Run, asked: Question, *more: Any) -> bytes:
    """Key of a measurement: the run's network, the question, and what else is done."""
    text = repr((asked.described(), run.settings.deciding(), *more))
    return (run.folder / "last.npz").read_bytes() + text.encode()


def remembered(
    folder: Path, asks: bytes, make: Callable[[], Measured], *, name: str = MEASURED
) -> Measured:
    """Measurements cached in a folder, valid while their key ``asks`` is the same.

    Otherwise those that ``make`` returns, which are stored there under ``name``.
    """
    mark = hashlib.sha256(asks).hexdigest()
    try:
        known = read_object(folder / name)
    except StorageError:
        known = {}  # none, or damaged: it is measured again
    if known.get("asked") == mark:
        with suppress(KeyError, TypeError, ValueError, AttributeError):  # damaged
            return Measured.read(known)
    found = make()
    write_json(folder / name, {"asked": mark, **asdict(found)})
    return found


def _measured(run: Run, data: AnyDataset, asked: Question, *, trained: bool = True) -> Measured:
    """Measurements of a run; its network is the ``trained`` one unless it was changed since."""
    heard = asked.recordings(data)
    tape = run.tape(heard.stream)
    chips, encoder = list(asked.chips.values()), run.data_settings.encoder_operations()
    widths = Widths() if run.weight_bits is None else Widths(weight=run.weight_bits)
    costs, fits = priced(
        run.net, tape, chips, step_ms=asked.step_ms, widths=widths, encoder=encoder
    )
    whole = trained and asked.part == "test" and asked.samples is None
    accuracy = run.result["test"]["accuracy"] if whole else _accuracy(run, heard)
    numbers: dict[str, float | None] = {ACCURACY: accuracy}
    numbers[CHOICE] = run.result.get("validation_accuracy")
    numbers |= _counts(run, costs)
    for report in costs.reports:
        numbers |= _energies(report)
        fit = fits.get(report.chip.name)
        numbers[cores_key(report.chip.name)] = None if fit is None else fit.cores
    missing = {one.chip.name: tuple(term.name for term in one.missing) for one in costs.reports}
    return Measured(numbers=numbers, fits=fits, missing=missing)


def _accuracy(run: Run, data: AnyDataset) -> float:
    found = run.evaluate(data)
    assert isinstance(found, Evaluation)  # points are of classes
    return found.accuracy


def _energies(report: EnergyReport) -> dict[str, float | None]:
    name, has_terms, made = report.chip.name, bool(report.terms), report.encoder
    return {
        energy_key(name): report.activity_pj if has_terms else None,
        leakage_key(name): report.leakage_pj,
        total_key(name): report.total_pj if has_terms and report.leakage != "missing" else None,
        encoder_key(name): None if made is None or not made.terms else made.total_pj,
    }


def _counts(run: Run, costs: RunCosts) -> dict[str, float | None]:
    counts, net = costs.counts, run.net
    by_projection = {name: float(n.mean()) for name, n in counts.synaptic_events.items()}
    inside = [net.projections[name].source != net.input.name for name in by_projection]
    values = list(by_projection.values())
    return {
        TIME: float(counts.duration.mean()),
        OPERATIONS: sum(values),
        f"{OPERATIONS}_of_neurons": sum(n for n, own in zip(values, inside, strict=True) if own),
        "spikes": sum(float(counts.spikes[name].mean()) for name in counts.spiking),
        "synapses": float(sum(p.values.size for p in net.projections.values())),
        "neurons": float(sum(p.size for p in net.neurons.values())),
        "parameters": float(run.result["trained_parameters"]),
        "training_seconds": run.result.get("training_seconds"),
        "compile_seconds": run.result.get("compile_seconds"),
    }
