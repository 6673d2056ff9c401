"""Write a network as C99: its files, their sizes, and a recorded test."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import eventsim
from eventsim.arrays import to_host
from eventsim.embedded.literals import Constants, filled
from eventsim.embedded.source import config, constants_of, ram_of, recorded, spikes_of
from eventsim.embedded.tables import LEAST_ROOM, Tables, tables_of
from eventsim.embedded.wasm import included, read
from eventsim.engine import place, simulate
from eventsim.errors import ParameterError
from eventsim.events import EventStream, SpikeTape
from eventsim.events.storage import write_atomically
from eventsim.mapping import quantise
from eventsim.network import Network
from eventsim.train.prediction import read_answers

NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
TEMPLATE = "net"  # the prefix in the templates
# NAME_t is a type of C.
TYPES_OF_C = re.compile(
    r"u?int(_fast|_least)?(8|16|32|64|max|ptr)|size|ssize|ptrdiff|wchar|float|double"
)
TEST_EVENTS = 4000  # of the recorded test, about
# Of one neuron over a stretch of four arrivals, counted in c/formulas.c: a map, and ahead().
STRETCH_FLOPS = 110
LINEAR_WORK = """
Neurons of other kinds than LIF: those that go together take {flops:,} operations, about, over a
stretch of their grid with four arrivals; others go event by event. Of a silence longer than the
recordings that were exported with, last bits may differ.
"""
# Template and purpose of every file; NAME is the prefix.
FILES = {
    "NAME.h": ("net.h", "what you call"),
    "NAME.c": ("net.c", "the network's text"),
    "NAME_tables.h": ("tables.h", "between the two"),
    "NAME_weights.c": ("weights.c", "its constants, for flash"),
    "test/NAME_test.c": ("test.c", "recordings with their spikes and answers; `make test`"),
    "Makefile": ("Makefile", "a static library, and the test"),
    "CMakeLists.txt": ("CMakeLists.txt", "the same for CMake, and a library for Zephyr"),
    "zephyr/module.yml": ("module.yml", "a module of Zephyr"),
    "library.json": ("library.json", "for PlatformIO"),
    "library.properties": ("library.properties", "for Arduino"),
    "README.md": ("README.md", "how to use it, and the table of sizes"),
}


@dataclass(frozen=True)
class CFootprint:
    """Memory and operations of a network as C.

    Attributes
    ----------
    flash
        Bytes of constants, with pointers of four bytes; the code is some 8 kB more.
    ram
        Bytes of one network, ``NAME_RAM_BYTES``.
    rooms
        Arrivals that the queue of every stage holds, by its name: twice what ever waited there.
    waited
        Recordings in which this was counted.
    flops
        Floating-point operations of all LIF neurons over a stretch of four arrivals, about; of
        stages that go arrival by arrival none are in it.
    flops_linear
        Those of all neurons of other kinds over one stretch of their grid with four arrivals,
        about; none of stages that go arrival by arrival.
    """

    flash: int
    ram: int
    rooms: dict[str, int]
    waited: int
    flops: int
    flops_linear: int


@dataclass(frozen=True, kw_only=True)
class CExport(CFootprint):
    """Files of an export to C, and their footprint.

    Attributes
    ----------
    folder, name, files
        The folder, the prefix, and the paths of all files in the folder.
    populations
        Those whose spikes can be polled, in the order of their numbers; the input is number 0.
    recordings, spikes
        Numbers of those of the recorded test.
    """

    folder: Path
    name: str
    files: tuple[str, ...]
    populations: tuple[str, ...]
    recordings: int
    spikes: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "folder": str(self.folder), "files": list(self.files)}


def footprint(net: Network, tape: SpikeTape) -> CFootprint:
    """The footprint of a network as C, with queues for the recordings of a tape.

    Raises
    ------
    NetworkError
        As :func:`export_c`.
    """
    tables = tables_of(net, tape)
    return _footprint(tables, constants_of(tables, Constants(counts_only=True)), tape)


def _footprint(tables: Tables, constants: Constants, tape: SpikeTape) -> CFootprint:
    in_stretches = [s.size for s in tables.stages if s.kind in ("STRETCHES", "WINDOWS")]
    return CFootprint(
        flash=constants.n_bytes,
        ram=ram_of(tables),
        rooms={s.name: s.room for s in tables.stages},
        waited=tape.stream.n_samples,
        flops=STRETCH_FLOPS * sum(in_stretches),
        flops_linear=sum(s.linear.flops for s in tables.stages if s.kind == "PIECES" and s.linear),
    )


def export_c(
    net: Network,
    folder: str | Path,
    *,
    stream: EventStream,
    name: str = "network",
    bits: int | None = None,
) -> CExport:
    """Write a network as C99 with the spikes, to the bit, of backend cpu in single precision.

    Parameters
    ----------
    net
        A network that answers (:meth:`Network.set_answer`); not changed.
    folder
        Is made if it is missing; files of earlier exports in it are replaced.
    stream
        Recordings. The first of them, about 4,000 events, are those of the test. A queue holds
        twice as many events as ever waited in it.
    name
        Prefix of files and symbols: lower-case letters, digits and ``_``. Populations whose names
        are equal as macros have their numbers behind them: ``NAME_POPULATION_H_1_2``.
    bits
        Number of bits to which the weights are rounded first (:func:`eventsim.mapping.quantise`).
        If the weights of a projection have at most 16 or 256 values, rounded here or before, they
        are stored in 4 or 8 bits each.

    Raises
    ------
    NetworkError
        The network has a part that the C text does not support, which the message names; or it
        has no answer.
    ParameterError
        The name is not allowed, or a number of bits is below 1.
    ShapeError, RunawayError
        As :func:`eventsim.simulate`.
    """
    if not NAME.fullmatch(name) or name == TEMPLATE or TYPES_OF_C.fullmatch(name):
        raise ParameterError(
            "export_c",
            f"name is {name!r}",
            "lower-case letters, digits and _, a letter first, at most 31 in all, not "
            f"{TEMPLATE!r}, and no name of a type of C, as in size_t or int32_t",
        )
    if bits is not None:
        net = quantise(net, bits).net
    placed = place(net, backend="cpu")
    tape = simulate(placed, stream, backend="cpu", precision="single")
    tables = tables_of(net, tape)
    n_test = max(int((tape.stream.offsets[1:] <= TEST_EVENTS).sum()), 1)
    answers = to_host(read_answers(placed, tape).classes)
    constants = constants_of(tables, Constants())
    found = CExport(
        **vars(_footprint(tables, constants, tape)),
        folder=Path(folder),
        name=name,
        files=tuple(file.replace("NAME", name) for file in FILES),
        populations=tables.populations,
        recordings=n_test,
        spikes=sum(int(tape[p].offsets[n_test]) for p in tables.populations[1:]),
    )
    parts = {
        "config": config(tables),
        "constants": "\n".join(constants.text),
        **included(),
        "data": recorded(tables, stream[:n_test], tape, answers),
        **_readme_parts(found, tables),
    }
    for file, (source, _) in zip(found.files, FILES.values(), strict=True):
        (found.folder / file).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(found.folder / file, filled(read(source), name, parts))
    return found


def _readme_parts(found: CExport, tables: Tables) -> dict[str, str]:
    rows = [
        ("constants (flash)", f"{found.flash:,} bytes; the code comes beside"),
        ("one network (RAM)", f"{found.ram:,} bytes"),
        *((f"queue of {name}", f"{room} arrivals") for name, room in found.rooms.items()),
        ("spikes that wait to be polled", str(spikes_of(tables))),
    ]
    files = [(f"`{file.replace('NAME', found.name)}`", what) for file, (_, what) in FILES.items()]
    return {
        "version": eventsim.__version__,
        "waited": f"{found.waited:,}",
        "ram": f"{found.ram:,}",
        "recordings": str(found.recordings),
        "spikes": f"{found.spikes:,}",
        "least": str(LEAST_ROOM),
        "flops": str(STRETCH_FLOPS),
        "neurons": LINEAR_WORK.format(flops=found.flops_linear) if tables.has_linear else "",
        "sizes": _table(rows),
        "files": _table(files),
    }


def _table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
