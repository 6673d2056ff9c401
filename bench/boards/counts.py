"""What a network as C takes on small processors: bytes, and instructions for an event.

Method   `eventsim export --to c`; its recorded test on boards of QEMU, bit for bit, and
         instructions of the same recordings without the checks (bench/boards/qemu.py). Networks:
         that of the first page of the site (docs/live), that with equal AdLIF neurons in place of
         its own, not trained again, and with --run that of `eventsim demo`.
         On this machine: CPU time of the test, checks and all, the least of --repeats. Cortex-M0 is
         not counted: the end of a recording may take it longer than the board's timer runs.
Answer   results/boards.jsonl.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import eventsim as es
from bench.boards import qemu
from bench.harness import parser, report
from eventsim.events.labelled import spread
from eventsim.train import load_network

HOST, HOST_FLAGS = "this machine", "-std=c99 -O2 -march=native -ffp-contract=off"
BOARDS = (HOST, "Cortex-M4F", "Cortex-M7")
LIVE = Path(__file__).parents[2] / "docs" / "live"
sys.path.insert(0, str(LIVE))
from packed import recordings  # noqa: E402


def networks(run: str | None) -> Iterator[tuple[str, es.Network, es.EventStream]]:
    """Name, network and recordings."""
    small = load_network(LIVE / "digits.npz")
    yield "48-48, 4 bits", small, recordings().stream
    yield "48-48 AdLIF, 4 bits", with_adlif(small), recordings().stream
    if run is not None:
        loaded = es.load_run(run)
        data = loaded.data("test")
        few = data[spread(data.labels, len(data.class_names))]
        yield "128-128 (demo)", loaded.net, few.stream


def with_adlif(given: es.Network) -> es.Network:
    """The network with AdLIF neurons that are equal, as they start."""
    net = es.Network()
    for name, p in given.populations.items():
        if p.kind == "input":
            net.add_input(name, p.size)
        elif p.is_spiking:
            neuron = es.AdLIF(tau_mem=20.0, tau_syn=10.0, a=0.5, b=0.2)
            net.add_population(name, p.size, neuron=neuron, refractory=p.refractory)
        else:
            net.add_readout(name, p.size, **p.parameters)
    for p in given.projections.values():
        own = p.source == p.target
        weights = es.self_recurrent(p.weights) if own else p.weights
        net.connect(p.source, p.target, weights, delays=p.delays)
    net.set_answer(given.answer)
    return net


def rows(run: str | None, boards: Sequence[str], repeats: int) -> Iterator[dict[str, Any]]:
    """One for each network and board."""
    for network, net, stream in networks(run):
        if HOST in boards:
            yield {"bench": "boards", "network": network, **host_row(net, stream, repeats)}
        for board in (board for board in boards if board != HOST):
            yield {"bench": "boards", "network": network, **row(net, stream, board)}


def host_row(net: es.Network, stream: es.EventStream, repeats: int) -> dict[str, Any]:
    """CPU time of a recording on this machine."""
    with TemporaryDirectory() as folder:
        written = es.export_c(net, folder, stream=stream, name="digits")
        sources = ("digits.c", "digits_weights.c", "test/digits_test.c")
        command = ["cc", *HOST_FLAGS.split(), *sources, "-o", "run"]
        subprocess.run(command, cwd=folder, check=True)
        spent = min(_spent(Path(folder, "run")) for _ in range(repeats))
    return {
        "board": HOST,
        "constants": written.flash,
        "ram": written.ram,
        "recordings": written.recordings,
        "spikes": written.spikes,
        "events": int(stream.offsets[written.recordings]),
        "microseconds": round(1e6 * spent / written.recordings),
    }


def _spent(program: Path) -> float:
    process = subprocess.Popen([program], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{program} found a difference.")
    return usage.ru_utime + usage.ru_stime


def row(net: es.Network, stream: es.EventStream, board: str) -> dict[str, Any]:
    """Bytes and instructions."""
    with TemporaryDirectory() as name:
        written = es.export_c(net, name, stream=stream, name="digits")
        found = qemu.run(Path(name), "digits", board)
    if found.differs:
        raise SystemExit(f"{board}: recording {found.differs - 1} differs.")
    kept = stream[: found.recordings]
    return {
        "board": board,
        "constants": written.flash,
        "code": found.code,
        "ram": written.ram,
        "recordings": found.recordings,
        "spikes": found.spikes,
        "events": found.events,
        "duration_ms": float(kept.duration.sum()),
        "instructions": found.instructions,
        "longest": found.longest,
        "stack": found.stack,
    }


if __name__ == "__main__":
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--run", help="folder of a run of eventsim demo")
    options.add_argument("--board", choices=BOARDS, action="append", help="all by default")
    options = options.parse_args()
    if lacks := qemu.missing():
        raise SystemExit(f"Not installed: {lacks}.")
    report(rows(options.run, options.board or BOARDS, options.repeats), options)
