"""Values of a table's lines, joined and ordered, against what a reader would write by hand."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.errors import DataError
from eventsim.events import Dataset, EventStream
from eventsim.events.targets import Classes, Strings, Values, differ

NAN = np.nan


def of_lines(*lines, zero=0.0, duration=40.0):
    """Values of recordings of which each has the lines (time, value)."""
    given = [[(time, (value,)) for time, value in mine] for mine in lines]
    n = len(lines)
    zeros, durations = np.broadcast_to(zero, n), np.broadcast_to(duration, n)
    return Values.of_lines(given, zero=zeros, duration=durations, names=("speed",))


def test_lines_are_sorted_by_time_with_their_values_and_padded_at_their_last_time():
    found = of_lines([(30.0, 3.0), (10.0, 1.0), (20.0, 2.0)], [(5.0, 9.0)])
    assert found.times.tolist() == [[10.0, 20.0, 30.0], [5.0, 5.0, 5.0]]
    np.testing.assert_array_equal(found.values[..., 0], [[1.0, 2.0, 3.0], [9.0, NAN, NAN]])
    assert found.given == 4


@pytest.mark.parametrize(
    ("lines", "end"), [([(NAN, 7.0), (30.0, 1.0)], 40.0), ([(NAN, 7.0), (55.0, 1.0)], 55.0)]
)
def test_value_without_a_time_is_wanted_at_the_end_of_a_recording_that_lasts_for_all(lines, end):
    found = of_lines(lines)
    at = dict(zip(found.values[0, :, 0].tolist(), found.times[0].tolist(), strict=True))
    assert at == {7.0: end, 1.0: lines[1][0]}


def test_times_are_of_the_clock_of_the_table_and_none_is_before_the_recording():
    found = of_lines([(1010.0, 1.0)], [(1010.0, 2.0)], zero=[1000.0, 1004.0])
    assert found.times.tolist() == [[10.0], [6.0]]


def test_outputs_go_by_name_and_others_are_refused():
    values = np.arange(18.0).reshape(2, 3, 3)
    mine = Values(values, np.zeros((2, 3)), ("speed", "angle", "force"))
    found = mine.ordered(("angle", "force", "speed"), "here")  # an order that is not its inverse
    np.testing.assert_array_equal(found.values, values[:, :, [1, 2, 0]])
    assert found.names == ("angle", "force", "speed")
    assert mine.ordered(mine.names, "here") is mine


def test_joined_sets_have_nothing_behind_the_times_of_the_shorter():
    one = of_lines([(10.0, 1.0), (20.0, 2.0)])
    found = Values.joined([one, of_lines([(5.0, 3.0)])])
    assert found.times.tolist() == [[10.0, 20.0], [5.0, 5.0]]
    np.testing.assert_array_equal(found.values[..., 0], [[1.0, 2.0], [3.0, NAN]])
    np.testing.assert_array_equal(found.of([1]).values, found.values[1:])


def test_summary_and_difference_are_of_the_values_that_are_given():
    values = np.array([[[1.0, 0.1, NAN], [-4.0, 0.1, NAN]], [[NAN, 0.1, NAN], [2.0, 0.1, NAN]]])
    found = Values(values, np.zeros((2, 2)), ("speed", "angle", "up"))
    assert found.summary() == {
        "speed": {"values": 3, "least": -4.0, "largest": 2.0},
        "angle": {"values": 4, "least": 0.1, "largest": 0.1},
        "up": {"values": 0, "least": None, "largest": None},
    }
    assert differ(values).tolist() == [True, False, False]


def test_unit_of_an_output_is_its_deviation_or_1_where_all_values_are_equal():
    values = np.random.default_rng(0).normal(4.0, 3.0, (5, 6, 2))
    values[0, 0, 0] = np.nan
    values[:, :, 1] = 0.1  # whose deviation is rounded, and above 0
    assert 0.0 < values[:, :, 1].std() < 1e-15
    wanted = Values(values, np.zeros((5, 6)), ("speed", "angle"))
    mean, size = wanted.scale("these")
    np.testing.assert_allclose(mean, [np.nanmean(values[:, :, 0]), 0.1], rtol=1e-12)
    np.testing.assert_allclose(size, [np.nanstd(values[:, :, 0]), 1.0], rtol=1e-12)
    values[:, :, 1] = np.nan
    with pytest.raises(DataError, match="these: .* no target of the output 'angle'"):
        wanted.scale("these")


def test_a_guess_is_the_commonest_class_or_the_mean_of_values_of_training():
    learned = Classes(np.array([1, 1, 0]), ("no", "yes"))
    assert learned.guessed(Classes(np.array([0, 1, 1, 2]), ("yes", "no", "up"))) == 0.25
    values = np.array([[[1.0, 10.0]], [[3.0, np.nan]]])
    mine = Values(values, np.zeros((2, 1)), ("speed", "angle"))
    test = Values(np.array([[[4.0, 12.0]], [[np.nan, 9.0]]]), np.zeros((2, 1)), mine.names)
    assert mine.guessed(test) == np.mean([2.0**2, 2.0**2, 1.0])


def test_the_target_of_recordings_is_of_the_type_of_their_answers():
    stream = EventStream.from_samples([([], [])] * 2, n_channels=1, duration=1.0)
    plain = Dataset(stream, [0, 1], ["no", "yes"])
    said = Dataset(stream, [0, 1], ["no", "yes no"])
    wanted = replace(plain, targets=Values(np.zeros((2, 1, 1)), np.zeros((2, 1)), ("speed",)))
    found = [type(each.target) for each in (plain, said, wanted)]
    assert found == [Classes, Strings, Values]
    assert [each.target.given for each in (plain, said, wanted)] == [2, 2, 2]
