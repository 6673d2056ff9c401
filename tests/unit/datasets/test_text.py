"""Events in text files: columns, units, and what is refused."""

import numpy as np
import pytest

from eventsim.datasets import text
from eventsim.datasets.dataset import PLAIN, Assumed
from eventsim.events import EventStream


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "events.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to_file


@pytest.mark.parametrize(
    "content",
    [
        "1.5,3\n0.25,7\n",
        "# recorded at noon\n\n1.5;3\n0.25;7",
        "1.5\t3\n# and\n0.25\t7\r\n",
        "1.5 3\n  0.25   7  \n",
        "time,channel\n1.5,3\n0.25,7\n",
        "t_ms,address\n1.5,3\n0.25,7\n",
        "\ufeffchannel;Time (ms)\n3;1.5\n7;0.25\n",
        '"unit","times"\n3,1.5\n7,0.25\n',
        "time_us,channel\n1500,3\n250,7\n",
        "t (µs),c\n1500,3\n250,7\n",
        "time [s],neuron\n15e-4,3\n0.00025,7\n",
        "t_s,neuron\n15e-4,3\n0.00025,7\n",
        "time_sec,neuron\n15e-4,3\n0.00025,7\n",
        "Time in seconds,neuron\n15e-4,3\n0.00025,7\n",
        "sec,neuron\n15e-4,3\n0.00025,7\n",
        "Seconds,neuron\n15e-4,3\n0.00025,7\n",
        "timestamp (msec),c\n1.5,3\n0.25,7\n",
        "ms,c\n1.5,3\n0.25,7\n",
        "microseconds,c\n1500,3\n250,7\n",
        "t (\u03bcs),c\n1500,3\n250,7\n",
        "timestamp_usec,c\n1500,3\n250,7\n",
        "# t_us,channel\n1500,3\n250,7\n",
        "t1_us,ch0\n1500,3\n250,7\n",
        "# of a cochlea\n#channel time_us\n3 1500\n\n7 250\n",
        "# t, channel: of a cochlea\n1.5,3\n0.25,7\n",
    ],
)
def test_columns_and_units_are_told_from_the_file(write, content):
    stream = text.load(write(content))
    assert stream.times.tolist() == [0.25, 1.5]
    assert stream.channels.tolist() == [7, 3]
    assert stream.n_channels == 8
    assert stream.duration.tolist() == [2.0]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("\ufeffchannel;Time (ms);note\n3;1.5;loud\n7;0.25;quiet\n", ("channel", "time", "-")),
        ("1.5,3,1\n0.25,7,0\n", ("t", "channel", "-")),
        ("1,3,1500\n0,7,250\n", ("-", "channel", "t_us")),
        ("a,ear,b,time (us)\n5,1,3,1500\n5,0,7,250\n", ("-", "-", "channel", "time")),
    ],
)
def test_columns_are_dropped_where_that_is_asked_for(write, content, columns):
    lines = text.read(write(content), columns=columns)
    stream, _ = lines.stream()
    assert stream.times.tolist() == [0.25, 1.5]
    assert stream.channels.tolist() == [7, 3]
    assert len(lines.dropped) == columns.count("-")
    assert lines.guess == ""


