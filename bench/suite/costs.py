"""What trained networks cost: data sets x architectures x chips, one table, one figure.

Method   Every architecture is trained on every data set with the same settings (two hidden
         populations; ``plain`` feedforward, ``sr`` self-recurrent, ``sc`` skips, ``scsr+bip`` both
         and all neuron parameters trained, ``rsnn`` random lateral synapses with delays of 1 to 5
         ms, 10 % connectivity). Short trainings: what is compared is cost, beside the accuracy of
         the last epoch on the test part. Counts are exact and need no time step; clocked terms are
         those of the chip's own step, or of 1 ms. Each network is mapped onto each chip that has
         limits (without Mt-KaHyPar), and hops and axons are those of the mapping. Figures that a
         chip's file lacks are missing from its sum; the column says which.
Answer   see results/costs.jsonl, results/costs.png and docs/benchmarks.md.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import eventsim as es
from bench.harness import RESULTS, parser, report, save
from eventsim import datasets
from eventsim.chips import load_chip
from eventsim.energy import Counts, clocked, count, energy
from eventsim.errors import EventSimError
from eventsim.mapping import map_network
from eventsim.plot.style import DPI, POPULATIONS, figure
from eventsim.train import LabelledEvents, TrainConfig, evaluate, train
from eventsim.train.loggers import Progress

HIDDEN, BATCH, STEP_MS, COUNTED = (64, 64), 32, 1.0, 100
DATA = ("yinyang", "fsdd", "spoken_digits")
CHIPS = ("45nm", "loihi", "loihi_sanafe", "truenorth", "spinnaker2")
PJ_PER_UJ = 1e6


def network(name: str, n_inputs: int, n_classes: int, seed: int) -> es.Network:
    """The network that a training starts from."""
    if name == "rsnn":
        lateral = es.RandomLateral(probability=0.1)
        return es.rsnn(
            n_inputs, HIDDEN, n_classes, lateral=lateral, delays=(1.0, 5.0), seed=seed, tau_syn=10.0
        )
    return es.scsr(
        n_inputs,
        HIDDEN,
        n_classes,
        self_recurrent=name in ("sr", "scsr+bip"),
        skip=name in ("sc", "scsr+bip"),
        seed=seed,
        tau_syn=10.0,
    )


ARCHITECTURES = ("plain", "sr", "sc", "scsr+bip", "rsnn")


def load(name: str, split: str, samples: int | None) -> LabelledEvents:
    """A part of a data set, or its first samples in a fixed random order."""
    data = datasets.load(name, split=split)
    part = LabelledEvents(data.stream, data.labels, data.class_names)
    if samples is None or samples >= len(part):
        return part
    return part.subset(np.random.default_rng(0).permutation(len(part))[:samples])


def trained(
    data: str, arch: str, seed: int, options: argparse.Namespace
) -> tuple[es.Network, TrainConfig, float]:
    """A network, trained now or found in its folder, and its settings and test accuracy."""
    bip = TrainConfig().bip if arch == "scsr+bip" else ()
    config = TrainConfig(epochs=options.epochs, seed=seed, bip=bip, batch_size=BATCH)
    part = load(data, "train", options.samples)
    net = network(arch, part.stream.n_channels, len(part.class_names), seed)
    home = options.folder / f"{data}-{arch}-{seed}"
    resume = (home / "checkpoint.npz").exists()
    result = train(net, part, config, home, resume=resume, callback=Progress())
    tested = evaluate(result.net, load(data, "test", options.samples), config)
    return result.net, config, tested.accuracy


def priced(
    net: es.Network, tape: es.SpikeTape, counts: Counts, chip_name: str
) -> Iterable[tuple[str, Any]]:
    """Energy on one chip, term by term, with its mapping where the chip has limits."""
    chip = load_chip(chip_name)
    mapped = None
    if chip.limits is not None:
        try:
            mapping = map_network(net, tape, chip, method="refined")
        except EventSimError as error:
            yield "not_mapped", str(error)
        else:
            mapped = mapping.counts()
            yield "cores", mapping.n_cores
            yield "hops_per_sample", (mapped["hop_ew"] + mapped["hop_ns"]) / counts.n_samples
    step = STEP_MS if chip.step_ms is None else chip.step_ms
    found = energy(counts, chip, clocked=clocked(net, tape, step_ms=step), mapped=mapped)
    yield "step_ms", step
    yield "total_uj", found.total_pj / PJ_PER_UJ
    yield "leakage_uj", found.part_pj("time") / PJ_PER_UJ
    yield "terms_uj", {t.term.name: float(t.energy_pj.mean()) / PJ_PER_UJ for t in found.terms}
    yield "missing", [missing.name for missing in found.missing]


def measure(data: str, arch: str, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per chip."""
    net, _, accuracy = trained(data, arch, seed, options)
    tape = es.simulate(net, load(data, "test", COUNTED).stream)
    counts = count(net, tape)
    common = {
        "bench": "costs",
        "data": data,
        "architecture": arch,
        "seed": seed,
        "epochs": options.epochs,
        "train_samples": options.samples,
        "test_accuracy": accuracy,
        "spikes_per_sample": sum(float(counts.spikes[n].mean()) for n in counts.spiking),
        "rates_hz": counts.rates,
        "synaptic_events_per_sample": sum(
            float(events.mean()) for events in counts.synaptic_events.values()
        ),
        "silent_share": counts.silent_share,
        "parameters_bytes": counts.footprint.total,
    }
    return [common | {"chip": c} | dict(priced(net, tape, counts, c)) for c in options.chips]


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Energy per sample without leakage, by chip: data sets in panels, architectures in colours."""
    data = list(dict.fromkeys(row["data"] for row in rows))
    chips = list(dict.fromkeys(row["chip"] for row in rows))
    drawn = figure(3.6 * len(data), 3.6)
    for axes, name in zip(np.atleast_1d(drawn.subplots(1, len(data))), data, strict=True):
        for k, arch in enumerate(dict.fromkeys(row["architecture"] for row in rows)):
            mine = [r for r in rows if r["data"] == name and r["architecture"] == arch]
            found = [
                [r["total_uj"] - r["leakage_uj"] for r in mine if r["chip"] == c] for c in chips
            ]
            where = np.arange(len(chips)) + 0.12 * (k - 2)
            means = np.array([np.mean(values) for values in found])
            spread = [means - [min(v) for v in found], [max(v) for v in found] - means]
            axes.errorbar(where, means, spread, fmt="o", ms=4, color=POPULATIONS[k], label=arch)
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(range(len(chips)), chips, rotation=30, ha="right")
        axes.set_title(name)
    drawn.axes[0].set_ylabel("µJ per sample, without leakage")
    handles, labels = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=5)
    return drawn


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over the seeds of what fits a line."""
    keys = dict.fromkeys((row["data"], row["architecture"]) for row in rows)
    lines = []
    for data, arch in keys:
        mine = [r for r in rows if (r["data"], r["architecture"]) == (data, arch)]
        numbers = ("test_accuracy", "spikes_per_sample", "synaptic_events_per_sample")
        line = {"bench": "costs, mean over seeds", "case": f"{data}, {arch}"}
        line |= {name: float(np.mean([r[name] for r in mine])) for name in numbers}
        for chip in dict.fromkeys(r["chip"] for r in mine):
            energies = [r["total_uj"] - r["leakage_uj"] for r in mine if r["chip"] == chip]
            line[f"{chip}_uj"] = float(np.mean(energies))
        lines.append(line)
    return lines


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--data", nargs="+", default=DATA)
    words.add_argument("--architectures", nargs="+", choices=ARCHITECTURES, default=ARCHITECTURES)
    words.add_argument("--chips", nargs="+", default=CHIPS)
    words.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    words.add_argument("--epochs", type=int, default=5)
    words.add_argument("--samples", type=int, default=600, help="of each split at most")
    words.add_argument("--folder", type=Path, default=Path("runs/costs"))
    words.add_argument("--figure", type=Path, help="default: results/NAME.png with --save NAME")
    return words.parse_args()


def main() -> None:
    """Train what is missing, count, price, and show."""
    options = _options()
    rows = [
        row
        for data in options.data
        for arch in options.architectures
        for seed in options.seeds
        for row in measure(data, arch, seed, options)
    ]
    picture = options.figure or (options.save and RESULTS / f"{options.save}.png")
    if picture:
        draw(rows).savefig(picture, dpi=DPI)
    if options.save:
        save(rows, options.save)
    options.save = None
    report(rows if options.json else table(rows), options)


if __name__ == "__main__":
    main()
