"""AdamW: against the formula, transforms, floors, schedule, state."""

import math

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ShapeError
from eventsim.network import scsr, self_recurrent
from eventsim.train import AdamSettings, AdamW, LearningRates, TrainConfig, schedule, select
from tests.support.nets import one_layer

EVERYTHING = (
    "weights", "delays", "tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset",
    "refractory",
)  # fmt: skip


def small_net():
    net = one_layer("hidden", np.arange(6.0).reshape(2, 3), delays=1.0)
    net.add_readout("output", 2)
    net.connect("hidden", "hidden", self_recurrent(np.full(3, 0.1)))
    net.connect("hidden", "output", np.ones((3, 2)))
    return net


def gradients_like(net, value=1.0):
    return {key: np.full(array.shape, value) for key, array in net.parameters().items()}


def adam_reference(x, gradients, rate, decay):
    """The formula of the module, step by step."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        update = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        x = x - rate * update - rate * decay * x
    return x


def test_gradient_of_another_shape_is_refused():
    net = small_net()
    gradients = gradients_like(net)
    gradients["input->hidden.weights"] = gradients["input->hidden.weights"].T
    with pytest.raises(ShapeError, match=r"'input->hidden\.weights' of shape \(3, 2\)"):
        AdamW(net, select(net, EVERYTHING)).step(gradients)


def test_float32_weights_are_rounded_once_a_step_and_moments_are_float64():
    rng = np.random.default_rng(0)
    net = small_net().with_weight_dtype(np.float32)
    key, settings = "input->hidden.weights", AdamSettings(weight_decay=0.3)
    adam = AdamW(net, select(net, EVERYTHING), settings)
    for _ in range(4):
        found = {k: rng.normal(size=v.shape) for k, v in net.parameters().items()}
        found[key] = found[key].astype(np.float32)
        # The same step of the same values in float64, with the same moments.
        wide = net.with_weight_dtype(np.float64)
        other = AdamW(wide, select(wide, EVERYTHING), settings)
        other.load_arrays(adam.to_arrays())
        other.step(found)
        adam.step(found)
        for each, values in wide.parameters().items():
            mine = net.parameters()[each]
            assert np.array_equal(mine, values.astype(mine.dtype)), each
        for each, values in other.to_arrays().items():
            assert np.array_equal(adam.to_arrays()[each], values), each
            assert values.dtype in (np.float64, np.int64)
    assert net.parameters()[key].dtype == np.float32


def test_weights_follow_the_formula_with_decoupled_decay():
    net, rng = small_net(), np.random.default_rng(0)
    start = net.parameters()["input->hidden.weights"].copy()
    gradients = [rng.normal(size=start.shape) for _ in range(5)]
    settings = AdamSettings(rates=LearningRates(weights=0.01), weight_decay=0.3)
    adam = AdamW(net, ["input->hidden.weights"], settings)
    for gradient in gradients:
        adam.step({"input->hidden.weights": gradient})
    np.testing.assert_allclose(
        net.parameters()["input->hidden.weights"],
        adam_reference(start, gradients, 0.01, 0.3),
        rtol=1e-12,
    )


def test_time_constants_follow_the_formula_in_the_logarithm_without_decay():
    net, rng = small_net(), np.random.default_rng(0)
    x = np.log(net.populations["hidden"].tau_mem)
    settings = AdamSettings(rates=LearningRates(taus=0.05), weight_decay=0.3)
    adam = AdamW(net, ["hidden.tau_mem"], settings)
    by_log = [rng.normal(size=3) for _ in range(5)]
    for gradient in by_log:
        adam.step({"hidden.tau_mem": gradient / net.populations["hidden"].tau_mem})
    expected = np.exp(adam_reference(x, by_log, 0.05, 0.0))
    np.testing.assert_allclose(net.populations["hidden"].tau_mem, expected, rtol=1e-12)


def test_only_selected_parameters_change():
    net = small_net()
    before = {key: array.copy() for key, array in net.parameters().items()}
    keys = select(net, ["weights", "hidden.tau_syn"])
    AdamW(net, keys).step(gradients_like(net))
    changed = {k for k, array in net.parameters().items() if (array != before[k]).any()}
    weights = {"input->hidden.weights", "hidden->hidden.weights", "hidden->output.weights"}
    assert changed == set(keys) == weights | {"hidden.tau_syn"}


def test_select_of_kinds_of_spiking_neurons_finds_none_in_a_linear_model():
    net = es.scsr(3, (), 2)
    assert select(net, TrainConfig().trained()) == [
        "output.tau_mem",
        "output.tau_syn",
        "output.resistance",
        "output.v_leak",
        "input->output.weights",
    ]


def test_delays_of_neurons_onto_themselves_are_chosen_by_their_key_alone():
    net = es.scsr(4, (3,), 2)
    between = {"input->hidden1.delays", "input->output.delays", "hidden1->output.delays"}
    assert set(select(net, ["delays"])) == between
    assert "hidden1->hidden1.delays" not in select(net, ["delays"])
    assert select(net, ["hidden1->hidden1.delays"]) == ["hidden1->hidden1.delays"]
    assert "hidden1->hidden1.weights" in select(net, ["weights"])


def test_many_large_steps_never_leave_the_domain():
    net = small_net()
    rates = LearningRates(weights=1.0, taus=1.0, intrinsic=1.0, delays=1.0)
    adam = AdamW(net, select(net, EVERYTHING), AdamSettings(rates=rates))
    for sign in (1.0, -1.0, 1.0):
        for _ in range(20):
            gradients = gradients_like(net, sign)
            gradients["hidden.v_reset"] = np.full(3, -sign)
            adam.step(gradients)
            net.check()
            hidden = net.populations["hidden"]
            assert (hidden.tau_mem >= 3.0).all()
            assert (hidden.tau_syn >= 1.0).all()
            assert (hidden.threshold - hidden.v_reset >= 0.05 - 1e-12).all()


def test_v_reset_alone_is_kept_below_the_threshold():
    net = small_net()
    rates = LearningRates(intrinsic=5.0)
    AdamW(net, ["hidden.v_reset"], AdamSettings(rates=rates)).step(
        {"hidden.v_reset": np.full(3, -1.0)}
    )
    np.testing.assert_allclose(net.populations["hidden"].v_reset, 0.95)
    np.testing.assert_array_equal(net.populations["hidden"].threshold, 1.0)


def test_clipping_scales_the_common_norm():
    net = small_net()
    keys = ["hidden->output.weights", "hidden.v_leak"]
    adam = AdamW(net, keys, AdamSettings(clip_norm=0.5))
    gradients = {keys[0]: np.full((3, 2), 3.0), keys[1]: np.full(3, 4.0)}
    report = adam.step(gradients)
    norm = math.sqrt(6 * 9.0 + 3 * 16.0)
    assert report.norm == pytest.approx(norm)
    assert report.clipped
    first = adam.to_arrays()[f"first.{keys[1]}"]
    np.testing.assert_allclose(first, 0.1 * 4.0 * 0.5 / norm)
    assert not adam.step(gradients_like(net, 1e-3)).clipped


def test_gradient_that_is_not_finite_skips_the_step_and_says_so():
    net = small_net()
    adam = AdamW(net, select(net, ["weights"]))
    before = net.parameters()["input->hidden.weights"].copy()
    gradients = gradients_like(net)
    gradients["hidden->hidden.weights"][0] = np.nan
    assert adam.step(gradients).skipped
    assert adam.n_steps == 0
    np.testing.assert_array_equal(net.parameters()["input->hidden.weights"], before)


def test_schedule_eases_in_then_falls_to_zero():
    factors = np.array([schedule(k, total=100, ease_in=10) for k in range(100)])
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10)
    assert factors[10] == 1.0
    assert (np.diff(factors[10:]) < 0).all()
    assert 0.0 < factors[-1] < 0.01
    assert schedule(0, total=1, ease_in=0) == 1.0


def test_self_weights_stay_below_the_bound_at_which_a_neuron_runs_away():
    net = scsr(2, (3,), 2, tau_mem=8.0, tau_syn=16.0, refractory=0.0)
    net.populations["hidden1"].refractory[2] = 1.0
    key = "hidden1->hidden1.weights"
    optimiser = AdamW(net, select(net, ["weights"]), AdamSettings(rates=LearningRates(weights=5.0)))
    gradients = {name: np.zeros_like(values) for name, values in net.parameters().items()}
    gradients[key] -= 1.0
    optimiser.step(gradients)
    weights = net.parameters()[key]
    assert np.allclose(weights[:2], 0.8 * 8.0 / 16.0)
    assert weights[2] > 4.0


def test_a_resting_potential_stays_below_the_threshold():
    net = scsr(2, (3,), 2)
    optimiser = AdamW(
        net, select(net, ["v_leak"]), AdamSettings(rates=LearningRates(intrinsic=9.0))
    )
    gradients = {name: -np.ones_like(values) for name, values in net.parameters().items()}
    optimiser.step(gradients)
    assert np.allclose(net.populations["hidden1"].v_leak, 0.95)
    assert np.allclose(net.populations["output"].v_leak, 9.0)
