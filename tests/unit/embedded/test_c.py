"""The network as C against backend cpu, to the bit."""

import shutil
import subprocess
from ctypes import c_double
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.embedded import source
from eventsim.plan import make_plan
from tests.support.embedded import Compiled, assert_same
from tests.support.linear_neurons import dense_layer, random_network, two_kinds_in_a_loop
from tests.support.nets import (
    lateral_net,
    random_net,
    random_stream,
    ring_net,
    shared_net,
    two_kinds_net,
    with_adaptation,
)
from tests.support.tiers import beyond

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[3]


def recordings(seed, *, n_channels=5, duration=150.0, rounded=1, burst=0):
    """Two recordings in which some events are simultaneous; ``burst`` of them come within a ms."""
    rng, parts = np.random.default_rng(seed), []
    for n in rng.integers(60, 250, 2):
        some = np.concatenate([rng.uniform(0.0, duration, n), rng.uniform(70.0, 71.0, burst)])
        times = np.round(np.sort(some), rounded)
        parts.append((times, rng.integers(0, n_channels, times.size)))
    return es.EventStream.from_samples(parts, n_channels=n_channels, duration=duration)


def answering(net, rule="integral", population="output", **values):
    """The network, which answers so."""
    net.set_answer(es.Answer(rule=rule, population=population, **values))
    return net


def layers(seed, rule="integral", **options):
    """A random network with skips and refractory times."""
    return answering(random_net(seed, hidden=(6, 33), self_delays="none", **options), rule)


def blocks(seed):
    """Layers in several blocks, each with refractory times of its own."""
    net, rng = es.convolutional(96, (4, 3), 3, mean=9.0, seed=seed), np.random.default_rng(seed)
    assert [len(stage.heard) for stage in make_plan(net).stages] == [6, 1, 1]
    for population in net.spiking.values():
        population.refractory[:] = rng.uniform(0.0, 10.0, population.size)
    return net


def side_by_side(seed):
    """Two blocks of linear neurons that all hear the same, half of them refractory.

    The neuron of an odd seed is one of one's own, in five states, or has three receptors.
    """
    net = dense_layer(("adlif", "cable", "resonator", "receptors")[seed % 4])
    net.add_readout("output", 3)
    net.connect("h", "output", np.random.default_rng(seed).normal(0, 1, (70, 3)))
    return answering(net)


def scattered_loop(seed, neuron=None):
    """A loop by windows in which some channels, and some neurons, have no synapse."""
    rng, net = np.random.default_rng(seed), es.Network()
    net.add_input("input", 12)
    net.add_population("h", 40, neuron=neuron)
    for sender, size, gain in (("input", 12, 1.5), ("h", 40, 0.3)):
        weights = rng.normal(gain / 3, gain, (size, 40))
        weights[rng.random(size) < 0.2] = 0.0
        net.connect(sender, "h", scipy.sparse.csr_array(weights), delays=1.0)
    net.add_readout("output", 3)
    net.connect("h", "output", rng.normal(0.0, 1.0, (40, 3)))
    loop = make_plan(net).stages[0]
    assert loop.shares_events
    assert (np.diff(loop.wiring.out_start) == 0).any()
    return answering(net)


def linear_loop(seed):
    """Two kinds of linear neurons in a loop by windows, of which LIF neurons would run by sums."""
    net = two_kinds_in_a_loop(seed, 24)
    return answering(net, ("first_spike", "spike_count")[seed % 2], "b")


