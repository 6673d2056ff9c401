"""Loggers of a training run: what they are told, what TensorBoard reads back, what W&B is given."""

import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.train import TrainConfig, TrainEvent, train
from eventsim.train.loggers import Several, TensorBoard, WandB, histograms, scalars
from tests.unit.train.task import Stop, small_net, stop_at, two_patterns

METRICS = {"epoch": 2, "loss": 0.5, "rates": {"hidden": 12.0}, "skipped_steps": 0}


@pytest.fixture(scope="module")
def data():
    return two_patterns(12)


def config(epochs):
    return TrainConfig(epochs=epochs, batch_size=4, validation_fraction=0.25)


class Listening:
    """A callback that is a context manager."""

    def __init__(self):
        self.told, self.inside, self.error = [], False, None

    def __enter__(self):
        self.inside = True
        return self

    def __exit__(self, kind, error, traceback):
        self.inside, self.error = False, error

    def __call__(self, event):
        assert self.inside
        self.told.append(event)


def test_step_counts_batches_over_epochs():
    assert TrainEvent("batch", 1, 1, 2, 5, {}).step == 1
    assert TrainEvent("epoch", 1, 5, 2, 5, {}).step == 5
    assert TrainEvent("batch", 2, 3, 2, 5, {}).step == 8


def test_scalars_are_named_by_the_kind_of_event():
    found = scalars(TrainEvent("epoch", 2, 5, 2, 5, METRICS))
    assert found == {
        "epoch": 2,
        "epoch/loss": 0.5,
        "epoch/rates/hidden": 12.0,
        "epoch/skipped_steps": 0.0,
    }
    assert scalars(TrainEvent("batch", 1, 1, 2, 5, {"loss": 1}))["batch/loss"] == 1.0


def test_histograms_are_copies_of_all_parameters_after_an_epoch():
    net = small_net()
    found = histograms(TrainEvent("epoch", 1, 1, 1, 1, METRICS, net))
    assert {"hidden1/tau_mem", "hidden1/threshold", "output/tau_mem"} <= set(found)
    weights = found["input->hidden1/weights"]
    assert weights.shape == (net.projections["input->hidden1"].values.size,)
    weights[:] = np.nan
    assert np.isfinite(net.projections["input->hidden1"].values).all()
    assert histograms(TrainEvent("batch", 1, 1, 1, 1, METRICS, net)) == {}


def test_training_is_done_inside_of_a_callback_that_is_a_context_manager(data):
    one, two, seen = Listening(), Listening(), []
    train(small_net(), data, config(2), callback=Several(one, seen.append, two))
    assert one.told == two.told == seen
    assert not one.inside
    assert one.error is None
    assert [event.kind for event in seen].count("epoch") == 2


def test_callback_is_left_with_the_error_that_ends_a_run(data):
    listening = Listening()

    def fail(event):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train(small_net(), data, config(1), callback=Several(listening, fail))
    assert str(listening.error) == "enough"
    assert not listening.inside


def test_callback_is_not_entered_if_the_arguments_are_wrong(data):
    listening = Listening()
    with pytest.raises(ParameterError):
        train(small_net(), data, "settings", callback=listening)
    assert listening.error is None
    assert listening.told == []


