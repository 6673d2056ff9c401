"""A network as data for the engine of a page."""

from dataclasses import dataclass
from pathlib import Path

from eventsim.arrays import Ints, to_host
from eventsim.embedded import wasm
from eventsim.embedded.image import image_of
from eventsim.embedded.tables import tables_of
from eventsim.engine import place, simulate
from eventsim.errors import BackendError
from eventsim.events import EventStream
from eventsim.mapping import quantise
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.train.prediction import read_answers

ENGINE = Path(__file__).with_name("web") / "engine.wasm"
HOW = (
    "In a checkout: pip install ziglang, then python eventsim/embedded/wasm.py. Elsewhere install "
    "a wheel of a release, or build with EVENTSIM_BUILD_WEB=1."
)


@dataclass(frozen=True, eq=False)
class WebNetwork:
    """A network and the engine that runs it; ``populations`` has sizes by name, input first."""

    engine: bytes
    image: bytes
    place: int  # of the image in the memory of the engine
    populations: dict[str, int]
    class_names: tuple[str, ...]
    tail: float  # ms
    answers: Ints  # of the recordings, by backend cpu


def web_network(net: Network, stream: EventStream, *, bits: int | None = None) -> WebNetwork:
    """A network for the engine, with queues for these recordings; raises as ``export_web``."""
    require("page", net, where="export_web")
    engine = read_engine()
    if bits is not None:
        net = quantise(net, bits).net
    placed = place(net, backend="cpu")
    tape = simulate(placed, stream, backend="cpu", precision="single")
    tables = tables_of(net, tape)
    return WebNetwork(
        engine=engine,
        image=image_of(tables),
        place=wasm.IMAGE,
        populations=dict(zip(tables.populations, tables.sizes, strict=True)),
        class_names=tuple(tables.answer.name_of(k) for k in range(tables.n_scores)),
        tail=tables.answer.tail,
        answers=to_host(read_answers(placed, tape).classes),
    )


def read_engine() -> bytes:
    """The engine; BackendError if it is missing or was built from other sources."""
    if not ENGINE.is_file():
        raise BackendError(
            "export_web", "this eventsim was built without its engine for pages", remedy=HOW
        )
    engine = ENGINE.read_bytes()
    if wasm.built_from(engine) != wasm.source_hash():
        raise BackendError("export_web", "the engine for pages is of other sources", remedy=HOW)
    return engine
