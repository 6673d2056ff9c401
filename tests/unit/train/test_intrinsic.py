import numpy as np
import pytest

import eventsim as es
from eventsim.train import SpiKL, TrainConfig, train
from tests.unit.train.task import small_net, two_patterns

RULE = SpiKL(resistance=0.05, tau_mem=0.05, mean_rate=60.0)
MEAN = 0.06  # per ms


def neuron(**more):
    net = es.Network()
    values = {"tau_mem": 20.0, "resistance": 1.4, "threshold": 1.1, "refractory": 1.5}
    net.add_population("one", 1, **(values | {"v_leak": 0.2, "v_reset": -0.3} | more))
    return net.populations["one"]


def rate(x, resistance, tau, p):
    """Rate per ms under a constant current."""
    above = resistance * x - (p.threshold - p.v_leak)
    return 1.0 / (p.refractory + tau * np.log1p((p.threshold - p.v_reset) / above))


def pointwise(x, resistance, tau, p):
    h = 1e-6 * x
    slope = (rate(x + h, resistance, tau, p) - rate(x - h, resistance, tau, p)) / (2 * h)
    return -np.log(slope) + rate(x, resistance, tau, p) / MEAN


@pytest.mark.parametrize(
    "more", [{}, {"v_leak": 0.0, "v_reset": 0.0, "refractory": 0.0}, {"tau_mem": 60.0}]
)
def test_descent_is_that_of_finite_differences_of_the_divergence(more):
    p = neuron(**more)
    resistance, tau = float(p.resistance[0]), float(p.tau_mem[0])
    x = np.linspace(1.4, 6.0, 9)
    y = rate(x, resistance, tau, p)
    assert (y * tau > RULE.floor).all()
    found = RULE.descent(p, y[:, np.newaxis])
    h = 1e-4
    by_r = pointwise(x, resistance * np.exp(h), tau, p) - pointwise(
        x, resistance * np.exp(-h), tau, p
    )
    by_tau = pointwise(x, resistance, tau * np.exp(h), p) - pointwise(
        x, resistance, tau * np.exp(-h), p
    )
    np.testing.assert_allclose(found["resistance"][:, 0], -by_r / (2 * h), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["tau_mem"][:, 0], -by_tau / (2 * h), rtol=1e-4, atol=1e-5)


def test_the_mean_of_descent_is_the_slope_of_the_divergence_of_the_two_distributions():
    """The divergence is an integral over rates here, not over currents."""
    p, low, high = neuron(), 1.5, 5.0
    resistance, tau = float(p.resistance[0]), float(p.tau_mem[0])

    def divergence(resistance, tau):
        nodes, weights = np.polynomial.legendre.leggauss(200)
        ends = rate(np.array([low, high]), resistance, tau, p)
        y = ends.mean() + 0.5 * (ends[1] - ends[0]) * nodes
        rise = p.threshold - p.v_reset
        w = rise / np.expm1((1 / y - p.refractory) / tau)
        x_slope = w * (w + rise) / (y**2 * tau * resistance * rise)  # dx/dy
        density = x_slope / (high - low)
        integrand = density * (np.log(density) + y / MEAN + np.log(MEAN))
        return 0.5 * (ends[1] - ends[0]) * float(weights @ integrand)

    nodes, weights = np.polynomial.legendre.leggauss(200)
    x = 0.5 * (low + high) + 0.5 * (high - low) * nodes
    found = RULE.descent(p, rate(x, resistance, tau, p)[:, np.newaxis])
    h = 1e-5
    by_r = divergence(resistance * np.exp(h), tau) - divergence(resistance * np.exp(-h), tau)
    by_tau = divergence(resistance, tau * np.exp(h)) - divergence(resistance, tau * np.exp(-h))
    for name, slope in (("resistance", by_r), ("tau_mem", by_tau)):
        mean = 0.5 * float(weights @ found[name][:, 0])
        assert mean == pytest.approx(-slope / (2 * h), rel=1e-5), name