def test_header_that_numpy_writes_as_a_remark_is_a_header(tmp_path):
    path = tmp_path / "events.csv"
    events = np.array([[250, 7], [1500, 3]])
    np.savetxt(path, events, fmt="%d", delimiter=",", header="time_us,channel")
    lines = text.read(path)
    assert (lines.unit, lines.assumed, lines.guess) == ("us", None, "")


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("channel t_us", "\t"), ("channel,t_us", "\t"), ("channel\tt_us", ","),
        ("channel, time in us", " "), ("channel t_us\nof the 3rd of May", " "),
    ],
)  # fmt: skip
def test_remark_names_the_columns_whatever_separates_them(tmp_path, header, delimiter):
    path = tmp_path / "events.txt"
    np.savetxt(path, [[7, 250], [3, 1500]], fmt="%d", delimiter=delimiter, header=header)
    stream = text.load(path)
    assert stream.times.tolist() == [0.25, 1.5]
    assert stream.channels.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        ("# unit: us\n", "us"),
        ("# Units = µs, sensor 3\n#\n", "us"),
        ("# recorded by us\n# times in microseconds\n# 2 channels\n", "us"),
        ("# all timestamps are given in s\n", "s"),
        ("# time (ms)\n", "ms"),
        ("# unit: us\n# time channel\n", "us"),
        ("# unit: us\ntime channel\n", "us"),
        ("# unit: us\nt_us channel\n", "us"),
        ("# subject 3, US, female\n# time resolution: 1 us\n# unit: mV\n", None),
    ],
)
def test_remark_says_the_unit_of_the_times(write, head, unit):
    found = text.read(write(f"{head}1 3\n9000 5\n"))
    assert (found.unit, found.assumed) == (unit or "ms", None if unit else PLAIN)
    assert found.times.tolist() == [1.0, 9000.0]


@pytest.mark.parametrize("remark", ["unit: ms", "unit ms", "unit = ms", "Units: ms", "ms: unit"])
@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_remark_of_a_unit_names_no_columns(write, remark, separator):
    path = write(f"# {remark}\n1{separator}3\n9{separator}5\n")
    stream = text.load(path)
    assert stream.times.tolist() == [1.0, 9.0]
    assert stream.channels.tolist() == [3, 5]


def test_address_of_a_camera_makes_the_channel(write):
    path = write("t_us,x,y,p\n1000,2,1,0\n2000,0,3,1\n3000,3,0,-1\n")
    assert text.load(path, columns=("t_us", "x", "-", "-")).channels.tolist() == [2, 0, 3]
    path = write("t_us,x,y,p\n1000,2,1,0\n2000,0,3,1\n")
    stream = text.load(path, sensor_size=(4, 4, 2))
    assert stream.n_channels == 32
    assert stream.channels.tolist() == [(0 * 4 + 1) * 4 + 2, (1 * 4 + 3) * 4 + 0]
    ears = text.load(
        write("t,channel,ear\n1,2,0\n2,3,1\n"), columns=("t", "x", "y"), sensor_size=(64, 2, 1)
    )
    assert ears.channels.tolist() == [2, 64 + 3]


OF_THREE = ",sample: the first line has no names; 2 samples by the third column"


@pytest.mark.parametrize(
    ("content", "guess"),
    [
        ("1,2\n", ": the first line has no names"),
        ("1,2,0\n2,2,1\n", OF_THREE),
        ("1,2,1\n2,2,0\n", f"{OF_THREE}, which goes up and down, as a polarity or an ear would"),
        ("time,channel\n1,2\n", ""),
    ],
)
def test_guess_of_columns_without_names_is_told(write, content, guess):
    assert text.read(write(content)).guess == f"columns read as time,channel{guess}" * bool(guess)


@pytest.mark.parametrize(
    ("begin", "times", "zero"),
    [("first-event", [0.0, 1.5, 0.0], [-3.0, 7.0]), (-4.0, [1.0, 2.5, 11.0], [-4.0, -4.0])],
)
def test_negative_times_are_read_from_where_they_begin(write, begin, times, zero):
    path = write("time_ms,channel,sample\n-3,0,0\n-1.5,1,0\n7,0,1\n")
    stream, found = text.read(path).stream(begin)
    assert stream.times.tolist() == times
    assert found.tolist() == zero
    assert text.load(path, begin=begin).times.tolist() == times


def test_times_on_a_clock_of_whole_numbers_are_put_to_their_first_event_exactly(write):
    rng = np.random.default_rng(0)
    ticks = np.sort(rng.integers(0, 900_000, 50))
    ticks -= ticks[0]

    def at(clock):
        rows = "".join(f"{clock + t},{t % 7}\n" for t in ticks)
        return text.load(write(f"time_us,channel\n{rows}"), begin="first-event")

    for clock in (1_000_000, 37_250_000, 1_700_000_000_000_000):
        np.testing.assert_array_equal(at(clock).times, at(0).times)
        assert at(clock).duration == at(0).duration


