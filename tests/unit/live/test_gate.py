"""What is wrong with a stream is counted, by name, and does what the policy says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.live.gate import Gate, GateSettings
from eventsim.live.packets import Packet


def run(packets, n_channels=4, **settings):
    """Pieces and counters of packets; and of what is left at the end."""
    gate = Gate(GateSettings(**settings), n_channels)
    pieces = [piece for packet in packets for piece in gate.feed(packet)]
    return [*pieces, *gate.finish()], gate


def events(pieces):
    return [(t, int(c)) for p in pieces for t, c in zip(p.times, p.channels, strict=True)]


def test_pieces_end_at_steps_and_hold_each_event_once():
    packets = [Packet.of([3.0, 12.0], [0, 1]), Packet.of([20.0, 31.0], [2, 3])]
    pieces, gate = run(packets)
    assert [(p.begin, p.end) for p in pieces] == [(0, 10), (10, 20), (20, 30), (30, 40)]
    assert events(pieces) == [(3.0, 0), (12.0, 1), (20.0, 2), (31.0, 3)]
    assert [p.why for p in pieces] == [None, None, None, "over"]
    assert gate.counters.events == 4


@given(cuts=st.lists(st.integers(0, 80), max_size=8), seed=st.integers(0, 9))
def test_pieces_do_not_depend_on_how_events_were_packed(cuts, seed):
    rng = np.random.default_rng(seed)
    # In order, with ties and silences; and two ends.
    times = np.sort(rng.integers(0, 900, 80) * rng.choice([0.25, 1.0]))
    channels = np.where(np.arange(80) % 37 == 30, 4, rng.integers(0, 4, 80))
    told = []
    for split in (sorted(cuts), []):
        parts = zip(np.split(times, split), np.split(channels, split), strict=True)
        pieces, _ = run([Packet.of(t, c, arrived=0.0) for t, c in parts], step=90.0, end_channel=4)
        told.append([(p.begin, p.end, p.zero, p.why, events([p])) for p in pieces])
    assert told[0] == told[1]


@pytest.mark.parametrize("kind", ["uint16", "uint32", "uint64", "int32", "int64"])
def test_ticks_of_any_type_may_be_unordered(kind):
    # Between unsigned numbers a step back was a jump forward by 2^32: a restart of the clock.
    ticks = np.array([4000, 14000, 12000, 5000, 25000], kind)
    pieces, gate = run([Packet(ticks, np.arange(5) % 4, per_ms=1000.0)], patience=10.0)
    assert events(pieces) == [(0.0, 0), (1.0, 3), (8.0, 2), (10.0, 1), (21.0, 0)]
    assert (gate.counters.restarts, gate.counters.unordered) == (0, 2)


LATE = [Packet.of([5.0, 14.0], [0, 0]), Packet.of([12.0, 4.0, 13.0, 25.0], [1, 2, 1, 0])]
THREE = [Packet.of([2.0, 2.0, 2.0], [1, 0, 1])]


@pytest.mark.parametrize(
    ("packets", "settings", "kept", "counted"),
    [
        (
            LATE, {}, [(5.0, 0), (12.0, 1), (13.0, 1), (14.0, 0), (25.0, 0)],
            {"late": 1, "latest_ms": 6.0, "unordered": 2},
        ),
        (
            LATE, {"patience": 10.0},
            [(4.0, 2), (5.0, 0), (12.0, 1), (13.0, 1), (14.0, 0), (25.0, 0)], {"late": 0},
        ),
        # An event where the last chunk ended is not late.
        (
            [Packet.of([5.0, 20.0], [0, 0]), Packet.of([20.0, 19.0], [1, 1])], {},
            [(5.0, 0), (20.0, 0), (20.0, 1)], {"late": 1},
        ),
        # A time before 0 of the source is time 0; events at one time go by channel.
        ([Packet.of([-5.0, 3.0], [0, 1])], {}, [(0.0, 0), (8.0, 1)], {}),
        ([Packet.of([2.0, 2.0, 1.0], [3, 0, 2])], {}, [(1.0, 2), (2.0, 0), (2.0, 3)], {}),
        (THREE, {"duplicates": "keep"}, [(2.0, 0), (2.0, 1), (2.0, 1)], {"duplicate": 1}),
        (THREE, {"duplicates": "drop"}, [(2.0, 0), (2.0, 1)], {"duplicate": 1}),
        (
            [Packet.of([70_000.0, 70_005.0], [0, 1]), Packet.of([3.0, 9.0], [2, 3])], {},
            [(0.0, 0), (5.0, 1), (0.0, 2), (6.0, 3)], {"restarts": 1, "cut": 2},
        ),
    ],
)  # fmt: skip
def test_events_are_put_in_place_and_what_is_wrong_is_counted(packets, settings, kept, counted):
    pieces, gate = run(packets, **settings)
    assert events(pieces) == kept
    assert {name: getattr(gate.counters, name) for name in counted} == counted


def test_pieces_tell_their_begin_and_their_end():
    pieces, _ = run([Packet.of([5.0, 20.0], [0, 0]), Packet.of([20.0, 19.0], [1, 1])])
    # What is left ends behind its last event, which would be lost at its end.
    assert [p.end for p in pieces] == [10.0, 20.0, 30.0]
    pieces, _ = run([Packet.of([-5.0, 3.0], [0, 1])])
    assert pieces[0].zero == -5.0
    pieces, _ = run([Packet.of([70_000.0, 70_005.0], [0, 1]), Packet.of([3.0, 9.0], [2, 3])])
    assert [(p.zero, p.why) for p in pieces] == [(70_000.0, "restart"), (3.0, "over")]


def test_flood_is_cut_at_the_limit_and_every_dropped_event_counted():
    packets = [Packet.of(np.full(40, 5.0), np.full(40, k // 25)) for k in range(100)]
    pieces, gate = run([*packets, Packet.of([11.0], [0])], most=100)
    assert pieces[0].channels.tolist() == [0] * 100  # those that came first
    assert gate.counters.too_many == 3900
    assert gate.counters.events + gate.counters.too_many == 4001


def test_jump_forth_does_not_compute_the_silence():
    pieces, gate = run([Packet.of([1.0, 1e9, 1e9 + 2.0], [0, 1, 1])])
    assert [(p.begin, p.end) for p in pieces] == [(0, 10), (0, 10)]
    assert gate.counters.restarts == 1


def test_rubbish_and_unknown_channels_are_counted():
    packet = Packet.of([1.0, np.nan, 2.0, 3.0], [0, 0, 9, -1], rubbish=(5, "hello"))
    pieces, gate = run([packet])
    assert events(pieces) == [(1.0, 0)]
    assert (gate.counters.rubbish, gate.counters.no_channel) == (6, 2)
    assert gate.counters.example == "hello"
    none = np.zeros(0)
    # Behind an event, or with one among them, it is the line that is bad.
    _, gate = run([packet, *[Packet.of(none, none, rubbish=(1, "hello"))] * 1000])
    assert gate.counters.rubbish == 1006


def test_times_of_a_clock_with_ticks_begin_at_the_first_event_to_the_bit():
    base = 1_700_000_000_000_000
    ticks = base + np.array([0, 333, 10_001])
    pieces, _ = run([Packet.of(ticks, [0, 1, 2], per_ms=1000.0)])
    assert [t for t, _ in events(pieces)] == [0.0, 333 / 1000.0, 10_001 / 1000.0]


@pytest.mark.parametrize(
    ("packets", "settings", "ends"),
    [
        ([Packet.of([5, 25, 30, 42], [0, 4, 1, 4])], {"end_channel": 4}, [20, 17]),
        ([Packet.of([5, 15, 40, 41], [0, 1, 2, 3])], {"gap": 20.0}, [30, 21]),
        ([Packet.of([5, 15, 40, 61], [0, 1, 2, 3])], {"every": 25.0}, [25, 25, 10]),
        ([Packet.of([5.0], [0], end=12.5), Packet.of([1.0], [1], end=3.0)], {}, [12.5, 3.0]),
    ],
)
def test_recording_ends_where_it_is_told(packets, settings, ends):
    pieces, gate = run(packets, **settings)
    last = [p for p in pieces if p.why is not None]
    assert [p.end for p in last] == ends
    assert gate.counters.recordings == len(ends)
    # The last one, whose end nobody told, is a cut one.
    assert gate.counters.cut == sum(p.why == "over" for p in last)


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"every": 25.0}, {"every": 17.0, "step": 7.0}, {"gap": 20.0}, {"end_channel": 4},
        {"backward": 4.0}, {"forward": 15.0}, {"patience": 6.0}, {"duplicates": "drop"},
    ],
)  # fmt: skip
@pytest.mark.parametrize(("kind", "per_ms"), [(int, 1000), (float, 0.125)])
def test_pieces_do_not_depend_on_the_unit_of_the_source(settings, kind, per_ms):
    rng = np.random.default_rng(0)
    ms = 64 + np.cumsum(rng.choice([0, 1, 3, 5, 8, 30], 60)) - 5 * (np.arange(60) % 7 == 6)
    channels = rng.integers(0, 5, 60)
    told = []
    for unit in (kind(1), per_ms):
        parts = zip(np.split(ms.astype(kind) * unit, 6), np.split(channels, 6), strict=True)
        pieces, gate = run([Packet.of(t, c, per_ms=float(unit)) for t, c in parts], **settings)
        ends = [(p.begin, p.end, p.zero, p.why) for p in pieces]
        told.append((ends, events(pieces), gate.counters))
    assert told[0] == told[1]


def test_silence_on_the_wire_ends_a_recording_that_ends_by_a_gap():
    none = np.zeros(0)
    packets = [
        Packet.of([1000, 3000], [0, 1], per_ms=1000.0, arrived=7.0),
        Packet.of(none, none, arrived=7.04),
        Packet.of(none, none, arrived=7.06),
        Packet.of([990_000], [2], per_ms=1000.0, arrived=8.0),
    ]
    pieces, _ = run(packets, gap=50.0)
    assert [(p.end, p.zero, p.why) for p in pieces if p.why] == [
        (52.0, 1.0, "gap"),
        (50.0, 990.0, "gap"),
    ]
    gate = Gate(GateSettings(gap=50.0), 4)
    ends = [[p.why for p in gate.feed(packet)][-1:] for packet in packets]
    assert ends == [[], [], ["gap"], []]  # by the clock, not by the event behind the silence


def test_what_comes_behind_an_end_or_tells_one_too_late_is_counted():
    _, gate = run([Packet.of([5.0, 12.0, 13.0], [0, 0, 1], end=12.0)])
    assert (gate.counters.events, gate.counters.behind_end, gate.counters.late) == (1, 2, 0)
    pieces, gate = run([Packet.of([5.0, 27.0], [0, 0]), Packet.of([], [], end=12.0)])
    assert [(p.end, p.why) for p in pieces] == [(10.0, None), (20.0, None), (20.0, "told")]
    assert (gate.counters.late, gate.counters.behind_end) == (1, 1)


def test_memory_of_a_gate_does_not_grow_with_the_stream():
    gate, most = Gate(GateSettings(), 4), 0
    for k in range(500):
        list(gate.feed(Packet.of(k * 7.0 + np.arange(5.0), np.arange(5) % 4)))
        most = max(most, gate.waiting)
    assert most <= 10
