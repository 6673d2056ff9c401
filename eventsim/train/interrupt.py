"""Interrupts of a run, which wait for the end of the running batch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from eventsim.train.parallel import ProcessGroup


@contextmanager
def deferred_interrupt(group: ProcessGroup) -> Iterator[None]:
    """Turn the first interrupt into a wish, so that it never falls into the middle of a step."""
    group.withdraw()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        if group.asked_to_stop:
            raise KeyboardInterrupt
        group.ask_to_stop()

    signals = [signal.SIGINT]
    # Launchers end their processes by SIGTERM, also where a person has pressed Ctrl-C.
    if group.size > 1 or signal.getsignal(signal.SIGTERM) is signal.default_int_handler:
        signals.append(signal.SIGTERM)
    before: list[Any] = [signal.signal(number, note) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
