"""Processes of a run, here threads: what they gather, how they stop and fail, that they agree."""

import json
import sys
import threading
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import BackendError, ParameterError, PeerError, StorageError
from eventsim.train import (
    ActivityCost,
    Augmentation,
    LearningRates,
    ProcessGroup,
    SpiKL,
    TrainConfig,
    connect,
    evaluate,
    load_network,
    train,
)
from eventsim.train.loss_settings import IntegralLoss, MaximumLoss
from eventsim.train.parallel import add_in_order, cut
from tests.support.processes import Hall, together
from tests.unit.train.task import CLOCK, assert_same_net, small_net, two_patterns
from tests.unit.train.test_launch import HYDRA, SRUN

CONFIG = TrainConfig(
    epochs=2,
    batch_size=7,
    shards=6,
    seed=3,
    validation_fraction=0.3,
    rates=LearningRates(weights=2e-2, taus=2e-2, intrinsic=1e-2, delays=2e-2),
    train_delays=True,
    rate_low=20.0,
    rate_high=40.0,
    rate_strength=1e-3,
    silent_lift=1e-2,
    augmentation=Augmentation(time_scale=0.1, time_shift=3.0, drop=0.05, jitter=0.5),
    backend="cpu",
    precision="double",
    checkpoint_every=2,
)


def quiet_net(*, seed=0):
    """One of its neurons is silent at first, so that its weights are lifted."""
    net = small_net(seed=seed)
    net.projections["input->hidden1"].weights[:, 0] = 0.1
    return net


@pytest.fixture(scope="module")
def data():
    return two_patterns(22)


def run_in(folder, data, config=CONFIG, **options):
    return lambda group: train(quiet_net(), data, config, folder, group=group, **options)


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """The run of one process."""
    return train(quiet_net(), data, CONFIG, tmp_path_factory.mktemp("straight") / "run")


def assert_same_run(folder, expected):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    for line, wanted in zip(map(json.loads, lines), expected.history, strict=True):
        assert line | CLOCK == wanted | CLOCK
    for name in ("last", "selected"):
        nets = (load_network(place / f"{name}.npz") for place in (folder, expected.folder))
        assert_same_net(*nets)


# --- cutting and gathering -------------------------------------------------------------------


@pytest.mark.parametrize(("n", "shards"), [(7, 1), (7, 3), (6, 6), (4, 6), (1, 5)])
def test_cut_covers_all_samples_in_order_and_leaves_no_shard_empty(n, shards):
    slices = cut(n, shards)
    assert len(slices) == min(n, shards)
    assert [i for piece in slices for i in range(n)[piece]] == list(range(n))
    sizes = [piece.stop - piece.start for piece in slices]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("size", "n"), [(1, 4), (2, 4), (3, 4), (3, 7), (4, 2), (5, 1)])
def test_gather_gives_every_process_all_pieces_in_order(size, n):
    def work(group):
        pieces = [np.array([i, 0.1 * i]) for i in group.share(n)]
        return np.stack(group.gather(pieces, n))

    for gathered in together(size, work):
        np.testing.assert_array_equal(gathered, [[i, 0.1 * i] for i in range(n)])


def test_sum_has_the_order_of_the_pieces_whatever_the_processes():
    rng = np.random.default_rng(0)
    pieces = [rng.normal(size=5) * 10.0 ** rng.integers(-8, 8) for _ in range(9)]
    expected = pieces[0]
    for piece in pieces[1:]:
        expected = expected + piece

    def work(group):
        return add_in_order(group.gather([pieces[i] for i in group.share(9)], 9))

    for size in (1, 2, 3, 4):
        for total in together(size, work):
            np.testing.assert_array_equal(total, expected)


# --- one run, any number of processes --------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 6])
def test_run_of_several_processes_has_the_bits_of_one(size, data, straight, tmp_path):
    folder = tmp_path / "run"
    results = together(size, run_in(folder, data))
    assert_same_run(folder, straight)
    for result in results:
        assert_same_net(result.net, straight.net)