def read_back(folder):
    """All that TensorBoard itself finds in a folder."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed, which reads the files back",
    )
    everything = {reader.HISTOGRAMS: 0, reader.SCALARS: 0}
    found = reader.EventAccumulator(str(folder), size_guidance=everything)
    found.Reload()
    return found


def test_tensorboard_reads_the_numbers_of_a_run(data, tmp_path):
    pytest.importorskip("tensorboardX")
    result = train(small_net(), data, config(3), callback=TensorBoard(tmp_path / "tb"))
    found = read_back(tmp_path / "tb")
    for name in ("loss", "accuracy", "validation_accuracy"):
        written = found.Scalars(f"epoch/{name}")
        assert [each.value for each in written] == pytest.approx(
            [line[name] for line in result.history], rel=1e-6
        )
    n_batches = found.Scalars("epoch/loss")[0].step
    assert [each.step for each in found.Scalars("epoch/loss")] == [
        n_batches, 2 * n_batches, 3 * n_batches,
    ]  # fmt: skip
    assert len(found.Scalars("batch/loss")) == 3 * n_batches
    assert [each.value for each in found.Scalars("epoch")][-1] == 3
    taus = found.Histograms("hidden1/tau_mem")
    tau = result.net.population("hidden1").tau_mem
    assert len(taus) == 3
    assert taus[-1].histogram_value.num == tau.size
    assert taus[-1].histogram_value.sum == pytest.approx(tau.sum())


def test_tensorboard_of_a_resumed_run_has_every_step_once(data, tmp_path):
    pytest.importorskip("tensorboardX")
    log, folder = TensorBoard(tmp_path / "tb", histograms=False), tmp_path / "run"
    with pytest.raises(Stop):
        train(small_net(), data, config(2), folder, callback=Several(log, stop_at(2, 1)))
    train(small_net(), data, config(2), folder, resume=True, callback=log)
    steps = [each.step for each in read_back(tmp_path / "tb").Scalars("batch/loss")]
    assert steps == list(range(1, len(steps) + 1))
    assert [each.value for each in read_back(tmp_path / "tb").Scalars("epoch")][-1] == 2


class StandIn:
    """What is used of wandb; calls are bound to the real signatures where wandb is installed."""

    def __init__(self):
        try:
            import wandb
        except ImportError:
            wandb = None
        self._real, self.logged, self.started, self.exit_code = wandb, [], None, None

    def _bind(self, find, *given, **named):
        if self._real is not None:
            inspect.signature(find(self._real)).bind(*given, **named)

    def init(self, **arguments):
        self._bind(lambda real: real.init, **arguments)
        self.started = arguments
        return self

    def define_metric(self, name, *, step_metric):
        self._bind(lambda real: real.Run.define_metric, self, name, step_metric=step_metric)

    def log(self, values, *, step):
        self._bind(lambda real: real.Run.log, self, values, step=step)
        self.logged.append((step, values))

    def finish(self, *, exit_code):
        self._bind(lambda real: real.Run.finish, self, exit_code=exit_code)
        self.exit_code = exit_code

    def Histogram(self, values):
        self._bind(lambda real: real.Histogram, values)
        return SimpleNamespace(histogram_of=values)


@pytest.fixture
def wandb(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    return stand_in


def test_wandb_is_given_settings_numbers_and_histograms(data, wandb):
    log = WandB("digits", init={"name": "bip", "mode": "offline"})
    assert wandb.started is None
    result = train(small_net(), data, config(2), callback=log)
    assert wandb.started == {"project": "digits", "name": "bip", "mode": "offline"}
    assert wandb.exit_code == 0
    last = [values for _, values in wandb.logged if "epoch/loss" in values]
    assert [values["epoch/accuracy"] for values in last] == [
        line["accuracy"] for line in result.history
    ]
    steps = [step for step, _ in wandb.logged]
    assert steps == sorted(steps)  # wandb drops what goes back
    tau = last[-1]["hidden1/tau_mem"].histogram_of
    assert np.array_equal(tau, result.net.population("hidden1").tau_mem)


def test_wandb_run_that_fails_is_finished_as_failed(data, wandb):
    def fail(event):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train(small_net(), data, config(1), callback=Several(WandB("digits"), fail))
    assert wandb.exit_code == 1


@pytest.mark.parametrize(
    ("make", "package", "extra"),
    [
        (lambda: es.loggers.TensorBoard("tb"), "tensorboardX", "tensorboard"),
        (lambda: es.loggers.WandB("digits"), "wandb", "wandb"),
    ],
)
def test_missing_package_is_an_error_that_says_how_to_install_it(monkeypatch, make, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ParameterError, match=rf"eventsim-snn\[{extra}\]"):
        make()