KINDS = {
    "stretches, delays of sources": lambda k: layers(k, delays="source"),
    "stretches, rest above threshold": lambda k: layers(k, delays="none", pacemakers=True),
    "stretches, equal time constants": lambda k: layers(k, "last", delays="none", tau_ratio=1.0),
    "stretches, adaptive": lambda k: answering(
        es.scsr(5, (12, 20), 4, mean=6.0, alif=(0.4, 40.0), seed=k), "maximum"
    ),
    "blocks, decision": lambda k: answering(blocks(k), "maximum"),
    "fan-in": lambda k: answering(
        random_net(k, hidden=(6, 9), delays="synapse", self_delays="neuron"), onset="first_event"
    ),
    "fan-in, sparse, adaptive": lambda k: answering(
        with_adaptation(random_net(k, hidden=(6, 29), sparse=True, delays="source")), "last"
    ),
    "queue": lambda k: answering(lateral_net(k)),
    "queue, ring, adaptive": lambda k: answering(with_adaptation(ring_net(k))),
    "queue, no delay": lambda k: answering(es.rsnn(5, (12,), 3, delays=0.0, mean=4.0, seed=k)),
    "windows": lambda k: answering(es.rsnn(5, (24,), 3, delays=1.0, mean=4.0, seed=k)),
    "windows, adaptive": lambda k: answering(
        with_adaptation(es.rsnn(5, (24,), 3, delays=1.0, mean=4.0, seed=k))
    ),
    "windows, counts": lambda k: answering(shared_net(k, 40), "spike_count", "hidden"),
    "windows, neurons without synapses": scattered_loop,
    "first spikes": lambda k: answering(
        es.scsr(5, (12,), 3, mean=6.0, output="spiking", seed=k), "first_spike"
    ),
    "linear, side by side": side_by_side,
    "linear, skips, maximum": lambda k: answering(
        es.scsr(5, (12, 20), 4, mean=6.0, neuron=es.AdLIF(a=0.5, b=0.2), seed=k), "maximum"
    ),
    "linear, loop": linear_loop,
    "linear, loop, neurons without synapses": lambda k: scattered_loop(k, es.AdLIF(a=0.5, b=0.2)),
    "linear, kinds mixed": lambda k: answering(
        random_network(np.random.default_rng(k + 8))[0], population="out", onset="first_event"
    ),
}
QUICK = (
    "stretches, delays of sources", "blocks, decision", "fan-in, sparse, adaptive", "windows",
    "windows, neurons without synapses", "linear, side by side",
    "linear, loop, neurons without synapses", "linear, kinds mixed",
)  # fmt: skip
COMPILERS = ("gcc -std=c99", "clang -std=c99")
# Clang's runtime of the sanitizer is in no shared library: what is undefined traps.
UNDEFINED = "-O1 -fsanitize=undefined -fsanitize-undefined-trap-on-error"
FLAGS = ("-O0", "-O3", "-O2 -mfma", UNDEFINED)


@pytest.mark.parametrize("kind", QUICK)
def test_spikes_and_answers_of_the_c_text_are_those_of_cpu_to_the_bit(kind, tmp_path):
    net = KINDS[kind](1)
    assert assert_same(net, recordings(1, n_channels=net.input.size, burst=80), tmp_path) > 100


@pytest.mark.nightly("a compiler for each of some hundred networks")
@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("kind", list(KINDS))
def test_random_networks_have_the_bits_of_cpu_by_any_compiler(kind, seed, tmp_path):
    net, compiler = KINDS[kind](seed), COMPILERS[seed % 2]
    if shutil.which(compiler.split()[0]) is None:
        compiler = COMPILERS[0]
    given = recordings(seed, n_channels=net.input.size, rounded=(1, 2, 6)[seed % 3])
    try:
        assert_same(net, given, tmp_path, flags=FLAGS[seed // 2 % 4], compiler=compiler)
    except es.errors.RunawayError:
        pytest.skip("it runs away")


@pytest.mark.nightly("a compiler for each kind")
@pytest.mark.parametrize("kind", list(KINDS))
def test_its_own_test_passes_under_sanitizers(kind, tmp_path):
    net = KINDS[kind](2)
    es.export_c(net, tmp_path, stream=recordings(2, n_channels=net.input.size), name="one")
    flags = "CFLAGS=-std=c99 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover"
    done = subprocess.run(
        ["make", "-s", "-B", "-C", tmp_path, "test", flags], capture_output=True, text=True
    )
    assert "equal to the bit." in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "saved"), [("stretches, equal time constants", 3000), ("linear, loop", 2000)]
)
def test_weights_of_four_bits_are_stored_so_and_answer_as_the_rounded_network(
    kind, saved, tmp_path
):
    net = KINDS[kind](2)
    stream = recordings(2, n_channels=net.input.size)
    full = es.export_c(net, tmp_path, stream=stream)
    rounded = es.mapping.quantise(net, 4).net
    assert assert_same(rounded, stream, tmp_path, bits=4) > 100
    assert es.export_c(net, tmp_path, stream=stream, bits=4).flash < full.flash - saved