def partly_silent():
    net = small_net()
    net.populations["hidden1"].threshold[:3] = 4.0
    return net


NEAR = {"near_miss_strength": 0.5, "near_miss_margin": 2.0, "label_smoothing": 0.1}
MIXED = Augmentation(noise=5.0, crop=50.0, mix=0.3, jitter=1.0)
DECIDED = {"loss": MaximumLoss(dropout=0.3), "tail": 20.0, "train_delays": False}
RULE = SpiKL(resistance=0.05, tau_mem=0.05, mean_rate=60.0)
SHARDED = {
    "band and lift": (quiet_net, {}),
    "near misses": (partly_silent, NEAR | {"augmentation": MIXED}),
    "a decision": (partial(es.convolutional, 6, (4,), 2, output_maps=6, kernel=(3, 3)), DECIDED),
    "activity": (small_net, {"activity": ActivityCost(target=0.03, chip="loihi")}),
    "the local rule": (small_net, {"bip": ("tau_syn", "threshold"), "spikl": RULE}),
}


@pytest.mark.parametrize("case", SHARDED)
def test_shards_change_rounding_and_no_more(data, case):
    make, changes = SHARDED[case]
    config = replace(CONFIG, **changes)
    whole, parts = (train(make(), data, replace(config, shards=n)) for n in (1, 6))
    for line, other in zip(whole.history, parts.history, strict=True):
        for key in ("loss", "penalty", "gradient_norm", "energy_pj_per_sample"):
            assert line.get(key) == (pytest.approx(other[key], rel=1e-6) if key in other else None)
        assert line["lifted_neurons"] == other["lifted_neurons"]
        assert line["rates"] == other["rates"]
    assert_same_net(whole.net, parts.net, rtol=1e-6, atol=1e-8)
    start = make().parameters()
    moved = [key for key, values in whole.net.parameters().items() if (values != start[key]).any()]
    assert len(moved) > 3


def test_run_uses_rate_band_and_lift(straight):
    # Else the runs above would not show that these see the whole batch.
    assert all(line["penalty"] > 0 for line in straight.history)
    assert sum(line["lifted_neurons"] for line in straight.history) > 0


def test_run_goes_on_with_another_number_of_processes(data, straight, tmp_path):
    def stop_at(group, epoch, batch):
        def callback(event):
            if (event.kind, event.epoch, event.batch) == ("batch", epoch, batch):
                group.ask_to_stop()

        return callback

    def stopped(group):
        return run_in(tmp_path, data, callback=stop_at(group, 1, 2))(group)

    assert all(isinstance(outcome, KeyboardInterrupt) for outcome in together(3, stopped))
    assert not (tmp_path / "last.npz").exists()

    def again(group):
        return run_in(tmp_path, data, resume=True, callback=stop_at(group, 2, 1))(group)

    assert all(isinstance(outcome, KeyboardInterrupt) for outcome in together(2, again))
    train(quiet_net(), data, CONFIG, tmp_path, resume=True)
    assert_same_run(tmp_path, straight)


def test_evaluation_of_several_processes_has_the_bits_of_one(data):
    config = replace(CONFIG, batch_size=4, shards=1)
    expected = evaluate(quiet_net(), data, config)
    for found in together(3, lambda group: evaluate(quiet_net(), data, config, group=group)):
        assert (found.accuracy, found.loss) == (expected.accuracy, expected.loss)
        assert found.synaptic_events == expected.synaptic_events
        np.testing.assert_array_equal(found.confusion, expected.confusion)
        for name, rates in expected.rates.items():
            np.testing.assert_array_equal(found.rates[name], rates)


def test_only_process_0_is_told_of_progress(data, tmp_path):
    told = []

    def work(group):
        config = replace(CONFIG, epochs=1)
        train(
            quiet_net(),
            data,
            config,
            tmp_path,
            callback=lambda event: told.append((group.rank, event.kind)),
            group=group,
        )

    together(2, work)
    assert {rank for rank, _ in told} == {0}
    assert {kind for _, kind in told} == {"batch", "epoch"}


