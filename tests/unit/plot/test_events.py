import numpy as np
import pytest
from matplotlib.colors import to_rgb

import eventsim as es
from eventsim.events import Dataset
from eventsim.plot.events import DENSE
from eventsim.plot.style import BLUE, VERMILION


def test_stream_has_a_dot_for_every_event(stream):
    axes = es.plot.stream(stream, sample=-1)

    [dots] = axes.collections
    np.testing.assert_array_equal(dots.get_offsets(), np.transpose(stream.sample(1)))
    assert axes.get_xlim() == (0.0, 20.0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (ms)", "channel")


def test_stream_on_disk_is_drawn_as_in_memory(stream, tmp_path):
    Dataset(stream, [0, 1], class_names=("a", "b")).save(tmp_path / "two.h5")
    stored = Dataset.open(tmp_path / "two.h5").stream

    axes = es.plot.stream(stored, sample=1)

    np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.transpose(stream.sample(1)))


def test_many_events_are_drawn_as_counts():
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.0, 10.0, DENSE + 1))
    channels = rng.integers(0, 300, times.size)
    stream = es.EventStream(times, channels, [0, times.size], n_channels=300, duration=10.0)

    axes = es.plot.stream(stream)

    assert not axes.collections
    assert axes.images[0].get_array().sum() == times.size


def test_camera_shows_pixels_in_the_hue_of_their_polarity():
    # Channels of a sensor 3 wide and 2 high: (p * 2 + y) * 3 + x.
    off, on, both = 0 * 6 + 1 * 3 + 2, 1 * 6 + 0 * 3 + 1, (0, 6)
    channels = [off, on, *both]
    stream = es.EventStream([1.0, 2.0, 3.0, 4.0], channels, [0, 4], n_channels=12, duration=5.0)

    axes = es.plot.stream(stream, sensor=(3, 2, 2))

    picture = np.asarray(axes.images[0].get_array())
    assert picture.shape == (2, 3, 3)
    hue = 1.0 - (1.0 - picture) / (1.0 - picture).max(axis=-1, keepdims=True).clip(1e-9)
    np.testing.assert_allclose(hue[1, 2], to_rgb(VERMILION), atol=1e-9)
    np.testing.assert_allclose(hue[0, 1], to_rgb(BLUE), atol=1e-9)
    np.testing.assert_allclose(picture[0, 0], (np.array(to_rgb(VERMILION)) + to_rgb(BLUE)) / 2)
    assert (picture[[0, 1, 1], [2, 0, 1]] == 1.0).all()
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["on", "off"]


def test_camera_of_one_polarity_has_no_legend(stream):
    axes = es.plot.stream(stream, sensor=(2, 2))

    picture = np.asarray(axes.images[0].get_array())
    assert (picture[1, 0] == 1.0).all()  # channel 2 has no event in sample 0
    assert axes.get_legend() is None


@pytest.mark.parametrize("sensor", [None, (2, 1, 2)])
def test_empty_recording_is_drawn(sensor):
    empty = es.EventStream([], [], [0, 0], n_channels=4, duration=5.0)

    axes = es.plot.stream(empty, sensor=sensor)

    axes.figure.canvas.draw()
    assert axes.get_xlabel()
