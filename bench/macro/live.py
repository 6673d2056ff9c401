"""How long after an event the answer of `eventsim listen` is there, and at which load.

Method   a network scsr(64, (64, 64), 10), untrained, sliding answers, one thread; events of 64
         channels at random times, 2,800 a second at real time (as the cochlea sends speech), in
         packets of a ms, which arrive when their last event could have happened. The clock is the
         CPU time of the process; waiting for events is added to it and not spent, so that a busy
         machine counts as an idle one. Latency of an answer: from the arrival of the last event
         before it until it is known. ``hour``: an hour of 300 events a second as fast as it can
         be computed, in pieces of a second; memory is that of the process, at every minute of the
         stream.
         python -m bench.macro.live [--case latency --case hour]
Answer   results/live.jsonl.
"""

import os
import time
from collections.abc import Iterator
from itertools import chain, starmap
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from eventsim.engine.contract.registry import set_threads
from eventsim.live import Listener, ListenSettings, Packet

RATE = 2800.0  # events per second
PIECES = {1.0: 200, 10.0: 200, 50.0: 60}  # by their length, ms
CASES = [(step, speed) for step in PIECES for speed in (1.0, 4.0, 10.0)]


def network() -> es.Network:
    """The network."""
    net = es.scsr(64, (64, 64), 10, mean=4.0)
    net.set_answer(es.Answer(class_names=tuple("0123456789")))
    return net


class Clock:
    """CPU time of the process, and what was waited."""

    waited = 0.0

    def __call__(self) -> float:
        """Now, s."""
        return time.process_time() + self.waited


def sensor(step: float, speed: float, clock: Clock) -> Iterator[Packet]:
    """Events as they happen, at ``speed`` times real time."""
    rng, began = np.random.default_rng(0), clock()
    for k in range(round(PIECES[step] * step)):
        due = began + (k + 1) / (1e3 * speed)
        clock.waited += max(0.0, due - clock())
        n = rng.poisson(RATE / 1e3)
        times = k + np.sort(rng.uniform(0.0, 1.0, n))
        yield Packet.of(times, rng.integers(0, 64, n), arrived=due, until=k + 1.0)


def latency(step: float, speed: float) -> dict[str, Any]:
    """One case."""
    clock = Clock()
    settings = ListenSettings(step=step)
    listener = Listener(network(), sensor(step, speed, clock), settings, clock=clock)
    for _ in listener:
        pass
    found = listener.summary()
    told = found["decision_latency"]
    return {
        "bench": "live", "case": "latency", "step_ms": step, "speed": speed,
        "events_per_second": RATE * speed, "load": found["load"],
        **{name: told[name] for name in ("median_ms", "p99_ms", "longest_ms")},
    }  # fmt: skip


def quiet_hour(rate: float = 300.0, minutes: int = 60) -> Iterator[Packet]:
    """Packets of a second of random events."""
    rng = np.random.default_rng(0)
    for k in range(60 * minutes):
        n = rng.poisson(rate)
        times = 1e3 * k + np.sort(rng.uniform(0.0, 1e3, n))
        yield Packet.of(times, rng.integers(0, 64, n), until=1e3 * (k + 1))


def resident() -> float:
    """Memory of the process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def hour(minutes: int = 60, **settings: Any) -> dict[str, Any]:
    """An hour of events as fast as it can be computed."""
    chosen = ListenSettings(step=1000.0, **settings)
    listener = es.listen(network(), quiet_hour(minutes=minutes), settings=chosen)
    began, memory = time.process_time(), list[float]()
    for k, _ in enumerate(listener):
        if k % 60 == 59:
            memory.append(resident())
    counters = listener.counters.to_dict()
    return {
        "bench": "live", "case": "hour", "events": counters.pop("events"),
        "minutes_mb": [round(one, 1) for one in memory],
        "grown_mb": max(memory[1:]) - memory[0],
        "counters": {name: n for name, n in counters.items() if n},
        "cpu_s": time.process_time() - began,
    }  # fmt: skip


ROWS = {"latency": lambda: starmap(latency, CASES), "hour": lambda: iter([hour()])}


if __name__ == "__main__":
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--case", action="append", choices=list(ROWS), help="may be given again")
    options = words.parse_args()
    set_threads(1, backend="cpu")
    report(chain.from_iterable(ROWS[name]() for name in options.case or ROWS), options)
