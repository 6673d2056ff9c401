"""One awkward data set through all commands; every number again, from the raw events.

Times are a clock's, in us, far from 0 and each recording's own; groups and classes are of unequal
size, one class is rare, recordings differ in length, channels are silent, and the classes stand in
no order. No setting has its default, and every figure of the chip has a price of its own.
"""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import eventsim as es
from eventsim.chips import ENERGY_TERMS
from eventsim.mapping import load_cores, quantise
from tests.support import stepping
from tests.unit.cli.conftest import done, told
from tests.unit.energy.recount import recount, recount_steps

CHANNELS, SILENT = 7, (0, 5, 6)
WORDS = ("walk", "go", "Still", "go", "walk", "go")  # of recordings, over and over, and a rare one
GROUPS = {"p": 6, "q": 5, "r": 4, "s": 3, "t": 7}
TAIL, CONSTANT, GAIN, MARGIN, STEP = 6.5, 37.0, 5.0, 0.31, 0.75
SETTINGS = (
    "--hidden", 5, "--hidden", 4, "--epochs", 3, "--batch-size", 4, "--seed", 5,
    "--precision", "double", "--backend", "cpu", "--validate", "group",
    "--set", "validation_fraction=0.35", "--set", f"tail={TAIL}",
    "--set", f"loss.time_constant={CONSTANT}", "--set", f"loss.gain={GAIN}", "--lr", 0.08,
    "--tau-mem", 17, "--tau-syn", 4, "--forward-delays", "0.7:2.3", "--output-delays", 1.3,
)  # fmt: skip
# Terms of a chip with steps; those of one without have membrane_update in their place.
FIGURES = {name: 3.0 + 1.7 * k for k, name in enumerate(ENERGY_TERMS) if name != "membrane_update"}
LIMITS = {"cores": 8, "mesh": [4, 2], "cores_per_tile": 1, "chips": [2, 1], "chip_link": 3.0,
          "neurons_per_core": 2}  # fmt: skip


