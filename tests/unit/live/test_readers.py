"""Bytes of text, raw camera files and datagrams to events, however they are cut."""

import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.live import ListenSettings, Size, listen
from eventsim.live.datagrams import DatagramReader, bind, encode, receive
from eventsim.live.packets import Packet
from eventsim.live.raw import Evt2Reader, Evt3Reader, Evt21Reader
from eventsim.live.sources import read_bytes, replay
from eventsim.live.text import TextReader

SIZE = Size(20, 10, 2)


def cut(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True) if a < b]


def events(packets):
    packets = list(packets)
    times = np.concatenate([np.zeros(0), *(p.times / p.per_ms for p in packets)])
    channels = np.concatenate([np.zeros(0, int), *(p.channels for p in packets)])
    return times.tolist(), channels.tolist(), sum(p.rubbish[0] for p in packets)


TEXT = (
    b"t,channel\n# a remark\n0.5,3\n\n1e1,4\r\nnonsense\n7,x\n12.25,7,2,1\n13,7,2,-1\n14,99,0,1\n"
    b"15.5,2.5\n16,1"
)


@given(places=st.lists(st.integers(0, 200), max_size=5))
def test_text_is_read_the_same_however_it_is_cut(places):
    reader = TextReader(SIZE)
    packets = [p for part in [*cut(TEXT, places), b""] for p in reader(part, 0.0)]
    wanted = [3, 4, 200 + 47, 47, -1, 1]
    assert events(packets) == ([0.5, 10.0, 12.25, 13.0, 14.0, 16.0], wanted, 3)


def test_line_that_ends_a_recording_is_told_between_its_events():
    reader = TextReader(SIZE, "us")
    told = list(reader(b"1000,3\n2500,end\n7,4\nsoon,end\n", 0.0))
    assert [(p.times.tolist(), p.end) for p in told[:3]] == [
        ([1000.0], None), ([], 2500.0), ([7.0], None),
    ]  # fmt: skip
    assert (told[0].per_ms, told[3].end, told[3].rubbish) == (1000.0, None, (1, "soon,end"))


@pytest.mark.parametrize(
    ("head", "stated", "line", "wanted"),
    [
        (b"channel,t_us\n", None, b"3,1500", (1.5, 3)),
        (b"# unit: us\n", None, b"1500,3", (1.5, 3)),
        (b"# unit: us\n\ntime,channel\n", "us", b"1500,3", (1.5, 3)),
        (b"# channel,t_us\n", None, b"3;1500", (1.5, 3)),
        (b"channel\tt_us\n", None, b"3\t1500", (1.5, 3)),
        (b"p,y,x,t_s\n", None, b"1,2,7,0.25", (250.0, 247)),
        (b"t,channel\n", "s", b"0.25,3", (250.0, 3)),
        (b"t,channel\n", None, b"0.25,3", (0.25, 3)),
    ],
)
@pytest.mark.parametrize("at_once", [1, 1000])
def test_first_line_of_text_names_columns_and_unit(head, stated, line, wanted, at_once):
    reader, data = TextReader(SIZE, stated), head + line + b"\n" + line
    parts = [data[k : k + at_once] for k in range(0, len(data), at_once)]
    time, channel = wanted
    found = events(p for part in [*parts, b""] for p in reader(part, 0.0))
    assert found == ([time, time], [channel, channel], 0)


@pytest.mark.parametrize("first", [b"7,x", b"hello,world", b"hello"])
def test_first_line_of_text_that_says_nothing_is_rubbish(first):
    assert events(TextReader(SIZE)(first + b"\n1,2\n", 0.0)) == ([1.0], [2], 1)


def slow_evt2(data):
    """EVT2 word by word, as its documentation says it."""
    high, found = None, []
    for word in np.frombuffer(data, "<u4").tolist():
        kind = word >> 28
        if kind == 8:
            high = word & 0xFFFFFFF
        elif kind in (0, 1) and high is not None:
            time = high << 6 | (word >> 22) & 63
            found.append((time, (word >> 11) & 0x7FF, word & 0x7FF, kind))
    return found


def slow_evt21(data, order="<u8"):
    """EVT2.1 word by word, as its documentation says it."""
    high, found = None, []
    for word in np.frombuffer(data, order).tolist():
        kind = word >> 60
        if kind == 8:
            high = word >> 32 & 0xFFFFFFF
        elif kind in (0, 1) and high is not None:
            time, x, y = high << 6 | word >> 54 & 63, word >> 43 & 0x7FF, word >> 32 & 0x7FF
            found += [(time, x + k, y, kind) for k in range(32) if word >> k & 1]
    return found


