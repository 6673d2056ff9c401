"""Structured arrays, data sets of other libraries, NIR's EventData."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eventsim import datasets
from eventsim.datasets import nir_events, ntidigits
from eventsim.datasets.adapters import AdaptedSet, from_arrays, from_nir, to_nir
from eventsim.events import EventStream, StoredStream, write_stored
from tests.support.recordings import COCHLEA, camera


def test_channel_is_the_flat_index_of_polarity_row_and_column():
    events = camera((5, 7, 2000, 1), (0, 0, 500, 0), (33, 33, 1000, 1))
    stream = from_arrays(events, sensor_size=(34, 34, 2))
    assert stream.n_channels == 2 * 34 * 34
    assert stream.times.tolist() == [0.5, 1.0, 2.0]
    expected = np.ravel_multi_index([[0, 1, 1], [0, 33, 7], [0, 33, 5]], (2, 34, 34))
    assert stream.channels.tolist() == expected.tolist()
    assert stream.duration.tolist() == [3.0]


@pytest.mark.parametrize(
    ("begin", "durations"),
    [("zero", [9.0, 7.5]), ("first-event", [7.0, 4.5]), (1.5, [7.5, 6.0])],
    ids=str,
)
def test_a_duration_that_is_given_moves_along_with_the_begin(begin, durations):
    samples = [camera((0, 0, t, 0)) for t in (2000, 3000)]
    stream = from_arrays(samples, begin=begin, duration=[9.0, 7.5])
    assert stream.duration.tolist() == durations
    left = np.array([9.0, 7.5]) - [2.0, 3.0]  # after the only event
    assert (stream.duration - stream.times).tolist() == left.tolist()


def test_fields_of_size_one_do_not_count():
    events = np.array([(10, 3, 1), (20, 63, 1)], COCHLEA)
    assert from_arrays(events, sensor_size=(64, 1, 1)).channels.tolist() == [3, 63]
    merged = from_arrays(camera((1, 2, 0, 0), (1, 2, 0, 1)), sensor_size=(4, 4, 1))
    assert merged.channels.tolist() == [9, 9]


def test_polarities_and_rows_that_share_channels_are_warned_of(caplog):
    events = camera((1, 1, 0, 1), (2, 0, 1, 1), (3, 1, 1, 0))
    from_arrays(events, sensor_size=(4, 4, 2))
    from_arrays(events[:1], sensor_size=(4, 4, 1))
    assert not caplog.messages
    from_arrays([events, events[:1]], sensor_size=(4, 4, 1))
    (said,) = caplog.messages
    assert "polarities merged" in said
    assert "3 of p 1, 1 of p 0 events share channels" in said
    from_arrays(events, sensor_size=(4, 1, 2))
    rows = "rows merged, as the sensor's size has 1 value of y: 2 of y 1, 1 of y 0"
    assert rows in caplog.messages[1]


def test_an_adapted_set_tells_which_polarities_share_channels(caplog):
    class Camera(Recorded):
        sensor_size = (4, 4, 1)

        def __getitem__(self, index):
            return camera((1, 0, 0, index % 2)), 0

    AdaptedSet(Camera()).dataset()
    (said,) = caplog.messages
    assert said.startswith("Camera: ")
    assert "2 of p 0, 1 of p 1" in said


def test_size_is_taken_from_the_events_if_it_is_not_given():
    first, second = camera((3, 0, 0, 1)), camera((0, 1, 0, 0))
    stream = from_arrays([first, second, camera()])
    assert stream.n_channels == 4 * 2 * 2
    assert stream.offsets.tolist() == [0, 1, 2, 2]
    assert from_arrays(np.array([(1, 5, 1)], COCHLEA)).n_channels == 6
    assert from_arrays([]).n_samples == 0


@pytest.mark.parametrize(
    ("dtype", "values"), [(bool, [0, 1, 1]), (np.int8, [-1, 1, 1]), (np.uint8, [0, 1, 1])]
)
def test_polarities_may_be_written_in_three_ways(dtype, values):
    events = np.zeros(3, [("t", float), ("x", np.uint16), ("p", dtype)])
    events["p"] = values
    assert from_arrays(events, sensor_size=(1, 1, 2)).channels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1e-3), ("ms", 1.0), ("us", 1e3)])
def test_times_have_the_unit_that_is_given(unit, factor):
    events = np.array([(0.25 * factor, 0), (1.5 * factor, 1)], [("t", float), ("x", int)])
    stream = from_arrays(events, unit=unit, duration=10.0)
    np.testing.assert_allclose(stream.times, [0.25, 1.5], rtol=1e-15)
    assert stream.duration.tolist() == [10.0]


def test_input_is_not_changed():
    events = camera((5, 7, 2000, 1), (0, 0, 500, 0))
    before = events.copy()
    from_arrays(events)
    np.testing.assert_array_equal(events, before)


class Recorded:
    """As a data set of tonic's; remembers which samples were asked for."""

    sensor_size = (8, 1, 1)

    def __init__(self, targets=(2, 0, 1)):
        self.targets, self.asked = targets, []

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        self.asked.append(index)
        return np.array([(1000 * index, index, 1)], COCHLEA), self.targets[index]


