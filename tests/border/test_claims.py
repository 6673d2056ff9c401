"""What README, docs and --help say the program can and cannot do, held against what it does.

A claim is a sentence of a page and a probe that runs what it says. A sentence that changes or goes
fails, and so does a capability that a part of the program loses or gains. All that README says is
not there yet has to be a claim, and every sentence that limits thresholds that adapt, linear
decisions, or what runs on a GPU.
"""

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.cli.gradcheck import random_network
from eventsim.clocked import from_network
from eventsim.conformance import case_names
from eventsim.engine.contract.registry import available_backends, using_backend
from eventsim.errors import EventSimError
from eventsim.mapping import Mapping, axon_graph, export_sanafe, quantise
from eventsim.network.nir import NirWarning, from_nir, to_nir
from eventsim.network.parts import ADAPTIVE, PARAMETERS
from eventsim.ranks import simulate_ranks
from eventsim.train import CrossEntropy, SpiKL, TrainConfig, VoltageCrossEntropy
from tests.border.prose import COMMAND, FENCE, PAGES, ROOT
from tests.gpu.test_gates import A_FEW_NUMBERS, SPILLED

BACKENDS = ("reference", "cpu", "cuda")
NEURON = {
    "tau_mem", "tau_syn", "resistance", "v_leak", "threshold", "v_reset", "refractory",
}  # fmt: skip


def events():
    rng = np.random.default_rng(5)
    sample = np.sort(rng.uniform(0.0, 60.0, 90)), rng.integers(0, 4, 90)
    return es.EventStream.from_samples([sample], n_channels=4, duration=60.0)


def scsr(**options):
    return es.scsr(4, (6,), 2, mean=6.0, **options)


def adaptive():
    return scsr(alif=(0.3, 50.0))


def decided():
    net = scsr()
    net.decide("output", np.ones((2, 3)))
    return net


def refused(work, *names):
    """Run what must end with an error that names something."""
    with pytest.raises(EventSimError) as told:
        work()
    assert all(name in str(told.value) for name in names), told.value


def cross_entropy(at=None):
    return VoltageCrossEntropy(np.array([1]), at=at) if at else CrossEntropy(np.array([1]))


def gradients(net, backend="cpu"):
    tape = es.simulate(net, events(), backend=backend)
    assert tape["hidden1"].times.size
    return es.backward(net, tape, cross_entropy()).flat()


def by_chunk(net, backend, loss=None):
    tapes = list(es.simulate_chunks(net, events().chunks(20.0), backend=backend))
    later, total = None, 0.0
    for tape in reversed(tapes):
        found, later = es.backward_chunk(net, tape, loss or cross_entropy(), later)
        total = total + np.abs(found.flat()["hidden1.tau_mem"])
    return total


# Probes: each runs what a claim says. Backends stand in them by name.


def every_gradient():
    found = gradients(scsr())
    wanted = {f"hidden1.{name}" for name in NEURON}
    for ends in ("input->hidden1", "hidden1->hidden1", "hidden1->output"):
        wanted |= {f"{ends}.weights", f"{ends}.delays"}
    assert wanted <= found.keys()
    sparse = es.rsnn(4, (6,), 2, mean=6.0, lateral=es.RandomLateral(in_degree=3))
    assert gradients(sparse)["hidden1->hidden1.weights"].size == 18
    net = scsr()
    assert es.backward(net, es.simulate(net, events()), cross_entropy()).input_times.size == 90


def kinds_of_networks():
    for net in (scsr(), es.rsnn(4, (6,), 2), es.convolutional(4, (2,), 2, output_maps=2)):
        assert len(es.simulate(net, events(), backend="cpu").names)


def kinds_of_neurons():
    for neuron in (None, es.AdLIF(), es.Resonator()):
        assert len(es.simulate(scsr(neuron=neuron), events(), backend="cpu").names)
    assert es.LinearNeuron.__doc__


