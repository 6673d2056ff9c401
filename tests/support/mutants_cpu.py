"""Faults of the CPU's kernels: what loops over samples, neurons and events, in ``kernels/cpu``.

The formulas' are among those of :mod:`tests.support.mutants_cuda`. Every mutant is built at one
level, and its program

    python -m tests.support.mutants_cpu LIBRARY FILE

goes through the runs of ``tests/support/simt/runs.py``, and through some of its own: blocks of
neurons, which the CUDA text does not have, and edges of loops. Detectors:

``bits``   spikes bit for bit and gradients within their tolerance, in both precisions: as the tests
           hold this backend against the CUDA text behind its stand-in
``asan``   overruns and undefined behaviour, in the calls of those runs
"""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.engine.cpu import CpuBackend
from eventsim.engine.cpu import library as loader
from eventsim.kernels.build import KERNELS
from tests.support import sanitized
from tests.support.built import build_library
from tests.support.mutant import Verdict, stale, summary
from tests.support.mutants_cpu_table import MUTANTS
from tests.support.nets import lateral_net, neuron_parameters, one_sample, random_stream
from tests.support.simt import why_not
from tests.support.simt.build import FLAVOURS
from tests.support.simt.exercise import differences, read, results
from tests.support.simt.runs import Run

__all__ = ["IN_ALL_KERNELS", "MUTANTS", "expected_results", "judge", "path_of", "why_not"]

# Files of which none has faults of its own; of those the formulas have theirs in the CUDA text.
IN_ALL_KERNELS = tuple(
    {path.name for path in KERNELS.rglob("*.?pp")} - {Path(each.file).name for each in MUTANTS}
    - {path.name for path in (KERNELS / "neuron").iterdir()} | {"backend.py", "build.py"}
)  # fmt: skip
PRECISIONS = ("single", "double")
PATIENCE = 120.0  # seconds, after which a run counts as one that would never end
QUICK = ("-O1",)  # behind the product's -O3, in whose place it comes


def _convolution():
    """Six blocks of neurons that hear little in common, which this backend alone has."""
    rng = np.random.default_rng(51)
    maps = es.Convolution(50, 3, out_maps=4)
    net = es.Network()
    net.add_input("input", 50)
    given = neuron_parameters(rng, maps.n_targets)
    net.add_population("hidden", maps.n_targets, **given)
    weights = maps.draw(rng, mean=9.0, spread=4.0)
    maps.connect(net, "input", "hidden", weights, delays=rng.uniform(0.0, 4.0, 50))
    net.connect("hidden", "hidden", es.self_recurrent(rng.uniform(-0.3, 0.3, maps.n_targets)))
    return net


def _at_once():
    """Equal neurons fire at one time, and tell those that did so before them, themselves too.

    Other spikes arrive when V is let go. Each neuron hears its own, so that on the way back they do
    not go side by side.
    """
    rng = np.random.default_rng(53)
    net = es.Network()
    net.add_input("input", 1)
    drawn = rng.uniform(0.1, 1.0, (3, 8, 8)) * (rng.random((3, 8, 8)) < 0.2)
    for name in ("a", "b"):
        net.add_population(name, 8, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
        net.connect("input", name, np.full((1, 8), 6.0))
    net.connect("a", "a", sp.csr_array(np.tril(drawn[0]) + 0.5 * np.eye(8)))
    back = sp.csr_array(drawn[1])
    net.connect("b", "a", back, delays=np.ones(back.nnz))
    net.connect("a", "b", sp.csr_array(drawn[2]), delays=1.0)
    return net


OWN = {
    "loop, at once": Run(_at_once, lambda: one_sample([1.0, 2.0, 2.0, 8.0], duration=30.0)),
    "loop, beyond its room": Run(
        lambda: lateral_net(54, size=20, delays="synapse"),
        lambda: random_stream(55, n_samples=2, n_channels=5, duration=40.0, rate=60.0),
    ),
    "blocks, in pieces": Run(
        _convolution,
        lambda: random_stream(52, n_samples=1, n_channels=50, duration=20.0, rate=120.0),
        piece=9.0,
    ),
}


def all_results(precision):
    """What this backend computes on all runs."""
    return results(CpuBackend(), precision) | results(CpuBackend(), precision, OWN)


@cache
def expected_results():
    """What all mutants are held against, by precision; and the calls of their runs."""
    found = {}
    calls = sanitized.record(lambda: found.update({p: all_results(p) for p in PRECISIONS}))
    return found, calls


def path_of(mutant) -> Path:
    """The file that has the fault."""
    return KERNELS / mutant.file


def judge(mutant, expected) -> Verdict:
    """Let the detectors look at a mutant until one finds it."""
    if (reason := stale(mutant, path_of(mutant))) is not None:
        return Verdict(mutant, None, reason)
    with tempfile.TemporaryDirectory() as folder:
        kernels = Path(folder, "kernels")
        shutil.copytree(KERNELS, kernels, ignore=shutil.ignore_patterns("libeventsim.*"))
        text = path_of(mutant).read_text("utf-8").replace(mutant.old, mutant.new)
        (kernels / mutant.file).write_text(text, "utf-8")
        for detector, look in (("bits", _bits), ("asan", _overruns)):
            try:
                evidence = look(Path(folder), kernels, *expected)
            except RuntimeError as error:
                return Verdict(mutant, None, f"it does not compile: {error}")
            except subprocess.TimeoutExpired:
                evidence = f"still runs after {PATIENCE:.0f} s"
            if evidence is not None:
                return Verdict(mutant, detector, evidence)
    return Verdict(mutant, None, "no detector found it")


def _bits(folder, kernels, expected, _calls):
    """How the runs end otherwise, or None."""
    library, file = build_library(folder, "mutant", kernels=kernels, options=QUICK), folder / "npz"
    file.mkdir()
    words = [sys.executable, "-m", __name__, str(library), str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        return summary(done)
    for precision in PRECISIONS:
        wrong = differences(read(file / f"{precision}.npz"), expected[precision], precision)
        if wrong:
            return f"{precision}, {wrong[0]}"
    return None


def _overruns(folder, kernels, _expected, calls):
    """What the sanitizer says of the calls, or None."""
    flavour = FLAVOURS["asan"]
    library = build_library(
        folder, "mutant", kernels=kernels, options=flavour.kernels, link=flavour.link
    )
    done = sanitized.run_apart("asan", calls, folder, path=library, timeout=PATIENCE)
    return summary(done) if done.returncode else None


def main(library, folder):
    """Go through all runs with a library of other sources."""
    own = mock.patch.object(loader, "_difference", return_value=None)
    with own, mock.patch.object(loader, "library_file", return_value=Path(library)):
        loader.library()
        for precision in PRECISIONS:
            found = all_results(precision)
            arrays = {key.replace("/", "|"): value for key, value in found.items()}
            np.savez(Path(folder) / f"{precision}.npz", **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
