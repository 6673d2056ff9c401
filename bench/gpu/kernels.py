"""Time of every kernel, by events around its launches."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.gpu.place import Place
from bench.harness import Clock
from eventsim.engine import get_backend, using_backend
from eventsim.engine.cuda.backend import CudaBackend


class Recorded:
    """A device whose launches are timed. What CuPy launches by itself is not seen."""

    def __init__(self, device: Any, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self.spans: list[tuple[str, Any, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def launch(self, precision: Any, kernel: str, *args: Any, **options: Any) -> None:
        begin = self._clock.mark()
        self._device.launch(precision, kernel, *args, **options)
        self.spans.append((kernel, begin, self._clock.mark()))

    def rows(self) -> list[dict[str, Any]]:
        """One per kernel, the longest first."""
        self._clock.wait()
        total: dict[str, list[float]] = {}
        for kernel, begin, end in self.spans:
            total.setdefault(kernel, []).append(self._clock.seconds(begin, end))
        rows = [
            {"kernel": kernel, "launches": len(seconds), "device_s": sum(seconds)}
            for kernel, seconds in total.items()
        ]
        return sorted(rows, key=lambda row: -row["device_s"])


@contextmanager
def recorded(place: Place) -> Iterator[Recorded]:
    """Backend ``cuda`` with a recorded device."""
    device = Recorded(get_backend("cuda").device, place.clock)  # type: ignore[attr-defined]
    with using_backend("cuda", CudaBackend(device)):
        yield device


def kernel_rows(call: Callable[[], Any], place: Place) -> Sequence[dict[str, Any]]:
    """Rows of one call, after one that compiles and fills the caches."""
    with recorded(place) as device:
        call()
        device.spans.clear()
        call()
        return device.rows()