def slow_evt3(data):
    """EVT3 word by word."""
    high, low, y, base, on, turns, found = None, 0, None, 0, 0, 0, []
    for word in np.frombuffer(data, "<u2").tolist():
        kind, value = word >> 12, word & 0xFFF
        if kind == 8:
            turns += high is not None and high - value > 2048
            high = value
        elif kind == 6:
            low = value
        elif kind == 0:
            y = value & 0x7FF
        elif kind == 3:
            base, on = value & 0x7FF, value >> 11
        elif kind in (2, 4, 5) and None not in (high, y):
            time = (turns << 24) + (high << 12) + low
            if kind == 2:
                found.append((time, value & 0x7FF, y, value >> 11))
            else:
                width = 12 if kind == 4 else 8
                found += [(time, base + b, y, on) for b in range(width) if value >> b & 1]
        if kind in (4, 5):
            base += 12 if kind == 4 else 8
    return found


def channels_of(found):
    inside = [0 <= x < 20 and 0 <= y < 10 for _, x, y, _ in found]
    return [
        (p * 10 + y) * 20 + x if good else -1
        for (_, x, y, p), good in zip(found, inside, strict=True)
    ]


@given(seed=st.integers(0, 99), places=st.lists(st.integers(0, 2000), max_size=6))
def test_raw_camera_bytes_are_those_of_the_plain_decoder_however_they_are_cut(seed, places):
    rng = np.random.default_rng(seed)
    for reader, slow, dtype, kinds in (
        (Evt2Reader(SIZE), slow_evt2, "<u4", [0, 1, 1, 8, 10]),
        (Evt3Reader(SIZE), slow_evt3, "<u2", [0, 2, 2, 3, 4, 5, 6, 8, 14]),
    ):
        bits = 28 if dtype == "<u4" else 12
        words = rng.choice(kinds, 200) << bits | rng.integers(0, 1 << bits, 200)
        if dtype == "<u4":  # addresses near the sensor
            words = np.where(words >> 28 < 8, words & ~0x3FC3F0, words)
        data = words.astype(dtype).tobytes()
        wanted = slow(data)
        header = b"% evt 2.0\n% end\n"
        found = [p for part in cut(header + data, places) for p in reader(part, 0.0)]
        times, channels, _ = events(found)
        assert np.round(np.array(times) * 1000).astype(int).tolist() == [w[0] for w in wanted]
        assert channels == channels_of(wanted)


@given(seed=st.integers(0, 99), places=st.lists(st.integers(0, 900), max_size=6))
@pytest.mark.parametrize("legacy", [False, True])
def test_bytes_of_evt21_are_those_of_the_plain_decoder_in_either_order(seed, places, legacy):
    rng = np.random.default_rng(seed)
    kinds = rng.choice([0, 0, 1, 8, 10], 100).astype(np.uint64)
    words = kinds << np.uint64(60) | rng.integers(0, 1 << 60, 100, np.uint64)
    words &= ~np.uint64((0x7F0 << 43 | 0x7F0 << 32) * 1)  # addresses near the sensor
    data = words.astype("<u8").tobytes()
    wanted = slow_evt21(data)
    header = b"% evt 2.1\n% end\n"
    if legacy:  # the upper half of a word first
        data = np.frombuffer(data, "<u4").reshape(-1, 2)[:, ::-1].tobytes()
        header = b"% evt 2.1\n% format EVT21;endianness=legacy;height=10;width=20\n% end\n"
    reader = Evt21Reader(SIZE)
    times, channels, _ = events(
        [p for part in cut(header + data, places) for p in reader(part, 0.0)]
    )
    assert np.round(np.array(times) * 1000).astype(int).tolist() == [w[0] for w in wanted]
    assert channels == channels_of(wanted)


# Byte by byte, as faery and SPIF write an event at 258 us, x 3, y 2, on.
BYTES = {
    "t64": bytes([2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 2, 0, 1]),
    "t32": bytes([2, 1, 0, 0, 3, 0, 5, 0]),
    "spif": bytes([2, 0x80, 3, 0, 2, 1, 0, 0]),
}


@pytest.mark.crossed("bytes of each", test=1, all=None)
@pytest.mark.parametrize("dialect", BYTES)
def test_datagram_of_each_dialect_is_read_and_a_broken_one_is_not(dialect):
    reader = DatagramReader(SIZE, dialect)
    times, channels = reader(BYTES[dialect] * 2, 0.0)
    assert (times.tolist(), channels.tolist()) == ([258, 258], [243, 243])
    assert encode(dialect, [258], [3], [2], [1]) == BYTES[dialect]
    assert reader(BYTES[dialect][:-1], 0.0) is None
    assert reader(b"", 0.0) is None