# --- stopping and failing --------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_wish_to_stop_of_one_process_is_met_by_all_at_the_same_place(rank):
    def work(group):
        for count in range(10):
            if (group.rank, count) == (rank, 4):
                group.ask_to_stop()
            group.wait()
            if group.stopping:
                return count
        return None

    assert together(3, work) == [4, 4, 4]


FULL = ValueError("the disk is full" + "!" * 2000)
PEER_FULL = "Process 1 of 3 failed with ValueError: the disk is full!!"
# How often each process waits, what it raises then, and what comes of each: a type, or words.
ENDS = {
    "of one": ([(2, None), (1, FULL), (2, None)], [PEER_FULL, ValueError, PEER_FULL]),
    "of two at once": (
        [(1, None), (0, ValueError("of 1")), (0, ValueError("of 2"))],
        ["Process 1 of 3 failed with ValueError: of 1", ValueError, ValueError],
    ),
    "at the very end": (
        [(1, None), (1, None), (1, OSError("last"))],
        ["failed with OSError: last", "failed with OSError: last", OSError],
    ),
    "interrupt": ([(1, KeyboardInterrupt()), (2, None)], [KeyboardInterrupt, KeyboardInterrupt]),
    "one leaves": (
        [(1, None), (0, None)],
        ["The processes [1] of 2: have ended, the others go on"] * 2,
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_what_ends_one_process_ends_the_others_with_its_text(case):
    does, expected = ENDS[case]

    def work(group):
        waits, error = does[group.rank]
        for _ in range(waits):
            group.wait()
        if error is not None:
            raise error

    for outcome, wanted in zip(together(len(does), work), expected, strict=True):
        if isinstance(wanted, str):
            assert isinstance(outcome, PeerError)
            assert wanted in str(outcome)
        else:
            assert isinstance(outcome, wanted)


def test_group_that_has_ended_is_not_waited_for():
    def work(group):
        if group.rank == 0:
            raise ValueError("first")
        with pytest.raises(PeerError, match="ValueError: first"):
            group.wait()
        with pytest.raises(PeerError, match="has ended"):
            group.wait()
        return "seen"

    assert together(2, work)[1] == "seen"


def test_processes_at_different_places_are_told_so():
    def work(group):
        if group.rank == 0:
            group.wait()
        else:
            group.gather([np.zeros(3)] * 2, 4)

    for outcome in together(2, work):
        assert isinstance(outcome, PeerError)
        assert "gather [2, 4] results of [1, 3] numbers" in str(outcome)


def test_interrupt_inside_a_gather_aborts_all():
    hall = Hall(2)
    first, second = hall.communicators()

    class Interrupted:
        rank, size, abort, close = 0, 2, first.abort, first.close

        def all_gather(self, values):
            if values.dtype == np.float64:
                raise KeyboardInterrupt
            return first.all_gather(values)

    def other():
        with pytest.raises(threading.BrokenBarrierError), ProcessGroup(second) as group:
            group.wait()

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(KeyboardInterrupt), ProcessGroup(Interrupted()) as group:
        group.wait()
    thread.join()
    assert first.aborted


def test_failing_callback_of_process_0_ends_the_run_of_all_which_can_be_resumed(
    data, straight, tmp_path
):
    def callback(event):
        if (event.kind, event.epoch, event.batch) == ("batch", 2, 2):
            raise OSError("no space left")

    outcomes = together(2, run_in(tmp_path, data, callback=callback))
    assert isinstance(outcomes[0], OSError)
    assert "failed with OSError: no space left" in str(outcomes[1])
    together(2, run_in(tmp_path, data, resume=True))
    assert_same_run(tmp_path, straight)


def test_interrupt_raised_by_a_callback_stops_all_and_is_saved(data, straight, tmp_path):
    def callback(event):
        if (event.kind, event.epoch, event.batch) == ("batch", 2, 1):
            raise KeyboardInterrupt

    outcomes = together(2, run_in(tmp_path, data, callback=callback))
    assert [type(outcome) for outcome in outcomes] == [KeyboardInterrupt] * 2
    seen = []
    train(quiet_net(), data, CONFIG, tmp_path, resume=True, callback=seen.append)
    assert (seen[0].epoch, seen[0].batch) == (2, 2)
    assert_same_run(tmp_path, straight)


# --- what is refused -------------------------------------------------------------------------


def test_folder_that_holds_a_run_is_refused_in_all_processes(data, straight):
    outcomes = together(2, run_in(straight.folder, data))
    assert isinstance(outcomes[0], StorageError)
    assert isinstance(outcomes[1], PeerError)
    assert "holds a run already" in str(outcomes[1])


def test_more_processes_than_shards_are_refused(data, tmp_path):
    for outcome in together(2, run_in(tmp_path, data, replace(CONFIG, shards=1))):
        assert isinstance(outcome, ParameterError)
        assert "shards is 1 for 2 processes" in str(outcome)
    assert not list(tmp_path.iterdir())


def test_processes_with_different_arguments_are_refused(data, tmp_path):
    def work(group):
        config = CONFIG if group.rank != 1 else replace(CONFIG, loss=IntegralLoss(gain=3.0))
        return train(quiet_net(), data, config, tmp_path, group=group)

    for outcome in together(3, work):
        assert "Process 1 of 3: has another choice of settings than process 0" in str(outcome)

    def other(group):
        return train(quiet_net(seed=group.rank), data, CONFIG, tmp_path, group=group)

    for outcome in together(2, other):
        assert "Process 1 of 2: has another initial network" in str(outcome)
    assert not list(tmp_path.iterdir())


def test_processes_that_read_different_checkpoints_are_refused(data, tmp_path):
    def stop(event):
        raise KeyboardInterrupt

    for number in range(2):
        folder = tmp_path / str(number)
        with pytest.raises(KeyboardInterrupt):
            train(quiet_net(), data, CONFIG, folder, callback=stop)
    with pytest.raises(KeyboardInterrupt):
        train(quiet_net(), data, CONFIG, tmp_path / "1", resume=True, callback=stop)

    def work(group):
        folder = tmp_path / str(group.rank)
        return train(quiet_net(), data, CONFIG, folder, resume=True, group=group)

    assert all("has another state of the run in" in str(outcome) for outcome in together(2, work))


def test_processes_that_drift_apart_are_noticed(data, tmp_path, monkeypatch):
    from eventsim.train import step

    original = step.lift_silent

    def drifting(net, counts, *, amount):
        if threading.current_thread() is threads[1]:
            net.projections["input->hidden1"].weights[0, 0] += 1e-12
        return original(net, counts, amount=amount)

    threads = {}
    monkeypatch.setattr(step, "lift_silent", drifting)

    def work(group):
        threads[group.rank] = threading.current_thread()
        group.wait()
        return train(quiet_net(), data, CONFIG, tmp_path, group=group)

    for outcome in together(2, work):
        assert "Process 1 of 2: has another network after an epoch" in str(outcome)


# --- connecting ------------------------------------------------------------------------------


def test_process_that_nothing_launched_is_alone():
    with connect("cpu", environ={}) as group:
        assert (group.rank, group.size, group.leads) == (0, 1, True)
    one = dict(zip(HYDRA, ("0", "1", "0", "1"), strict=True))
    with connect("cpu", environ=one) as group:
        assert group.size == 1


def test_missing_mpi4py_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(BackendError, match=r"pip install 'eventsim-snn\[mpi\]'"):
        connect("cpu", environ=HYDRA)


def test_processes_that_mpi_does_not_know_are_told_so(monkeypatch):
    world = SimpleNamespace(Get_rank=lambda: 0, Get_size=lambda: 1)
    version = "Open MPI v5.0.11, package: here\0"
    mpi = SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: version)
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi))
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", mpi)
    match = (
        "srun says that this is process 6 of 7, MPI says 0 of 1.* uses: Open MPI v5.0.11.*here\\."
    )
    with pytest.raises(BackendError, match=match):
        connect("cpu", environ=SRUN)