def test_without_leak_and_reset_these_are_the_published_derivatives():
    p = neuron(v_leak=0.0, v_reset=0.0, threshold=1.0)
    y, beta, tau, t_ref = np.array([[0.04], [0.09]]), 1 / MEAN, 20.0, 1.5
    w = 1.0 / (np.exp((1 / y - t_ref) / tau) - 1.0)
    by_r = (2 * y * tau - w - 1 - beta * tau * y * y) / w
    by_tau = 2 * t_ref * y - 1 - beta * (t_ref * y * y - y)
    found = RULE.descent(p, y)
    np.testing.assert_allclose(found["resistance"], by_r, rtol=1e-12)
    np.testing.assert_allclose(found["tau_mem"], by_tau, rtol=1e-12)


def test_quiet_neurons_are_pushed_by_a_constant_and_no_rate_gives_nonsense():
    p = neuron()
    found = RULE.descent(p, np.array([[0.0], [0.01], [0.032], [0.66], [5.0]]))
    assert (found["resistance"][:3] == 1.0).all()
    assert (found["tau_mem"][:3] == -1.0).all()
    assert all(np.isfinite(value).all() for value in found.values())


def driven(weight, n=12, samples=24, seed=0):
    """Neurons with Poisson input of another rate in every sample."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 4)
    net.add_population("hidden", n, tau_mem=20.0, tau_syn=5.0, refractory=1.0)
    net.connect("input", "hidden", rng.uniform(0.7, 1.3, (4, n)) * weight)
    events = []
    for mean in rng.uniform(60, 300, samples):
        count = rng.poisson(mean)
        events.append((np.sort(rng.uniform(0, 200, count)), rng.integers(0, 4, count)))
    stream = es.EventStream.from_samples(events, n_channels=4, duration=200.0)
    return net, stream


def mean_rate(net, stream):
    tape = es.simulate(net, stream, precision="double")
    return float(tape["hidden"].counts().mean()) / 200.0 * 1000.0, tape


@pytest.mark.parametrize("weight", [0.3, 6.0])
def test_the_mean_rate_moves_towards_the_target(weight):
    net, stream = driven(weight)
    rule = SpiKL(resistance=0.05, tau_mem=0.05, mean_rate=100.0)
    before, _ = mean_rate(net, stream)
    for _ in range(40):
        rule(net, mean_rate(net, stream)[1], ["hidden"])
    after, _ = mean_rate(net, stream)
    assert abs(before - 100.0) > 20.0
    assert abs(after - 100.0) < 0.5 * abs(before - 100.0)
    p = net.populations["hidden"]
    assert ((p.resistance >= 0.5) & (p.resistance <= 8.0)).all()
    assert ((p.tau_mem >= 10.0) & (p.tau_mem <= 160.0)).all()


def test_bounds_hold_and_the_other_parameter_stays():
    net, stream = driven(6.0)
    rule = SpiKL(tau_mem=10.0, mean_rate=1.0, tau_mem_bounds=(15.0, 30.0))
    for _ in range(3):
        rule(net, mean_rate(net, stream)[1], ["hidden"])
    assert (net.populations["hidden"].tau_mem == 30.0).all()
    assert (net.populations["hidden"].resistance == 1.0).all()


def test_pulls_of_parts_of_a_batch_add_up():
    net, stream = driven(2.0)
    whole = RULE.pull(net, mean_rate(net, stream)[1], ["hidden"])
    parts = [
        RULE.pull(net, es.simulate(net, stream[part], precision="double"), ["hidden"])
        for part in (slice(0, 7), slice(7, 24))
    ]
    np.testing.assert_allclose(whole, sum(parts), rtol=1e-12)


def trained(tmp_path, name, **more):
    config = TrainConfig(
        epochs=2,
        batch_size=8,
        validation_fraction=0.0,
        bip=("tau_syn", "threshold"),
        precision="double",
        **more,
    )
    start = small_net()
    result = train(start, two_patterns(16), config, tmp_path / name)
    return start.populations["hidden1"], result.net.populations["hidden1"]


def test_training_follows_the_rule_beside_the_gradient(tmp_path):
    start, plain = trained(tmp_path, "plain")
    _, tuned = trained(tmp_path, "tuned", spikl=RULE)
    np.testing.assert_array_equal(plain.tau_mem, start.tau_mem)
    assert (tuned.tau_mem != start.tau_mem).all()
    assert (tuned.resistance != start.resistance).all()
    assert (tuned.tau_syn != start.tau_syn).any()