def test_formulas_of_the_c_text_have_the_bits_of_the_headers(tmp_path):
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-fno-math-errno"]
    built = tmp_path / "twin"
    subprocess.run(["g++", *flags, f"-I{ROOT}", HERE / "twin.cpp", "-o", built], check=True)
    done = subprocess.run([built], capture_output=True, text=True)
    assert done.stdout.startswith("0 of "), done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network as C, of LIF neurons and others, and its folder."""
    folder = tmp_path_factory.mktemp("exported")
    net = es.scsr(5, (12,), 3, mean=6.0, self_recurrent=True)
    net.add_population("beside", 6, neuron=es.AdLIF(a=0.5, b=0.2))
    net.connect("input", "beside", np.random.default_rng(1).normal(2.0, 1.0, (5, 6)))
    net.set_answer(es.Answer(class_names=("a", "b", "c")))
    return folder, es.export_c(net, folder, stream=recordings(3), name="small")


def test_its_own_test_passes_by_make(exported):
    folder, written = exported
    done = subprocess.run(["make", "-s", "-C", folder, "test"], capture_output=True, text=True)
    assert f"2 recordings, {written.spikes} spikes: equal to the bit." in done.stdout, done
    assert f"RAM {written.ram} bytes" in done.stdout
    assert set(written.files) <= {str(p.relative_to(folder)) for p in folder.rglob("*")}


def test_a_build_that_changes_numbers_is_refused_or_equal(exported, tmp_path):
    folder = shutil.copytree(exported[0], tmp_path / "fast")
    # A shared library linked so would have this process round subnormal numbers to 0, for good.
    fast = ["make", "-s", "-B", "-C", folder, "test", "CFLAGS=-std=c99 -O1 -ffast-math"]
    done = subprocess.run(fast, capture_output=True, text=True)
    assert done.returncode != 0
    assert "The build is refused" in done.stdout + done.stderr
    contracted = Compiled(folder, "small", "-O1 -mfma -ffp-contract=fast")
    if contracted.library.drive_init() != 5:
        given = recordings(3)[:1].times, recordings(3)[:1].channels, 150.0, 3
        found, plain = contracted.run(*given), Compiled(folder, "small").run(*given)
        for values, expected in zip(found, plain, strict=True):
            np.testing.assert_array_equal(values, expected)


def test_wrong_events_are_told_and_not_taken(exported):
    small = Compiled(exported[0], "small").library
    assert small.drive_init() == 0
    assert small.drive_push(c_double(2.0), 1) == 0
    assert small.drive_push(c_double(1.0), 1) == 3, "late"
    assert small.drive_push(c_double(2.0), 5) == 4, "no such channel"
    assert small.drive_push(c_double(float("nan")), 1) == 4
    assert [small.drive_push(c_double(2.0), 1) for _ in range(200)][-1] == 2, "full"
    assert small.drive_push(c_double(3.0), 1) == 2
    small.drive_reset()
    assert small.drive_push(c_double(1.0), 1) == 0


SANITIZED = "-g -fsanitize=address,undefined -fno-sanitize-recover"
STRICT = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-qual -Wstrict-prototypes -Werror"


@pytest.mark.crossed("a program under sanitizers for each kind", test=0, all=1)
@pytest.mark.parametrize(
    "kind",
    beyond(
        len(QUICK),
        [*QUICK, *(kind for kind in KINDS if kind not in QUICK)],
        pytest.mark.nightly("as test_its_own_test_passes_under_sanitizers, of other kinds"),
    ),
)
def test_a_users_program_is_told_what_is_wrong_or_too_much(kind, tmp_path):
    net = KINDS[kind](1)
    stream = recordings(1, n_channels=net.input.size, duration=100.0, burst=300)
    es.export_c(net, tmp_path, stream=stream, name="one")
    command = ["gcc", "-std=c99", "-O1", "-ffp-contract=off", *SANITIZED.split(), *STRICT.split()]
    sources = ["one.c", "one_weights.c", HERE / "user.c", "-lm", "-o", "user"]
    subprocess.run([*command, f"-I{tmp_path}", *sources], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "user"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-2]) > 100


def test_a_program_in_cpp_takes_the_header_twice_and_links(exported):
    folder, _ = exported
    text = '#include "small.h"\n#include "small.h"\nstatic small_t net;\n'
    (folder / "user.cpp").write_text(text + "int main() { return small_init(&net); }\n")
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run(["make", "-s", "-C", folder], check=True)
    built = ["g++", *strict, "user.cpp", "libsmall.a", "-o", "user"]
    subprocess.run(built, cwd=folder, check=True)
    assert subprocess.run([folder / "user"]).returncode == 0


def test_populations_that_are_equal_in_capitals_have_macros_of_their_own(tmp_path):
    net = one_layer(2)
    net.add_population("H", 2)
    net.connect("input", "H", np.ones((5, 2)))
    net.add_population("i", 2)
    net.connect("H", "i", np.ones((2, 2)))
    es.export_c(net, tmp_path, stream=recordings(1), name="one")
    text = (tmp_path / "one.h").read_text("utf-8")
    told = {line.split()[1]: line.split()[2] for line in text.splitlines() if "POPULATION_" in line}
    assert told["ONE_POPULATION_H_1"] == "1"
    assert told["ONE_POPULATION_H_2"] == "2"
    assert told["ONE_POPULATION_I"] == "3"


def one_layer(size, **values):
    """AdLIF neurons that are equal, but in their weights."""
    net = es.Network()
    net.add_input("input", 5)
    net.add_population("h", size, neuron=es.AdLIF(**values))
    net.connect("input", "h", np.random.default_rng(1).normal(2.0, 1.0, (5, size)))
    return answering(net, "spike_count", "h")


def test_equal_linear_neurons_share_a_table_and_the_footprint_has_their_work(tmp_path):
    few, many = (es.export_c(one_layer(n), tmp_path, stream=recordings(1)) for n in (2, 20))
    by_neuron = 4 * 5 + 4 + 8 + 2  # weights, start, delay or its zero, table of a neuron
    assert many.flash - few.flash <= 18 * by_neuron
    assert many.flops_linear == 10 * few.flops_linear > 1000
    assert f"{many.flops_linear:,} operations" in (tmp_path / "README.md").read_text("utf-8")


def test_linear_neurons_after_a_long_silence_in_one_of_two_recordings_have_the_bits_of_cpu(
    tmp_path,
):
    """Tables are good for the longest; and one of six neurons has no connection to itself."""
    net, rng, parts = one_layer(6, a=0.5, b=0.2, tau_w=900.0), np.random.default_rng(2), []
    weights = -np.arange(6) * 0.3
    net.connect("h", "h", es.self_recurrent(weights))
    for begins in ([0.0], [0.0, 5000.0]):
        times = np.sort(np.concatenate([t + rng.uniform(0.0, 15.0, 90) for t in begins]))
        parts.append((times, rng.integers(0, 5, times.size)))
    stream = es.EventStream.from_samples(parts, n_channels=5, duration=[16.0, 5020.0])
    assert assert_same(net, stream, tmp_path) > 60


def test_a_queue_has_room_for_all_that_waits_for_its_own_delay(tmp_path):
    """Every synapse has its delay: within the shortest of them all events wait, by synapse."""
    rng, n, size = np.random.default_rng(0), 200, 4
    net = es.Network()
    net.add_input("input", 5)
    net.add_population("h", size)
    delays = rng.uniform(50.0, 90.0, (5, size))
    net.connect("input", "h", rng.normal(2.0, 1.0, (5, size)), delays=delays)
    answering(net, "spike_count", "h")
    times = np.sort(rng.uniform(0.0, 40.0, n))
    stream = es.EventStream(times, rng.integers(0, 5, n), [0, n], n_channels=5, duration=200.0)
    written = es.export_c(net, tmp_path, stream=stream)
    assert written.rooms["h"] > n * size


@pytest.mark.parametrize("n_keys", [1000, *range(2**16 - 3, 2**16 + 3)])
def test_no_row_is_taken_for_none(n_keys):
    stage = SimpleNamespace(routes=[SimpleNamespace(n_keys=n_keys - 1)], size=1)
    kind = source.row_type(SimpleNamespace(stages=[stage]))
    assert np.iinfo(kind).max > n_keys - 1  # the largest key
    assert kind is np.uint16 or n_keys > 60_000


def with_onset():
    return answering(es.scsr(4, (8,), 2, seed=1), onset=5.0)


def with_many_neurons():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("h", (1 << 15) + 1)
    net.connect("input", "h", np.ones((1, (1 << 15) + 1)))
    return answering(net, "spike_count", "h")


def with_many_neurons_in_a_loop():
    net, size = es.Network(), 1 << 14
    net.add_input("input", 1)
    net.add_population("a", size)
    net.add_population("b", size + 1)
    net.connect("input", "a", np.ones((1, size)))
    first = scipy.sparse.csr_array(([1.0], ([0], [0])), shape=(size, size + 1))
    net.connect("a", "b", first)
    net.connect("b", "a", first.T.tocsr())
    return answering(net, "spike_count", "b")


def with_many_synapses():
    net = es.Network()
    net.add_input("input", (1 << 11) + 1)
    net.add_population("h", 1 << 11)
    net.connect("input", "h", np.ones(((1 << 11) + 1, 1 << 11)))
    return answering(net, "spike_count", "h")


@pytest.mark.parametrize(
    "net", [with_onset, with_many_neurons, with_many_neurons_in_a_loop, with_many_synapses]
)
def test_what_c_lacks_is_told_before_it_is_asked(net, tmp_path):
    net = net()
    heard = random_stream(1, n_samples=1, n_channels=net.input.size, duration=5.0, rate=1.0)
    calls = {
        "export_c": lambda folder: es.export_c(net, folder, stream=heard),
        "page": lambda folder: es.export_web(net, folder, recordings=heard),
    }
    for name, call in calls.items():
        told = es.can(net)[name]
        assert not told
        with pytest.raises(es.errors.NetworkError) as caught:
            call(tmp_path / "nowhere")
        assert told.why in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_c_cannot_do_is_refused_by_name():
    net = two_kinds_net(1)
    answering(net, "spike_count", "a")
    assert "in a loop by sums of windows" in es.can(net)["export_c"].why
    with pytest.raises(es.errors.NetworkError, match="in a loop by sums of windows"):
        es.export_c(net, "nowhere", stream=recordings(1))
    quick = one_layer(2, tau_syn=0.02)
    with pytest.raises(es.errors.NetworkError, match="need double precision, as 'h'"):
        es.export_c(quick, "nowhere", stream=recordings(1))
    for name in ("A-b", "net", "size", "uint_least8"):
        with pytest.raises(es.errors.ParameterError, match=f"name is '{name}'"):
            es.export_c(net, "nowhere", stream=recordings(1), name=name)
