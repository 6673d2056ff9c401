"""Files of NIR graphs, written whole or not at all."""

from pathlib import Path
from typing import Any

from eventsim.errors import EventSimError, NetworkError, StorageError
from eventsim.events import hdf5
from eventsim.events.storage import replacing
from eventsim.network.network import Network
from eventsim.network.nir.dialects import Target
from eventsim.network.nir.export import MAX_ENTRIES, to_nir
from eventsim.network.nir.package import TimeUnit, load_nir
from eventsim.network.nir.restore import from_nir, hide


def write_nir(
    net: Network,
    path: str | Path,
    *,
    target: Target | None = None,
    dt: float | None = None,
    time_unit: TimeUnit = "s",
    lossy: bool = False,
    max_entries: int = MAX_ENTRIES,
) -> None:
    """Write :func:`to_nir` of the network to an HDF5 file, atomically; parameters as there."""
    graph = to_nir(
        net, target=target, dt=dt, time_unit=time_unit, lossy=lossy, max_entries=max_entries
    )
    with replacing(path) as temporary:
        load_nir("write_nir").write(temporary, graph)


def read_nir(
    path: str | Path,
    *,
    source: Target | None = None,
    dt: float | None = None,
    time_unit: TimeUnit | None = None,
) -> Network:
    """The network in a NIR file; parameters as :func:`from_nir`.

    Raises
    ------
    StorageError
        The file is missing, or no NIR graph.
    NetworkError, ParameterError, ShapeError
        eventsim cannot express the graph.
    """
    graph = read_graph(path)
    try:
        return from_nir(graph, source=source, dt=dt, time_unit=time_unit)
    except EventSimError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # The package takes anything for a value of a node or of its metadata.
        came = f"holds a NIR graph with invalid values ({type(error).__name__}: {error})"
        raise StorageError(path, came, remedy="Write it again.") from error


def read_as_others(path: str | Path) -> Network:
    """The network that other programs read from a file of eventsim, in our units."""
    graph = read_graph(path)
    hide(graph)
    return from_nir(graph)


def read_graph(path: str | Path) -> Any:
    """The ``nir.NIRGraph`` in a file; StorageError if it holds none."""
    nir = load_nir("read_nir")
    hdf5.check_all(Path(path), expected="a NIR graph")
    try:
        graph = nir.read(path)
    except Exception as error:  # h5py, nir's own checks and assertions raise a dozen types
        came = f"cannot be read as a NIR graph ({type(error).__name__}: {error})"
        raise StorageError(path, came, remedy="Write it again.") from error
    if not isinstance(graph, nir.NIRGraph):
        raise NetworkError(path, f"holds a single {type(graph).__name__}", "a NIR graph")
    return graph