class Chain:
    """Raw recordings, what the first two commands told of them, and the test part as it is run."""

    def __init__(self, home):
        self.home = home
        rng = np.random.default_rng(7)
        self.groups = np.repeat(list(GROUPS), list(GROUPS.values()))
        self.names = [WORDS[k % len(WORDS)] for k in range(self.groups.size)]
        self.test, self.clocks, self.raw = self.groups == "t", [], []
        rows = [("file", "label", "who", "split")]
        for k, name in enumerate(self.names):
            times = np.sort(rng.choice(np.arange(137, rng.integers(30_000, 70_000)), 40 + k))
            own = 1 + ("walk", "go", "Still").index(name)
            channels = np.where(rng.random(times.size) < 0.12, own, rng.integers(1, 5, times.size))
            self.clocks.append(7_250_000 + 1_000_000 * k)
            self.raw.append((times, channels))
            table = np.c_[self.clocks[k] + times, channels]
            path = home / f"{k}.csv"
            np.savetxt(path, table, "%d,%d", header="t_us,channel", comments="")
            rows.append((path.name, name, self.groups[k], "test" if self.test[k] else "train"))
        with (home / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        asked = ("--group-column", "who", "--channels", CHANNELS)
        self.imported = told("data", "import", "--labels", "labels.csv", *asked, "--out", "mine.h5")
        done("train", "mine.h5", *SETTINGS, "--out", "run", "--json")
        self.result = json.loads((home / "run" / "result.json").read_text())
        self.classes = sorted(set(self.names))
        self.labels = np.array([self.classes.index(name) for name in self.names])
        self.net, self.selected = (
            es.Network.load(home / "run" / f"{name}.npz") for name in ("last", "selected")
        )
        text = 'format = "eventsim-chip"\nversion = 1\nname = "mine"\ntitle = "My chip"\n'
        text += f'kind = "chip"\nsource = "made up"\nstep_ms = {STEP}\n[limits]\n'
        text += "".join(f"{name} = {value}\n" for name, value in LIMITS.items())
        for name, value in FIGURES.items():
            text += f'[energy.{name}]\nvalue = {value}\nunit = "{ENERGY_TERMS[name].unit}"\n'
            text += 'status = "estimated"\nsource = "made up"\n'
        (home / "mine.toml").write_text(text)

    @property
    def samples(self):
        """Times in ms from the first event on, channels and duration, of all recordings."""
        for times, channels in self.raw:
            yield (times - times[0]) / 1000.0, channels

    def stream(self, chosen, tail=TAIL):
        """Chosen recordings with the tail after each."""
        some = [one for one, there in zip(self.samples, chosen, strict=True) if there]
        # Of a file of text that does not say more: whole ms, the last event inside.
        ends = np.array([np.floor(times[-1]) + 1.0 for times, _ in some])
        return es.EventStream.from_samples(some, n_channels=CHANNELS, duration=ends + tail)

    def tape(self, chosen, net=None, tail=TAIL):
        net = net or self.net
        return es.simulate(net, self.stream(chosen, tail), tail=0.0, backend="reference")


def logits_of(net, tape):
    """Of the readout, by an integrator that has no formula of the product."""
    found = stepping.readout_integral(net, tape.stream, tape, "output", time_constant=CONSTANT)
    weight = CONSTANT * -np.expm1(-tape.stream.duration / CONSTANT)
    return GAIN * found / weight[:, None]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    home = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield Chain(home)


@pytest.fixture(autouse=True)
def inside(chain, monkeypatch):
    monkeypatch.chdir(chain.home)


@pytest.fixture(scope="module")
def tested(chain):
    """A tape of the test part, and its logits."""
    tape = chain.tape(chain.test)
    return tape, logits_of(chain.net, tape)


def test_import_has_the_times_classes_groups_and_parts_of_the_files(chain):
    found, data = chain.imported, es.Dataset.open("mine.h5")
    firsts = [clock + times[0] for clock, (times, _) in zip(chain.clocks, chain.raw, strict=True)]
    assert data.class_names == tuple(chain.classes)
    assert data.labels.tolist() == chain.labels.tolist()
    assert data.groups.tolist() == chain.groups.tolist()
    whole = chain.stream(np.ones(chain.groups.size, bool), tail=0.0)
    stored = data.stream[:]
    np.testing.assert_allclose(stored.times, whole.times, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(stored.channels, whole.channels)
    np.testing.assert_array_equal(stored.duration, whole.duration)
    np.testing.assert_allclose(data.stream.columns["begins"], np.array(firsts) / 1000.0)
    seconds = whole.duration.sum() / 1000.0
    moved = found["begin"]["moved_by_ms"]
    assert (found["samples"], found["events"], found["channels"]) == (25, stored.n_events, CHANNELS)
    assert (found["unit"], found["without_events"]) == ("us", 0)
    assert found["classes"] == dict(Counter(chain.names))
    assert found["parts"] == {"train": 18, "test": 7}
    assert found["seconds_of_events"] == pytest.approx(seconds)
    assert found["events_per_second"] == pytest.approx(stored.n_events / seconds)
    assert moved == pytest.approx(
        {
            "smallest": min(firsts) / 1000.0,
            "median": np.median(firsts) / 1000.0,
            "largest": max(firsts) / 1000.0,
        }
    )


def test_result_of_a_training_is_that_of_its_networks_by_hand(chain, tested):
    result, labels = chain.result, chain.labels[chain.test]
    known = result["parts"]
    assert known["test"] == {"recordings": 7, "groups": {"t": 7}}
    held = known["validation"]["groups"]
    trained = known["training"]["groups"]
    sizes = {name: n for name, n in GROUPS.items() if name != "t"}
    assert held | trained == sizes
    assert 0 < sum(held.values()) <= 0.35 * 18
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: (line["validation_accuracy"], -line["validation_loss"]))
    parts = {
        "test": (chain.net, 3, chain.test),
        "selected_by_validation": (chain.selected, best["epoch"], chain.test),
    }
    for name, (net, epoch, chosen) in parts.items():
        logits = logits_of(net, chain.tape(chosen, net))
        assert result[name]["epoch"] == epoch
        assert result[name]["loss"] == pytest.approx(loss_of(logits, labels), rel=1e-6)
        assert result[name]["accuracy"] == (logits.argmax(axis=1) == labels).mean()
    assert best["epoch"] != 3  # the two networks are not one
    chosen = np.isin(chain.groups, list(held))
    logits = logits_of(chain.net, chain.tape(chosen))
    assert lines[-1]["validation_loss"] == pytest.approx(loss_of(logits, chain.labels[chosen]))
    learned = np.isin(chain.groups, list(trained))
    common = np.bincount(chain.labels[learned | chosen]).argmax()
    assert result["guess_accuracy"] == (labels == common).mean()
    tape, n = tested[0], 7
    counts = recount(chain.net, tape)
    operations = sum(sum(events) for events in counts["synaptic_events"].values())
    updates = sum(sum(times) for times in counts["membrane_updates"].values())
    assert result["synaptic_operations_per_inference"] == pytest.approx(operations / n)
    assert result["neuron_updates_per_inference"] == pytest.approx(updates / n)
    spikes, seconds = sum(len(tape[k]) for k in tape.names), tape.stream.duration.sum() / 1000.0
    assert result["spikes_per_neuron_and_second"] == pytest.approx(spikes / 9 / seconds)
    synapses = CHANNELS * (5 + 4 + 3) + 5 * 4 + 5 * 3 + 4 * 3 + 5 + 4
    assert result["trained_parameters"] == synapses + 6 * (5 + 4) + 4 * 3


def loss_of(logits, labels):
    return -log_softmax(logits, axis=1)[np.arange(labels.size), labels].mean()


def test_evaluation_is_that_of_the_tape_by_hand(chain, tested):
    found, (tape, logits) = told("evaluate", "run"), tested
    labels, answers = chain.labels[chain.test], logits.argmax(axis=1)
    n, confusion = labels.size, np.zeros((3, 3), int)
    np.add.at(confusion, (labels, answers), 1)
    assert found["classes"] == chain.classes
    assert (found["data"], found["split"], found["samples"]) == ("mine", "test", n)
    assert found["groups"] == {"t": 7}
    assert found["confusion"] == confusion.tolist()
    assert found["accuracy"] == (answers == labels).mean()
    assert found["loss"] == pytest.approx(loss_of(logits, labels), rel=1e-6)
    shown = {one["class"]: (one["samples"], one["accuracy"]) for one in found["accuracy_by_class"]}
    assert shown == {
        name: (int((labels == k).sum()), (answers[labels == k] == k).mean())
        for k, name in enumerate(chain.classes)
    }
    for end in found["accuracy_interval"]:  # Wilson's: 1.96 of their own deviations away
        away = abs(found["accuracy"] - end) / np.sqrt(end * (1.0 - end) / n)
        assert away == pytest.approx(1.959964, rel=1e-5)
    seconds = tape.stream.duration.sum() / 1000.0
    for name, rate in found["spikes_per_neuron_and_second"].items():
        assert rate == pytest.approx(len(tape[name]) / chain.net.populations[name].size / seconds)
    events = recount(chain.net, tape)["synaptic_events"]
    assert found["synaptic_events_per_sample"] == pytest.approx(
        {name: sum(each) / n for name, each in events.items()}
    )


def test_other_networks_bits_and_steps_are_those_of_the_api(chain):
    labels = chain.labels[chain.test]
    found = told("evaluate", "run", "--network", "selected", "--bits", 3)
    rounded = quantise(chain.selected, 3).net
    for net, accuracy in ((chain.selected, found["accuracy"]),
                          (rounded, found["on_chip"]["accuracy"])):  # fmt: skip
        answers = logits_of(net, chain.tape(chain.test, net)).argmax(axis=1)
        assert accuracy == (answers == labels).mean()
    assert found["on_chip"]["weight_bits"] == 3


def test_answers_over_time_are_those_of_recordings_that_end_earlier(chain, tested):
    found = told("evaluate", "run", "--latency", "--margin", MARGIN)["over_time"]
    tape, labels = tested[0], chain.labels[chain.test]
    shares, n = np.arange(1, 101) / 100.0, labels.size
    ends = (tape.stream.duration[:, None] * shares).ravel()
    cut = [(t[t < end], c[t < end]) for (t, c), end in zip(
        (one for one in tape.stream for _ in shares), ends, strict=True
    )]  # fmt: skip
    stream = es.EventStream.from_samples(cut, n_channels=CHANNELS, duration=ends)
    short = es.simulate(chain.net, stream, tail=0.0, backend="cpu", precision="double")
    integral = es.readout_integral(chain.net, short, "output", time_constant=CONSTANT)
    logits = GAIN * integral / (CONSTANT * -np.expm1(-ends / CONSTANT))[:, None]
    logits = logits.reshape(n, shares.size, 3)
    np.testing.assert_allclose(logits[:, -1], tested[1], rtol=1e-6)
    answers, times = logits.argmax(axis=2), ends.reshape(n, -1)
    assert found["shares"] == shares.tolist()
    assert found["accuracy"] == (answers == labels[:, None]).mean(axis=0).tolist()
    last = [np.flatnonzero(one != one[-1]) for one in answers]
    settled = np.array([each[many.max() + 1 if many.size else 0]
                        for each, many in zip(times, last, strict=True)])  # fmt: skip
    likely = np.sort(softmax(logits, axis=2), axis=2)
    ahead = likely[:, :, -1] - likely[:, :, -2] >= MARGIN
    exits = [np.flatnonzero(one)[0] if one.any() else -1 for one in ahead]
    right, every = answers[:, -1] == labels, np.arange(n)
    for name, values in {
        "latency_ms": settled,
        "latency_ms_of_right_answers": settled[right],
        "time_ms": tape.stream.duration,
    }.items():
        assert found[name] == pytest.approx({"median": np.median(values), "mean": values.mean()})
    early = found["early_exit"]
    assert early["margin"] == MARGIN
    assert early["accuracy"] == (answers[every, exits] == labels).mean()
    assert early["time_ms"]["mean"] == pytest.approx(times[every, exits].mean())
    assert early["reached"] == ahead.any(axis=1).mean()


def test_prediction_has_the_two_largest_scores_of_the_raw_files(chain, tested):
    files = [f"{k}.csv" for k in np.flatnonzero(chain.test)]
    found = told("predict", "run", *files[::-1])["answers"]
    assert [row["file"] for row in found] == files[::-1]
    for row, logits in zip(found, tested[1][::-1], strict=True):
        best, second = np.argsort(-logits)[:2]
        assert (row["answer"], row["second"]) == (chain.classes[best], chain.classes[second])
        assert row["score"] == pytest.approx(logits[best], rel=1e-6)
        assert row["second_score"] == pytest.approx(logits[second], rel=1e-6)
    assert sum(row["events"] for row in found) == tested[0].stream.n_events


def walked(net, tape, cores):
    """Packets, links and the busiest of them, by walking every spike to its cores."""
    columns, rows = LIMITS["mesh"]
    width, found, loads = columns // LIMITS["chips"][0], Counter(), Counter()
    reached = {}
    for p in net.projections.values():
        weights = np.diag(p.weights) if p.one_to_one else p.weights
        for i, j in np.argwhere(weights):
            reached.setdefault((p.source, int(i)), set()).add(int(cores[p.target][j]))
    spikes = [(name, int(n)) for name in tape.names for n in tape[name].neurons]
    spikes += [("input", int(c)) for c in tape.stream.channels]
    for source, number in spikes:
        home = int(cores[source][number]) if source in cores else None
        for core in reached.get((source, number), ()):
            found["axon_out"] += home is not None
            if core == home:
                continue
            found["between" if home is not None else "outside"] += 1
            x, y = (home % columns, home // columns) if home is not None else (0, 0)
            while (x, y) != (core % columns, core // columns):
                along = x != core % columns
                step = np.sign(core % columns - x) if along else np.sign(core // columns - y)
                to = (x + step, y) if along else (x, y + step)
                away = x // width != to[0] // width
                found["hop_chip" if away else "hop_ew" if along else "hop_ns"] += 1
                found["inside" if home is not None else "from outside"] += 1
                loads[x, y, to] += 1
                x, y = to
    assert rows == LIMITS["mesh"][1]
    return found | {"busiest": max(loads.values())}


def test_costs_are_counts_of_every_event_times_the_prices_of_the_file(chain, tested):
    found = told("cost", "run", "--chip", "mine.toml", "--weight-bits", 5)
    done("map", "run", "--chip", "mine.toml", "--no-compare", "--out", "mapped")
    tape, net = tested[0], chain.net
    n, end = 7, tape.stream.duration
    counts, steps = recount(net, tape), recount_steps(net, tape, STEP)
    cores = load_cores("mapped/mapping.json")
    used = len({int(core) for each in cores.values() for core in each})
    sent = walked(net, tape, cores)

    def total(by_name):
        return sum(np.sum(each) for each in by_name.values())

    active = total(steps["active_updates"])
    updates = sum(steps["steps"]) * (5 + 4 + 3)
    acs, macs = total(steps["effective_acs"]), total(steps["effective_macs"])
    expected = {
        "synaptic_event": total(counts["effective_events"]),
        "neuron_update_active": active,
        "neuron_update_idle": updates - active,
        "spike": sum(len(tape[name]) for name in tape.names),
        "event_in": tape.stream.n_events,
        "event_out": n,
        "axon_out": sent["axon_out"],
        "hop_ew": sent["hop_ew"],
        "hop_ns": sent["hop_ns"],
        "hop_chip": sent["hop_chip"],
        "state_access": 2 * updates,
        "ac": acs,
        "mac": macs,
        "memory_byte": (acs + macs) * 5 / 8 + 2 * 2 * updates * 32 / 8,
        "static_core": 1000.0 * used * end.sum(),
        "static_chip": 1000.0 * end.sum(),
        "step_sync": sum(steps["steps"]),
    }
    assert all(expected.values())
    (report,) = found["energy"]
    terms = {one["name"]: one["energy_pj_per_sample"] for one in report["terms"]}
    assert terms == pytest.approx({k: FIGURES[k] * v / n for k, v in expected.items()})
    leakage = terms["static_core"] + terms["static_chip"]
    assert report["energy_pj_per_sample"] == pytest.approx(sum(terms.values()))
    assert report["energy_pj_per_sample_of_leakage"] == pytest.approx(leakage)
    assert report["energy_pj_per_sample_of_activity"] == pytest.approx(
        sum(terms.values()) - leakage
    )
    assert (report["missing"], report["step_ms"]) == ([], STEP)
    fit = found["fits"]["mine"]
    assert (fit["state"], fit["method"], fit["cores"]) == ("fits", "refined", used)
    assert [one["step_ms"] for one in found["clocked"]] == [STEP]
    told_again = told("report", "run", "--chip", "mine.toml", "--weight-bits", 5,
                      "--out", "page.html")  # fmt: skip
    assert told_again["energy_pj_per_recording"]["mine"] == pytest.approx(sum(terms.values()))
    assert told_again["fits"] == found["fits"]
    assert told_again["recordings"] == n
    assert told_again["accuracy"] == chain.result["test"]["accuracy"]
    events = total(counts["synaptic_events"])
    assert told_again["synaptic_operations_per_recording"] == pytest.approx(events / n)
    assert told_again["over_time"]["time_ms"]["mean"] == pytest.approx(end.mean())


def test_costs_of_some_recordings_with_few_bits_and_other_steps(chain):
    found = told("cost", "run", "--chip", "mine.toml", "--samples", 4, "--bits", 3, "--dt", 0.5)
    labels = chain.labels[chain.test]
    assert np.bincount(labels).min() < 2  # the rare class gives what it has, others more
    net, n = quantise(chain.net, 3).net, 4
    assert found["recordings"] == n
    assert found["clocked"][0]["step_ms"] == 0.5
    chosen = np.flatnonzero(chain.test)[spread_by_hand(labels, n)]
    tape = chain.tape(np.isin(np.arange(chain.test.size), chosen), net)
    counts, steps = recount(net, tape), recount_steps(net, tape, 0.5)
    shown = found["counts"]
    for name, key in (("synaptic_events", "synaptic_events_per_sample"),
                      ("effective_events", "effective_events_per_sample"),
                      ("membrane_updates", "membrane_updates_per_sample")):  # fmt: skip
        assert shown[key] == pytest.approx({k: np.mean(v) for k, v in counts[name].items()})
    assert shown["milliseconds_per_sample"] == pytest.approx(tape.stream.duration.mean())
    assert found["clocked"][0]["steps_per_sample"] == np.mean(steps["steps"])
    weights = sum(p.values.size for p in net.projections.values())
    assert shown["footprint_bytes"]["weights"] == weights * 3 / 8


def spread_by_hand(labels, n):
    """As many of every class in turn until ``n``, each class spread evenly over its recordings."""
    quota, left = Counter(), n
    while left:
        for label in np.unique(labels):
            if left and quota[label] < (labels == label).sum():
                quota[label] += 1
                left -= 1
    return sorted(
        np.flatnonzero(labels == label)[int((k + 0.5) * (labels == label).sum() / number)]
        for label, number in quota.items()
        for k in range(number)
    )


def test_mappings_count_every_spike_and_price_its_links(chain, tested):
    found = told("map", "run", "--chip", "mine.toml", "--seed", 3, "--out", "mapped")
    best, *others = found["mappings"]
    assert (best["method"], best["seed"], found["recordings"]) == ("refined", 3, 7)
    cores = load_cores("mapped/mapping.json")
    sent, told_of = walked(chain.net, tested[0], cores), best["traffic"]
    assert told_of["spikes_between_cores"] == sent["between"]
    assert told_of["spikes_from_outside"] == sent["outside"]
    assert told_of["hops_from_outside"] == sent["from outside"]
    assert told_of["hop_weighted_spikes"] == sent["inside"] + sent["from outside"]
    assert told_of["hops_between_chips"] == sent["hop_chip"]
    assert told_of["busiest_link"] == sent["busiest"]
    assert best["cores_used"] == len({int(core) for each in cores.values() for core in each})
    links = sum(FIGURES[name] * sent[name] for name in ("hop_ew", "hop_ns", "hop_chip"))
    assert best["link_energy"]["energy_pj"] == pytest.approx(links)
    assert {one["method"] for one in others} == {"first_fit", "population_order"}


def test_c_text_has_the_spikes_of_the_test_part(chain, tested):
    found = told("export", "run", "--to", "c", "--out", "c")
    tape = tested[0]
    assert found["recordings"] == 7
    assert found["spikes"] == sum(len(tape[name]) for name in tape.names)
    assert found["populations"] == ["input", "hidden1", "hidden2"]
    cost = told("cost", "run", "--chip", "mine.toml")["as_c"]
    same = ("flash", "ram", "rooms", "waited", "flops", "flops_linear")
    assert {key: found[key] for key in same} == {key: cost[key] for key in same}