def loops_run_everywhere():
    net = es.rsnn(4, (5, 5), 2, delays=(1.0, 3.0), mean=6.0)
    net.connect("hidden2", "hidden1", np.full((5, 5), -0.05), delays=2.0)
    for backend in BACKENDS:
        assert np.any(gradients(net, backend)["hidden1->hidden1.weights"])
    assert all(np.any(by_chunk(net, backend)) for backend in ("cpu", "cuda"))


def thresholds_adapt_everywhere():
    assert set(ADAPTIVE) == {"adaptation", "tau_adaptation"}
    found = [gradients(adaptive(), backend) for backend in BACKENDS]
    for name in ADAPTIVE:
        values = [one[f"hidden1.{name}"] for one in found]
        assert np.any(values[0])
        assert values[1] == pytest.approx(values[0], rel=1e-6)
        assert values[2] == pytest.approx(values[0], rel=1e-6)


def thresholds_adapt_in_chunks():
    assert all(np.any(by_chunk(adaptive(), backend)) for backend in ("cpu", "cuda"))
    assert (
        len(list(es.simulate_chunks(adaptive(), events().chunks(20.0), backend="reference"))) == 3
    )
    refused(lambda: by_chunk(adaptive(), "reference"), "whole runs only")


def others_refuse_thresholds_that_adapt():
    net = adaptive()
    refused(lambda: simulate_ranks(net, events()), "adaptive threshold")
    refused(lambda: from_network(net), "adaptive threshold")
    refused(lambda: SpiKL(resistance=0.1).check(net), "adaptive threshold")
    mapping = Mapping.__new__(Mapping)  # the network is refused before it is read
    refused(lambda: export_sanafe(net, mapping, events(), ".", step_ms=1.0), "adaptive threshold")
    only_bits_are_rounded()
    pytest.importorskip("nir", minversion="1.0.8")
    with pytest.warns(NirWarning, match="adaptive"):
        graph = to_nir(net)
    assert from_nir(graph).populations["hidden1"].is_adaptive
    refused(lambda: to_nir(net, target="norse", dt=1.0), "adaptive", "lossy")


def only_bits_are_rounded():
    for net, what in ((adaptive(), "adaptive threshold"), (decided(), "linear decision")):
        refused(lambda net=net: quantise(net, load_chip("loihi")), what)
        assert len(np.unique(quantise(net, 2).net.projections["input->hidden1"].weights)) <= 3
    net = decided()
    net.decide("output", [[1.0, 0.3, -0.2], [0.1, 0.2, 0.6]])
    assert set(np.unique(quantise(net, 2).net.decision.weights)) <= {-1.0, 0.0, 1.0}


def decisions_are_refused():
    net = decided()
    refused(lambda: axon_graph(net, None), "linear decision")
    refused(lambda: from_network(net), "linear decision")
    if find_spec("torch"):
        refused(lambda: import_module("eventsim.bridge").torch_module(net), "linear decision")
    pytest.importorskip("nir", minversion="1.0.8")
    with pytest.warns(NirWarning, match="refractory.*linear decision"):
        graph = to_nir(net)
    with pytest.warns(NirWarning, match="refractory"):
        assert graph.nodes.keys() == to_nir(scsr()).nodes.keys()
    refused(lambda: to_nir(net, target="norse", dt=1.0), "linear decision", "lossy")
    assert np.array_equal(from_nir(graph).decision.weights, net.decision.weights)


def chunks_have_gradients_but_of_voltages():
    assert not any("chunk" in name for name in vars(TrainConfig()))
    for backend in ("cpu", "cuda"):
        whole = gradients(scsr(), backend)
        assert np.any(whole["hidden1.tau_mem"])
        assert np.any(by_chunk(scsr(), backend))
        for at in ("last", "maximum"):
            refused(lambda at=at, to=backend: by_chunk(scsr(), to, cross_entropy(at)), "chunk")
    refused(lambda: by_chunk(scsr(), "reference"), "whole runs only")


