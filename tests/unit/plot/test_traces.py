import numpy as np
import pytest
from matplotlib.figure import Figure

import eventsim as es


def curves(axes):
    """Solid lines of more than two points: the traces."""
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


@pytest.mark.parametrize("sample", [0, 1])
def test_trace_is_the_voltage_and_its_jumps_are_vertical(net, tape, sample):
    axes = es.plot.voltages(net, tape, "first", neurons=[3], sample=sample)

    [trace] = curves(axes)
    times, values = trace.get_data()
    expected = es.voltage(net, tape, "first", times, neurons=[3])[sample, :, 0]
    np.testing.assert_array_equal(values, expected)
    assert (times[0], times[-1]) == (0.0, tape.stream.duration[sample])
    all_times, neurons = tape["first"].sample(sample)
    spikes = all_times[neurons == 3]
    assert spikes.size
    at = np.searchsorted(times, spikes)
    np.testing.assert_array_equal(times[at], spikes)
    np.testing.assert_array_equal(times[at - 1], np.nextafter(spikes, 0.0))
    np.testing.assert_allclose(values[at - 1], 1.0, atol=1e-9)
    np.testing.assert_allclose(values[at], 0.0, atol=1e-12)


def test_spikes_are_marked_above_the_threshold(net, tape):
    axes = es.plot.voltages(net, tape, "first", neurons=[3])

    times, neurons = tape["first"].sample(0)
    [marks] = axes.collections
    segments = np.array(marks.get_segments())
    np.testing.assert_array_equal(segments[:, 0, 0], times[neurons == 3])
    assert (segments[:, :, 1] > 1.0).all()
    assert segments.max(initial=0.0, axis=(0, 1))[1] < axes.get_ylim()[1]


def test_lanes_lie_one_below_the_other_in_the_order_asked_for(net, tape):
    axes = es.plot.voltages(net, tape, "first", neurons=[5, 0, 7])

    expected = es.voltage(net, tape, "first", curves(axes)[0].get_xdata(), neurons=[5, 0, 7])[0]
    shifts = []
    for k, trace in enumerate(curves(axes)):
        shift = trace.get_ydata() - expected[:, k]
        np.testing.assert_allclose(shift, shift[0], atol=1e-12)
        shifts.append(shift[0])
    assert shifts[0] > shifts[1] > shifts[2] == 0.0
    names = [text.get_text() for text in axes.get_yticklabels(minor=True)]
    assert names == ["neuron 5", "neuron 0", "neuron 7"]


def test_neurons_with_most_spikes_are_drawn_where_none_is_named(net, tape):
    axes = es.plot.voltages(net, tape, "first")

    counts = tape["first"].counts()[0]
    names = [text.get_text() for text in axes.get_yticklabels(minor=True)]
    drawn = [int(name.removeprefix("neuron ")) for name in names]
    assert len(drawn) == 4
    assert counts[drawn].min() >= np.delete(counts, drawn).max()
    assert drawn == sorted(drawn)


def test_window_holds_the_times_asked_for_and_the_spikes_inside(net, tape):
    asked = np.array([4.0, 12.0, 8.0])
    times, neurons = tape["first"].sample(0)
    spikes = times[(neurons == 3) & (times > 4.0) & (times < 12.0)]

    axes = es.plot.voltages(net, tape, "first", neurons=[3], times=asked)

    drawn = curves(axes)[0].get_xdata()
    np.testing.assert_array_equal(drawn, np.sort([*asked, *spikes, *np.nextafter(spikes, 0.0)]))
    assert axes.get_xlim() == (4.0, 12.0)
    assert len(axes.collections[0].get_segments()) == spikes.size


def test_readout_is_drawn_on_one_axis_with_the_names_of_its_classes(net, tape):
    net = net.copy()
    net.set_answer(es.Answer(population="output", class_names=("yes", "no", "silence")))

    axes = es.plot.voltages(net, tape, "output")

    traces = curves(axes)
    times = traces[0].get_xdata()
    values = np.transpose([trace.get_ydata() for trace in traces])
    np.testing.assert_array_equal(values, es.voltage(net, tape, "output", times)[0])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["yes", "no", "silence"]
    assert not axes.collections


def test_silent_population_and_population_itself_are_drawn(net):
    silent = es.EventStream([], [], [0, 0], n_channels=4, duration=5.0)
    quiet = es.simulate(net, silent, backend="reference")

    axes = es.plot.voltages(net, quiet, net.populations["first"])

    axes.figure.canvas.draw()
    assert len(curves(axes)) == 4


def test_small_axes_keep_names_of_lanes_apart(net, tape):
    axes = Figure(figsize=(2.0, 1.2)).subplots()

    es.plot.voltages(net, tape, "first", ax=axes)

    assert axes.get_ylabel() == "voltage"
    assert not axes.get_yticks().size


def test_traces_of_a_later_chunk_go_over_the_chunk(net, tape):
    _, later, *_ = es.simulate_chunks(net, tape.stream.chunks(20.0))
    [trace] = curves(es.plot.voltages(net, later, "first", neurons=[3]))
    times, values = trace.get_data()
    assert (times[0], times[-1]) == (20.0, 40.0)
    expected = es.voltage(net, tape, "first", times, neurons=[3])[0, :, 0]
    np.testing.assert_allclose(values, expected, atol=1e-9)
