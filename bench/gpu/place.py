"""Where the CUDA text runs: on the device, or on the processor to try the scripts."""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.harness import Clock, parser, report
from eventsim.engine import describe_backend, get_backend, using_backend
from eventsim.errors import BackendError

NO_DEVICE = 2


class CudaClock:
    """CUDA events on the current stream."""

    def __init__(self) -> None:
        import cupy

        self._cuda = cupy.cuda

    def wait(self) -> None:
        self._cuda.Device().synchronize()

    def mark(self) -> Any:
        event = self._cuda.Event()
        event.record()
        return event

    def seconds(self, begin: Any, end: Any) -> float:
        return 1e-3 * float(self._cuda.get_elapsed_time(begin, end))


class HostClock:
    """The wall's: the host build returns when it has ended."""

    def wait(self) -> None:
        return

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, begin: float, end: float) -> float:
        return end - begin


@dataclass(frozen=True)
class Place:
    """Where backend ``cuda`` runs in this process.

    Attributes
    ----------
    host
        Whether the processor stands in for the device.
    clock
        Of the device.
    facts
        What a number must carry: card, driver, versions of CUDA and CuPy.
    """

    host: bool
    clock: Clock
    facts: dict[str, Any] = field(default_factory=dict)

    def free(self) -> None:
        """Give the memory pool's unused blocks back, so that the next case begins as the first."""
        if not self.host:
            import cupy

            cupy.get_default_memory_pool().free_all_blocks()

    def megabytes(self) -> float | None:
        """What the memory pool has taken from the device; it keeps its peak until it is freed."""
        if self.host:
            return None
        import cupy

        return float(cupy.get_default_memory_pool().total_bytes()) / 2**20


def options_of(description: str, *, repeats: int = 9) -> argparse.ArgumentParser:
    """The options of every script here."""
    shared = parser(description, repeats=repeats)
    shared.add_argument(
        "--host", action="store_true", help="small sizes on the host build of the CUDA text"
    )
    return shared


@contextmanager
def place(*, host: bool) -> Iterator[Place]:
    """Backend ``cuda`` on the device or on the host; without a device the program ends."""
    if host:
        # The host build belongs to the tests; nothing else of them is used here.
        from eventsim.engine.cuda.backend import CudaBackend
        from tests.support.simt.host_device import HostDevice

        with using_backend("cuda", CudaBackend(HostDevice())):
            yield Place(True, HostClock(), {"card": "host"})
        return
    try:
        found = describe_backend("cuda")
    except BackendError as error:
        print(error, file=sys.stderr)
        raise SystemExit(NO_DEVICE) from None
    get_backend("cuda")
    facts = {"card": found.device, **found.versions}
    # What the driver supports is a version of CUDA; its own version is another number.
    facts["cuda_driver"], facts["cuda_runtime"] = facts.pop("driver"), facts.pop("runtime")
    yield Place(False, CudaClock(), facts | {"driver": driver_version()})


def timed(
    about: str,
    rows_of: Callable[[Place, int], Iterable[dict[str, Any]]],
    words: list[str] | None,
    *,
    repeats: int = 9,
) -> int:
    """A script that measures rows in a place, so often each; ``about`` is its docstring."""
    options = options_of(about.splitlines()[0], repeats=repeats).parse_args(words)
    with place(host=options.host) as where:
        report(rows_of(where, options.repeats), options, device=where.facts)
    return 0


def facts_of(*, host: bool) -> dict[str, Any]:
    """What a number must carry, asked in a process of its own; without a device the program ends.

    So this process has nothing on the card, which in exclusive-process mode would refuse others.
    """
    words = [sys.executable, "-m", "bench.gpu.place", *(["--host"] if host else [])]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def results_of(facts: Mapping[str, Any]) -> str:
    """Name of the results file of a card."""
    return "gpu-" + re.sub(r"[^a-z0-9]+", "-", str(facts["card"]).lower()).strip("-")


def driver_version() -> str:
    """Of the NVIDIA driver, such as 580.65.06."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
        return re.search(r"\s(\d+\.\d+(\.\d+)?)\s", text)[1]  # type: ignore[index]
    except (OSError, TypeError):
        pass
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.split()[0] if done.stdout.split() else "unknown"


def main(words: list[str] | None = None) -> int:
    """Print the facts as JSON, for :func:`facts_of`."""
    options = options_of(__doc__.splitlines()[0]).parse_args(words)
    with place(host=options.host) as where:
        print(json.dumps(where.facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