def neurons_are_lif():
    assert PARAMETERS.keys() == {"input", "spiking", "readout"}
    assert set(PARAMETERS["spiking"]) == NEURON
    assert not any("surrogate" in name for name in vars(TrainConfig()))
    thresholds_adapt_everywhere()
    linear = scsr(neuron=es.AdLIF())
    assert es.simulate(linear, events(), backend="cpu").stream.n_samples == 1
    assert es.simulate(linear, events(), backend="cuda").stream.n_samples == 1
    loop = es.rsnn(linear.input.size, (3,), 2, neuron=es.AdLIF())
    assert es.simulate(loop, events(), backend="cuda").stream.n_samples == 1


def silent_neurons_have_no_gradient():
    net = scsr()
    net.populations["hidden1"].threshold[0] = 1e3
    found = gradients(net)["input->hidden1.weights"]
    assert not np.any(found[:, 0])
    assert np.any(found[:, 1:])
    config = TrainConfig()
    assert min(config.clip_norm, config.rate_strength, config.silent_lift) > 0.0


def gradcheck_asks_of_all_but_adaptation():
    net = random_network(np.random.default_rng(0), 5)
    assert set(net.populations["hidden1"].parameters) == NEURON


def conformance_has_134_cases():
    assert len(case_names()) == 134


def registers_spill_as_the_gates_allow():
    assert SPILLED == {"sm_100": 8, "sm_120": 8}
    assert A_FEW_NUMBERS == 128


def no_card_has_run_it():
    assert list((ROOT / "bench" / "results").glob("gpu-*")) == []


def backends_are_these():
    assert set(BACKENDS) <= set(available_backends())


class Claim(NamedTuple):
    """A sentence, as it stands on a page or in the help of a command; what runs it."""

    page: str
    sentence: str
    probe: Any