def test_unit_and_channels_may_be_given(write):
    stream = text.load(write("1500000,3\n"), unit="us", n_channels=64)
    assert stream.times.tolist() == [1500.0]
    assert stream.n_channels == 64
    assert text.load(write("time_s,c\n1.5,3\n"), unit="s").times.tolist() == [1500.0]


@pytest.mark.parametrize(
    ("content", "unit"),
    [
        ("1,2\n", None),
        ("time,channel\n1,2\n", None),
        ("time stamp,channel\n1,2\n", None),  # a word that is no unit
        ("time,channel,s\n1,2,0\n", None),  # s alone is the sample
        ("time_s,channel\n1,2\n", "s"),
        ("channel,milliseconds\n1,2\n", "ms"),
        ("t_us,channel,seconds_of_day\n1,2,3\n", "us"),
    ],
)
def test_unit_is_what_the_names_say_and_nothing_else(write, content, unit):
    columns = None if "_of_day" not in content else ("t_us", "channel", "-")
    found = text.read(write(content), columns=columns)
    assert (found.unit, found.assumed) == (unit or "ms", None if unit else PLAIN)


@pytest.mark.parametrize(
    ("first", "assumed"),
    [
        ("1690000000120", "ms"),
        ("1690000000", "us"),  # half an hour of a counter
        ("-1690000000.12", "ms"),
        ("86400000.5", "ms"),
    ],
)
def test_times_that_may_be_no_unix_clock_of_another_unit_are_read(write, first, assumed):
    file = write(f"t,c\n{first},2\n")
    assert text.read(file, otherwise=Assumed(assumed, "")).times.tolist() == [float(first)]
    assert text.read(write("t,c\n1690000000.12,2\n"), unit="s").assumed is None


def of(last, n_events=2, n_channels=1):
    times = np.linspace(0.0, last, n_events)
    duration = np.floor(last) + 1.0
    channels = np.zeros(n_events, int)
    return EventStream(times, channels, [0, n_events], n_channels=n_channels, duration=duration)


@pytest.mark.parametrize(
    ("streams", "doubt"),
    [
        ([of(10.0)], None),
        ([of(9.99)], ("no recording lasts longer than 9.99 ms", "short")),
        ([of(9.0), of(500.0)], None),  # one that is short says nothing
        ([of(99.0, 100)], None),  # in 100 ms: 1,000 per second
        ([of(99.0, 101)], ("there are 1,010 events per second and channel", "short")),
        ([of(99.0, 101, n_channels=2)], None),
        ([of(3_600_000.0)], None),
        ([of(5_400_000.0)], ("a recording lasts 1.5 hours", "long")),
        ([of(0.0, 0)], None),
        ([], None),
    ],
)
def test_unit_is_doubted_where_the_recordings_are_absurd(streams, doubt):
    assert text.doubt(streams) == doubt


@pytest.mark.parametrize("names", ["", "time,channel,sample\n"])
def test_samples_are_put_together(write, names):
    stream = text.load(write(f"{names}5,1,2\n3,0,0\n4,2,2\n1,1,0\n"))
    assert stream.offsets.tolist() == [0, 2, 2, 4]
    assert stream.times.tolist() == [1.0, 3.0, 4.0, 5.0]
    assert stream.channels.tolist() == [1, 0, 2, 1]
    assert stream.duration.tolist() == [4.0, 1.0, 6.0]


@pytest.mark.parametrize("bits", [31, 32])
def test_steps_back_of_other_files_are_no_counter_that_begins_anew(write, bits):
    path = write(f"t_us,c,sample\n{2**bits - 900},0,0\n{2**bits - 100},1,0\n300,2,1\n")
    assert text.load(path).n_samples == 2
    assert text.load(write(f"t_ms,c\n{2**bits - 900},0\n300,2\n")).n_events == 2
    assert text.load(write(f"t_us,c\n{2**bits // 3},0\n300,2\n")).n_events == 2