def test_adapted_set_reads_only_what_is_asked_for():
    recorded = Recorded()
    adapted = AdaptedSet(recorded)
    assert (len(adapted), adapted.n_channels, recorded.asked) == (3, 8, [])
    stream, label = adapted.read(2)
    assert (stream.times.tolist(), stream.channels.tolist(), label) == ([2.0], [2], 1)
    part = adapted.dataset([0, 2])
    assert recorded.asked == [2, 0, 2]
    assert part.labels.tolist() == [2, 1]
    assert part.class_names == ("0", "1", "2")
    assert (part.info.name, part.info.channels) == ("Recorded", 8)
    assert adapted.dataset().stream.n_samples == 3
    assert [label for _, label in adapted] == [2, 0, 1]


def test_adapted_set_is_written_sample_by_sample(tmp_path):
    adapted = AdaptedSet(Recorded())
    write_stored(tmp_path / "set.h5", adapted.recordings(), n_channels=adapted.n_channels)
    assert StoredStream.open(tmp_path / "set.h5")[:].times.tolist() == [0.0, 1.0, 2.0]


def test_names_and_labels_may_be_given():
    words = Recorded(["no", "yes"])
    words.classes = [b"no", b"yes"]
    adapted = AdaptedSet(words, label=lambda target: ["no", "yes"].index(target))
    assert adapted.dataset().class_names == ("no", "yes")
    assert AdaptedSet(words, class_names=("a", "b"), label=len).class_names == ("a", "b")


def test_tonics_own_class_gives_the_events_of_the_file(tmp_path):
    tonic = pytest.importorskip("tonic")
    folder = tmp_path / "NTIDIGITS18"
    folder.mkdir()
    rng = np.random.default_rng(0)
    events = {
        key: (np.sort(rng.integers(0, 900_000, 50)) / 1000.0, rng.integers(0, 64, 50))
        for key in ("man-ae-a-o", "man-ae-b-1", "woman-bd-a-z")
    }
    ntidigits.write(folder / "n-tidigits.hdf5", train=events, test={})
    adapted = AdaptedSet(tonic.datasets.NTIDIGITS18(str(tmp_path), train=True, single_digits=True))
    direct, labels, _ = datasets.load("ntidigits", split="train", root=folder)
    through = adapted.dataset()
    assert through.labels.tolist() == labels.tolist() == [0, 1, 10]
    np.testing.assert_array_equal(through.stream.channels, direct.channels)
    # tonic cuts times to whole us.
    np.testing.assert_allclose(through.stream.times, direct.times, atol=1.0001e-3)


TIMES = st.one_of(st.just(0.0), st.floats(1e-300, 100.0))  # below, float64 has fewer digits


@st.composite
def streams(draw):
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))
    samples = []
    for length in lengths:
        times = draw(arrays(float, length, elements=TIMES))
        channels = draw(arrays(int, length, elements=st.integers(0, 4)))
        samples.append((np.sort(times), channels))
    return EventStream.from_samples(samples, n_channels=5, duration=100.0)


@given(stream=streams())
def test_nir_and_back_differs_by_the_last_place_at_most(stream):
    pytest.importorskip("nir")
    data = to_nir(stream)
    assert data.idx.shape == data.time.shape == (len(stream), np.diff(stream.offsets).max())
    assert (data.n_neurons, data.t_max) == (5, 0.1)
    back = from_nir(data)
    np.testing.assert_array_equal(back.offsets, stream.offsets)
    np.testing.assert_array_equal(back.duration, stream.duration)
    np.testing.assert_array_max_ulp(back.times, stream.times, maxulp=1)
    if np.unique(back.times).size == np.unique(stream.times).size == stream.n_events:
        np.testing.assert_array_equal(back.channels, stream.channels)


def test_file_of_nir_gives_the_events_of_its_input(tmp_path):
    nir = pytest.importorskip("nir")
    stream = EventStream([1.0, 2.5, 3.0], [0, 2, 1], [0, 2, 3], n_channels=3, duration=4.0)
    path = tmp_path / "events.nir"
    node = nir.NIRNodeData({"spikes": to_nir(stream)})
    nir.write_data(path, nir.NIRGraphData({"input": node, "hidden": node}))
    found, expected = nir_events.load(path), from_nir(to_nir(stream))
    for name, values in expected.to_arrays().items():
        np.testing.assert_array_equal(found.to_arrays()[name], values)
    assert nir_events.load(path, node="hidden").n_events == stream.n_events


def test_rows_of_nir_may_be_in_any_order_and_filled_anywhere():
    nir = pytest.importorskip("nir")
    index = np.array([[-1, 3, 1], [2, -1, -1]])
    times = np.array([[np.inf, 0.002, 0.001], [0.0, np.inf, np.inf]])
    stream = from_nir(nir.EventData(index, times, 4, 0.005))
    assert stream.times.tolist() == [1.0, 2.0, 0.0]
    assert stream.channels.tolist() == [1, 3, 2]
    assert stream.duration.tolist() == [5.0, 5.0]
    gridded = from_nir(nir.EventData(index, times, 4, 0.005).to_time_gridded(0.001).to_event(2))
    assert gridded.channels.tolist() == [1, 3, 2]


def test_channels_of_arrays_may_be_called_so():
    array = np.array([(2000, 3), (1000, 1)], dtype=[("t", np.int64), ("channel", np.int32)])
    stream = from_arrays([array, array[:1]])
    assert (stream.channels.tolist(), stream.n_channels) == ([1, 3, 3], 4)
    assert array.dtype.names == ("t", "channel")