def test_time_of_32_bits_counts_on_and_may_step_back():
    reader = DatagramReader(Size(4), "t32")
    times = np.array([(1 << 32) - 5, (1 << 32) + 5, (1 << 32) - 1, (1 << 33) - 9])
    found = [reader(encode("t32", [t], [0]), 0.0)[0][0] for t in times[:3]]
    assert found == times[:3].tolist()


def test_spif_without_times_has_those_of_arrival():
    data = (np.array([3 << 16 | 1 << 15 | 2]) | 1 << 31).astype("<u4").tobytes()
    times, channels = DatagramReader(SIZE, "spif")(data, 1.5)
    assert (times.tolist(), channels.tolist()) == ([1_500_000], [243])
    assert DatagramReader(SIZE, "spif")(data + BYTES["spif"], 1.5) is None


class FakeSocket:
    """Gives datagrams, then nothing; tells what the system dropped."""

    def __init__(self, turns):
        self.turns, self.closed = turns, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def settimeout(self, _):
        pass

    def recvmsg(self, *_):
        if not self.turns[0]:
            self.turns.pop(0)
            raise TimeoutError
        data, dropped = self.turns[0].pop(0)
        told = [(1, 40, dropped.to_bytes(4, "little"))]
        return data, told, 0, None


def test_what_the_system_drops_and_rubbish_is_told():
    good = encode("t64", [5], [1])
    fake = FakeSocket([[(good, 0), (b"hello", 7)], [], [(good, 9)]])
    source = receive(fake, DatagramReader(Size(4)), clock=lambda: 3.0)
    first, silent, last = (next(source) for _ in range(3))
    assert first.rubbish[0] == 1
    assert "5 bytes" in first.rubbish[1]
    assert (first.lost, last.lost) == (
        (("datagrams, by the system", 7),), (("datagrams, by the system", 2),),
    )  # fmt: skip
    assert (first.times.tolist(), silent.times.size, last.arrived) == ([5], 0, 3.0)
    source.close()
    assert fake.closed


def test_datagrams_on_the_loopback_interface_reach_the_network():
    net = es.scsr(4, (6,), 2, mean=6.0, seed=1)
    net.set_answer(es.Answer(class_names=("a", "b")))
    rng = np.random.default_rng(0)
    ticks, channels = np.sort(rng.integers(0, 50_000, 80)), rng.integers(0, 4, 80)
    stream = es.EventStream.from_unsorted(
        ticks / 1000, channels, [0, 80], n_channels=4, duration=50.0
    )
    receiver = bind("127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(receiver.getsockname())
        sender.send(encode("t32", [7_000_000], [4]))
        sender.send(encode("t32", 7_000_000 + ticks, channels))
        sender.send(encode("t32", [7_050_000], [4]))
        source = receive(receiver, DatagramReader(Size(5), "t32"))
        settings = ListenSettings(end_channel=4)
        steps = iter(listen(net, source, settings=settings, backend="cpu", precision="double"))
        decided = next(step.decided for step in steps if step.decided is not None)
        source.close()
    wanted = es.predict(net, stream, backend="cpu", precision="double")
    assert decided.score == pytest.approx(wanted.scores.max(), abs=1e-12)


def test_pipe_goes_on_with_the_next_writer_and_says_so(tmp_path):
    files = iter([b"1,0\n2,1\n", b"3,2"])
    opened = []

    def next_file():
        path = tmp_path / str(len(opened))
        try:
            path.write_bytes(next(files))
        except StopIteration:
            raise OSError("no more") from None
        opened.append(open(path, "rb", buffering=0))  # noqa: SIM115  the reader closes it
        return opened[-1]

    source = read_bytes(next_file, TextReader(Size(4)), again=True)
    packets = []
    with pytest.raises(OSError, match="no more"):
        packets.extend(source)
    assert events(packets)[1] == [0, 1, 2]
    assert sum(len(p.lost) for p in packets) == 2
    assert all(file.closed for file in opened)


def test_replay_waits_for_the_time_of_events_and_never_for_the_network():
    stream = es.EventStream([1.5, 7.25], [0, 1], [0, 2], n_channels=2, duration=8.0)
    now, slept = [10.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    packets = []
    for packet in replay(stream, speed=2.0, length=2.0, clock=lambda: now[0], sleep=sleep):
        packets.append(packet)
        now[0] += 0.0015 if len(packets) == 1 else 0.0  # a slow network
    assert [p.arrived for p in packets] == pytest.approx([10.001, 10.002, 10.003, 10.004])
    assert [p.until for p in packets] == [2.0, 4.0, 6.0, None]
    assert slept == pytest.approx([0.001, 0.0005, 0.001])
    assert isinstance(packets[0], Packet)
