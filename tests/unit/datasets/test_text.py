"""Events in text files: columns, units, and what is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventsim.datasets import text
from eventsim.errors import DataError
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
        "\ufeffchannel;Time (ms);note\n3;1.5;loud\n7;0.25;quiet\n",
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
    ],
)
def test_columns_and_units_are_told_from_the_file(write, content):
    stream = text.load(write(content))
    assert stream.times.tolist() == [0.25, 1.5]
    assert stream.channels.tolist() == [7, 3]
    assert stream.n_channels == 8
    assert stream.duration.tolist() == [2.0]


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
    assert text.unit_of(write(content)) == unit


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
        ([of(99.0, 1000)], None),  # in 100 ms: 10,000 per second
        ([of(99.0, 1001)], ("there are 10,010 events per second and channel", "short")),
        ([of(99.0, 1001, n_channels=2)], None),
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


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", {}, "is empty, expected a text file of events"),
        ("# nothing\n\n", {}, "holds no event, only empty lines and remarks"),
        ("time,channel\n", {}, "holds names of columns, but no event"),
        ("1,2\n3\n", {}, "a line cannot be read .*row"),
        ("1,2\n3,4,5\n", {}, "a line cannot be read .*row"),
        ("1,2\n3,x\n", {}, "a line cannot be read .*row 1"),
        ("1,2,3,4\n", {}, "line 1: has 4 columns and no names"),
        ("1\n", {}, "line 1: has 1 columns and no names"),
        ("a,b\n1,2\n", {}, "line 1: 'a,b' is neither numbers nor names of columns"),
        ("time,c,ch\n1,2,3\n", {}, "two columns are called channel"),
        ("t,x,y,p\n1,2,3,0\n", {}, "names columns of a camera"),
        ("time_ns,c\n1,2\n", {}, "line 1: its times are in ns, expected s, ms or us"),
        ("time (min),c\n1,2\n", {}, "line 1: its times are in min, expected s, ms or us"),
        ("second,c\n1,2\n", {}, "neither numbers nor names of columns"),
        ("time_us,c\n1,2\n", {"unit": "s"}, "times are in us, you said s"),
        ("1,2\n", {"unit": "min"}, "unit is 'min', expected 's', 'ms' or 'us'"),
        ("nan,2\n", {}, "event 0: time in ms is nan, expected a finite number >= 0"),
        ("1,2\n-1,2\n", {}, "event 1: time in ms is -1"),
        ("1e306,2\n", {"unit": "s"}, "event 0: time in ms is inf"),
        ("1,2.5\n", {}, "event 0: channel is 2.5, expected a whole number"),
        ("1,-2\n", {}, "event 0: channel is -2, expected 0 .. "),
        ("1,1e15\n", {}, "event 0: channel is 1000000000000000, expected 0 .. 16777215"),
        ("1,64\n", {"n_channels": 64}, "channel is 64, expected 0 .. 63"),
        ("1,2,1e9\n", {}, "sample is 1000000000, expected 0 .. 1048575"),
        (b"\xff\xfe1,2\n", {}, "line 1: is no text in UTF-8"),
        (b"1,2\n\xff,3\n", {}, "a line cannot be read"),
        (b"1" * 70_000, {}, "line 1: is longer than 65536 bytes"),
        (b"\0" * 100, {}, "is neither numbers nor names"),
    ],
)
def test_what_cannot_be_read_is_refused(write, content, options, words):
    with pytest.raises(DataError, match=words):
        text.load(write(content), **options)


WHOLE = "time_us,channel,sample\n" + "".join(f"{100 * k},{k % 7},{k // 5}\n" for k in range(12))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    junk=st.one_of(st.binary(max_size=12), st.text("0123456789,.-+eE\n #", max_size=12)),
    at=st.integers(0, len(WHOLE)),
    until=st.integers(0, len(WHOLE)),
)
def test_damaged_files_are_read_or_refused(write, junk, at, until):
    junk = junk.encode() if isinstance(junk, str) else junk
    path = write(WHOLE[:at].encode() + junk + WHOLE[until:].encode())
    try:
        stream = text.load(path)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert stream.n_events > 0
        assert np.isfinite(stream.times).all()


def test_lines_of_fewer_columns_than_are_named_are_refused(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("time,channel\n1\n2\n")
    with pytest.raises(DataError, match="lines have 1 columns, its first one says 2"):
        text.load(path)