CLAIMS_OF = {
    "README.md": {
        "The exact adjoint gives those of weights (dense or sparse), self-weights, delays, "
        "tau_mem, tau_syn, resistance, threshold, leak, reset, refractory time, and the input "
        "times.": every_gradient,
        "Populations with self-recurrent and skip connections (ScSr-SNN, "
        "[arXiv 2010.12691](https://arxiv.org/abs/2010.12691)), lateral recurrence, "
        "convolutions.": kinds_of_networks,
        "Neurons are leaky integrate-and-fire, or any that are linear between events: AdLIF, "
        "resonators, your own.": kinds_of_neurons,
        "`eventsim gradcheck` compares the gradients with finite differences; "
        "`eventsim conformance` runs 134 networks whose spike times are known "
        "exactly.": conformance_has_134_cases,
        "**It has not run on a GPU yet.** The tests run the CUDA kernels on a host build. "
        "Machine code on a card, NCCL and all timings there are untested.": no_card_has_run_it,
        "Training takes whole recordings. On a stream without an end you get gradients "
        "[by chunks](docs/howto/chunks.md) and bring your own optimiser. Losses of "
        "voltages have no gradients by chunks.": chunks_have_gradients_but_of_voltages,
        "Neurons are leaky integrate-and-fire, with thresholds that adapt if you like, or linear "
        "between their events (receptors, AdLIF, resonators, your own): no "
        "conductances, no adaptive exponential neurons, no surrogate gradient.": neurons_are_lif,
        "Exact gradients do not see that a spike appears or vanishes. They grow without "
        "bound where a voltage only just reaches its threshold. Training clips the "
        "gradient norm. A rate band and a lift of silent neurons make neurons "
        "fire.": silent_neurons_have_no_gradient,
        "A linear decision (`net.decide`) cannot be mapped, trained on a grid of time, or "
        "used as a torch module. NIR keeps it as metadata only.": decisions_are_refused,
    },
    "docs/faq.md": {
        "LIF with an exponential synaptic current, its threshold fixed or "
        "[adaptive](explanation/model.md#adaptive-threshold) (ALIF), and readouts without a "
        "threshold. Every parameter may differ between neurons and is trainable. [Neurons that "
        "are linear between their events](explanation/linear_neurons.md) are there too: several "
        "receptors, AdLIF, resonators, and equations of your own. Equations that are not linear "
        "are not there.": neurons_are_lif,
        "self-recurrence, lateral connections, and loops over several populations, "
        "with any delays. They simulate and train. Loops run in chunks too, without "
        "end.": loops_run_everywhere,
        "CUDA kernels exist, but [have not run on a card "
        "yet](howto/install.md#when-the-gpu-is-not-found).": no_card_has_run_it,
        "Nothing was measured on a GPU.": no_card_has_run_it,
    },
    "docs/howto/install.md": {
        "**Not yet run on a GPU.** eventsim's CUDA code has never run on a "
        "card.": no_card_has_run_it,
        "Registers are spilled only by `shared_backward` in double precision: 8 bytes a "
        "thread on sm_100 and sm_120, and 100 to 128 on all cards with adaptive "
        "thresholds.": registers_spill_as_the_gates_allow,
    },
    "docs/howto/speed.md": {
        "**There are no timings on a card yet**": no_card_has_run_it,
    },
    "docs/howto/gpus.md": {
        "**NCCL itself was never run, and nothing here was run on a cluster.**": no_card_has_run_it,
    },
    "docs/howto/chunks.md": {
        "Losses of voltages and of largest voltages need the whole recording, and so does the "
        "backend `reference`.": chunks_have_gradients_but_of_voltages,
    },
    "docs/howto/chip.md": {
        "A linear decision and adaptive thresholds are in no chip's file: such networks are "
        "trained with `--quantise-bits` alone, which rounds the decision's weights as "
        "well.": only_bits_are_rounded,
    },
    "docs/howto/costs.md": {
        "A linear decision (`net.decide`) cannot be mapped.": decisions_are_refused,
    },
    "docs/howto/frontier.md": {
        "A network with a [linear decision](costs.md#a-linear-decision) does not fit on a "
        "chip.": decisions_are_refused,
    },
    "docs/howto/pytorch.md": {
        "A network with a linear decision (`net.decide`) makes no module.": decisions_are_refused,
    },
    "docs/howto/other_programs.md": {
        "| adaptive thresholds | lossy | lossy | lossy | lossy "
        "|": others_refuse_thresholds_that_adapt,
        "| a linear decision | lossy | lossy | lossy | lossy |": decisions_are_refused,
    },
    "docs/howto/backend.md": {
        "| `auto` | `cuda` where a device can be used, else `cpu` |": backends_are_these,
    },
    "docs/explanation/adjoint.md": {
        "`eventsim gradcheck` does this for every kind of parameter of a random network, "
        "except those of adaptive thresholds.": gradcheck_asks_of_all_but_adaptation,
    },
    "docs/explanation/decisions.md": {
        "current-based LIF, with thresholds that stay or adapt, and neurons that are linear "
        "between their events. No conductances, no adaptive exponential "
        "neurons.": neurons_are_lif,
    },
    "docs/explanation/model.md": {
        "All backends run such neurons, whole or in chunks, with gradients; those by chunk need "
        "`cpu` or `cuda`.": thresholds_adapt_in_chunks,
        "MPI, training on a grid, SpiKL-IP, SANA-FE and chips with formats of numbers "
        "refuse them; weights alone are rounded. NIR has no such node: the "
        "parameters stand in its metadata, and for another program it takes "
        "`--lossy`.": others_refuse_thresholds_that_adapt,
    },
    "eventsim gradcheck --help": {
        "its thresholds do not adapt": gradcheck_asks_of_all_but_adaptation,
    },
    "eventsim simulate --backend": {
        "auto (cuda where there is a device, else cpu), cuda, cpu, or reference (slow, the "
        "definition).": backends_are_these,
    },
}
CLAIMS = [Claim(page, *one) for page, claims in CLAIMS_OF.items() for one in claims.items()]

SUBJECT = re.compile(
    r"adaptive threshold|thresholds? (that|do not) adapt|\bALIF\b|linear decision|net\.decide|"
    r"\bon an? (GPU|card)\b|\bthe GPU\)|\bon `cuda`",
    re.IGNORECASE,
)
LIMIT = re.compile(
    r"\b(not|no|none|nobody|never|cannot|refuse[sd]?|only|without|but|except|left out|lossy|yet)\b"
)
# Sentences of these words that limit nothing that the program can do.
OTHERWISE = (
    "CuPy does not find cuBLAS",
    "such as a linear decision",
    "The tests run the text of the kernels on a host build",
    "is a whole network of this kind",
)


