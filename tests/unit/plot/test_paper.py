"""Figures for papers: confusion, comparison, F-I curve, and files in other formats."""

import numpy as np
import pytest

import eventsim as es
from eventsim.cli.options import forms_of
from eventsim.plot.style import encoded, figure


def test_confusion_shows_counts_names_and_answers_that_are_no_class():
    counts = np.array([[3, 1, 0], [0, 2, 4]])
    axes = es.plot.confusion(counts, ("no", "yes"), ax=figure(3, 3).subplots())
    assert [text.get_text() for text in axes.texts] == ["3", "1", "2", "4"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["no", "yes", "#2"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 1 / 3, 2 / 3]])


def test_comparison_draws_every_value_and_mean_and_deviation_of_a_sample():
    values = {"plain": [81.0, 84.0, 87.0], "bip": [90.0]}
    axes = es.plot.comparison(values, baseline="plain", ax=figure(5, 2).subplots())
    dots = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert [one for one in dots if one] == [[81.0, 84.0, 87.0], [90.0]]
    (low, high), _ = axes.collections[0].get_segments()[0].T
    assert (low, high) == pytest.approx((81.0, 87.0))  # 84 and 3 on both sides
    assert [label.get_text() for label in axes.get_yticklabels()] == ["plain", "bip"]


def neuron(**more):
    net = es.Network()
    net.add_input("input", 1)
    values = {
        "v_leak": -0.2,
        "v_reset": -0.5,
        "threshold": 1.1,
        "resistance": 1.7,
        "refractory": 3.0,
    }
    net.add_population("n", 2, tau_mem=[20.0, 12.0], **values, **more)
    return net


def test_fi_curve_is_that_of_the_closed_form():
    currents = np.linspace(0.0, 4.0, 41)
    axes = es.plot.fi_curve(neuron(), "n", neuron=1, currents=currents, ax=figure(3, 3).subplots())
    rest = -0.2 + 1.7 * currents
    with np.errstate(divide="ignore", invalid="ignore"):
        interval = 3.0 + 12.0 * np.log((rest + 0.5) / (rest - 1.1))
    expected = np.where(rest > 1.1, 1000.0 / interval, 0.0)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), expected, rtol=1e-9)
    assert axes.lines[1].get_xdata()[0] == pytest.approx(1.3 / 1.7)


def test_fi_curve_passes_the_rheobase_of_any_neuron():
    """At the rheobase, which is on the axis, the resting potential is the threshold, rounded."""
    rng = np.random.default_rng(0)
    net = es.Network()
    net.add_input("in", 1)
    net.add_population(
        "n", 30, threshold=rng.uniform(0.5, 2.0, 30), v_leak=rng.uniform(-0.1, 0.1, 30),
        resistance=rng.uniform(0.5, 2.0, 30),
    )  # fmt: skip
    net.connect("in", "n", np.zeros((1, 30)))
    for k in range(30):
        axes = es.plot.fi_curve(net, "n", neuron=k, duration=200.0, ax=figure(3, 3).subplots())
        rates = axes.lines[0].get_ydata()
        assert (rates[:26] == 0.0).all()  # up to the rheobase
        assert (rates[26:] > 0.0).all()


def test_fi_curve_of_an_adaptive_neuron_lies_below():
    plain, adaptive = (
        es.plot.fi_curve(net, "n", ax=figure(3, 3).subplots()).lines[0].get_ydata()
        for net in (neuron(), neuron(adaptation=0.3, tau_adaptation=80.0))
    )
    fires = plain > 0
    assert (adaptive[fires] < plain[fires]).all()
    assert adaptive[-1] > 0


@pytest.mark.parametrize(
    ("form", "begin"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")]
)
def test_figure_is_written_in_every_format_with_the_same_bytes(form, begin):
    found = []
    for _ in range(2):
        drawn = figure(2, 2)
        drawn.subplots().plot([1, 2])
        found.append(encoded(drawn, form))
    assert found[0].startswith(begin)
    assert found[0] == found[1]


def test_formats_that_are_typed_are_known_ones():
    assert forms_of("pdf, svg") == ("pdf", "svg")
    assert forms_of(None) == ()
