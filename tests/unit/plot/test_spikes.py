from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import eventsim as es
from eventsim.errors import NetworkError


def points(axes):
    """Times and heights of the dots of every band, from top to bottom."""
    return [np.asarray(dots.get_offsets()).T for dots in axes.collections]


@pytest.mark.parametrize("sample", [0, 1, -1])
def test_raster_has_a_dot_for_every_event_and_spike(tape, sample):
    axes = es.plot.raster(tape, sample=sample)

    drawn = points(axes)
    expected = [tape.stream.sample(sample), *(tape[name].sample(sample) for name in tape.names)]
    assert len(drawn) == 3
    for (x, y), (times, rows) in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(x, times)
        # Heights rise evenly with the number of the row.
        if np.unique(rows).size > 1:
            slope, base = np.polyfit(rows, y, 1)
            assert slope > 0.0
            np.testing.assert_allclose(y, base + slope * rows, atol=1e-9)
    assert axes.get_xlim() == (0.0, tape.stream.duration[sample])
    assert axes.get_xlabel() == "time (ms)"


def test_bands_lie_one_below_the_other_and_bear_their_names(tape):
    axes = es.plot.raster(tape)

    upper, middle, lower = (y for _, y in points(axes))
    assert upper.min() > middle.max() > middle.min() > lower.max()
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["input\n4 channels", "first\n9 neurons", "second\n2 neurons"]


def test_raster_of_one_population_counts_its_neurons(tape):
    axes = es.plot.raster(tape, populations=["first"])

    [(x, y)] = points(axes)
    times, neurons = tape["first"].sample(0)
    np.testing.assert_array_equal(x, times)
    np.testing.assert_array_equal(y, neurons)
    assert axes.get_ylabel() == "first neuron"
    assert list(axes.get_yticks()) == [0, 8]


def test_chosen_populations_keep_order_and_colour(tape):
    everything = es.plot.raster(tape)
    chosen = es.plot.raster(tape, populations=["second", "input"])

    colours = [dots.get_facecolor()[0, :3].tolist() for dots in everything.collections]
    assert [dots.get_facecolor()[0, :3].tolist() for dots in chosen.collections] == [
        colours[2],
        colours[0],
    ]
    labels = [text.get_text() for text in chosen.get_yticklabels()]
    assert labels == ["second\n2 neurons", "input\n4 channels"]


def test_raster_of_a_silent_run_has_labels_and_no_dots(net):
    silent = es.EventStream([], [], [0, 0], n_channels=4, duration=5.0)

    axes = es.plot.raster(es.simulate(net, silent, backend="reference"))

    axes.figure.canvas.draw()
    assert [x.size for x, _ in points(axes)] == [0, 0, 0]
    assert len(axes.get_yticklabels()) == 3


def test_small_axes_have_names_alone(tape):
    axes = Figure(figsize=(2.0, 0.8)).subplots()

    es.plot.raster(tape, ax=axes)

    assert [text.get_text() for text in axes.get_yticklabels()] == ["input", "first", "second"]


def test_an_input_bears_its_own_name():
    net = es.Network()
    net.add_input("microphone", 3)
    net.add_population("input", 2)  # a name like any other
    net.connect("microphone", "input", np.full((3, 2), 5.0))
    stream = es.EventStream([1.0, 2.0], [0, 2], [0, 2], n_channels=3, duration=9.0)
    tape = es.simulate(net, stream, backend="reference")
    assert tape.input == "microphone"
    labels = es.plot.raster(tape).get_yticklabels()
    assert [text.get_text() for text in labels] == ["microphone\n3 channels", "input\n2 neurons"]
    assert es.plot.raster(tape, populations=["microphone"]).get_ylabel() == "microphone channel"
    assert replace(tape, structure=None).input == "input"
    with pytest.raises(NetworkError, match="'outside'"):
        es.plot.raster(tape, populations=["outside"])
