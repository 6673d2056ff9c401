"""Words of an older command line, and what to type now; for one release each."""

from collections.abc import Mapping, Sequence

GONE: Mapping[str, str] = {
    "--baseline": "bench/suite/frontier.py of a checkout trains dense networks; eventsim cost "
    "prints the operations of a GRU and an RNN",
    "--log": "standard error has a line for every epoch (2> FILE), metrics.jsonl its numbers",
    "--executor mpi": "--executor dask://HOST:PORT or slurm; MPI stays for one training",
    "--format tonic": "in Python datasets.adapters.AdaptedSet(SET).dataset().save('set.h5')",
}


def gone_of(arguments: Sequence[str]) -> tuple[str, str]:
    """The first of these arguments that is gone, and what to type instead; empty if none is."""
    words = f" {' '.join(arguments)} ".replace("=", " ")
    return next((one for one in GONE.items() if f" {one[0]} " in words), ("", ""))