def flat(text):
    """A page without blocks of code, in lines without marks of lists, in one line."""
    text = FENCE.sub("\n\n", text)
    return " ".join(re.sub(r"^\s*[*-] ", "", text, flags=re.MULTILINE).split())


def pages():
    """All that is read: README, pages that are no measurements, help of commands and options."""
    found = {"README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        if "/contributing/" not in name and name != "docs/benchmarks.md":
            found[name] = page.read_text(encoding="utf-8")
    return found | dict(helps(COMMAND, "eventsim"))


def helps(command, name):
    """The help of a command, of its options, and of the commands in it."""
    yield f"{name} --help", command.help or ""
    for option in command.params:
        yield f"{name} {option.opts[0]}", getattr(option, "help", None) or ""
    for inner in getattr(command, "commands", {}).values():
        yield from helps(inner, f"{name} {inner.name}")


def sentences(text):
    """Sentences and rows of tables."""
    for part in re.split(r"\n\s*\n|\n(?=\s*[*-] |\|)", FENCE.sub("\n\n", text)):
        yield from re.split(r"(?<=[.:;!?])\*{0,2} (?=[A-Z`\[*{])", flat(part))


PAGES_BY_NAME = {name: flat(text) for name, text in pages().items()}
SENTENCES = {name: list(sentences(text)) for name, text in pages().items()}


def unclaimed(text, claims):
    """What is left of a text without the sentences of its claims."""
    for claim in claims:
        text = text.replace(claim.sentence, "")
    return text.strip()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}: {claim.sentence[:50]}")
def test_claim_stands_on_its_page(claim):
    assert claim.sentence in PAGES_BY_NAME[claim.page]


PROBES = {claim.probe.__name__: claim.probe for claim in CLAIMS}
LOST = [
    ("cpu", "CpuBackend", neurons_are_lif),
    ("cuda.backend", "CudaBackend", neurons_are_lif),
    ("cuda.backend", "CudaBackend", thresholds_adapt_in_chunks),
]


@pytest.mark.parametrize("probe", PROBES)
def test_claim_is_what_the_program_does(probe, host_cuda, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with using_backend("cuda", host_cuda):
        PROBES[probe]()


def test_all_that_readme_says_is_not_there_is_claimed():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## What it cannot do yet\n(.*?)\n## ", text, re.DOTALL)
    assert unclaimed(flat(section), [c for c in CLAIMS if c.page == "README.md"]) == ""


def test_sentences_that_limit_thresholds_decisions_and_cards_are_claimed():
    found = []
    for page, all_of_it in SENTENCES.items():
        claims = [claim.sentence for claim in CLAIMS if claim.page == page]
        for sentence in all_of_it:
            known = any(sentence in claim or claim in sentence for claim in claims)
            told = SUBJECT.search(sentence) and LIMIT.search(sentence)
            if told and not known and not any(words in sentence for words in OTHERWISE):
                found.append(f"{page}: {sentence}")
    assert found == []


@pytest.mark.parametrize(("backend", "name", "probe"), LOST)
def test_capability_that_a_backend_loses_fails_its_claim(
    backend, name, probe, host_cuda, monkeypatch
):
    kind = getattr(import_module(f"eventsim.engine.{backend}"), name)
    monkeypatch.setattr(kind, "runs", kind.runs - {"adaptive"})
    with using_backend("cuda", host_cuda), pytest.raises(EventSimError, match="adaptive"):
        probe()


def test_capability_that_is_gained_fails_the_claim_that_it_is_not_there(monkeypatch, host_cuda):
    monkeypatch.setattr("eventsim.hardware.graph.require", lambda *_, **__: None)
    with using_backend("cuda", host_cuda), pytest.raises((pytest.fail.Exception, AssertionError)):
        decisions_are_refused()
