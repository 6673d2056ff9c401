"""Audio in pieces gives the events of the whole, to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.datasets.encoders import (
    CochleaEncoder,
    DeltaModulation,
    GammatoneBank,
    IntegrateAndFire,
    LiveCochlea,
    LyonEar,
    encode,
    encode_live,
)

RATE = 8000
GAMMATONE = GammatoneBank(n_channels=5, frequency_max=3000.0, decimation=7, compression=0.4)
FIRE = IntegrateAndFire(gain=3000.0, leak=20.0, refractory=1.0, mismatch=0.5)


def audio(seed, n=2400):
    """Silence, a sweep that grows, and noise."""
    rng, t = np.random.default_rng(seed), np.arange(n) / RATE
    sweep = np.sin(2 * np.pi * (300 + 2000 * t) * t) * np.minimum(t / 0.1, 1.0)
    return np.where(t < 0.02, 0.0, 0.3 * sweep + 0.05 * rng.standard_normal(n))


def in_pieces(push, clip, places):
    found = [push(part) for part in np.split(clip, sorted(p % clip.size for p in places))]
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def check(bank, coder, clip, places):
    wanted = encode(clip, RATE, bank=bank, coder=coder)
    found = in_pieces(encode_live(RATE, bank=bank, coder=coder), clip, places)
    assert wanted[0].size > 20
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@given(places=st.lists(st.integers(0, 600), max_size=3), seed=st.integers(0, 3))
def test_gammatones_and_coders_in_pieces_are_those_of_the_whole_to_the_bit(places, seed):
    for coder in (FIRE, DeltaModulation(delta=0.05)):
        check(GAMMATONE, coder, audio(seed, 900)[300:], places)


def test_ear_of_lyon_in_pieces_is_the_whole_to_the_bit():
    clip = audio(1, 700)[200:]  # it is slow
    check(LyonEar(decimation=8), IntegrateAndFire(gain=1e6), clip, [3, 3, 160, 333, 490])


@given(places=st.lists(st.integers(0, 2400), max_size=3), seed=st.integers(0, 3))
def test_live_cochlea_in_pieces_is_the_whole_to_the_bit(places, seed):
    encoder = CochleaEncoder(n_channels=6, inhibition_width=3, mismatch=0.3, emphasis=0.9)
    clip = audio(seed)
    wanted = LiveCochlea(encoder, RATE)(clip)
    live = LiveCochlea(encoder, RATE)
    found = in_pieces(live, clip, places)
    assert wanted[0].size > 100
    assert live.until == 1e3 * clip.size / RATE
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_streaming_encoder_encodes_a_clip_as_the_live_cochlea():
    encoder, clip = CochleaEncoder(n_channels=6, streaming=True), audio(2)
    found, wanted = (
        encoder.encode(clip, RATE),
        LiveCochlea(CochleaEncoder(n_channels=6), RATE)(clip),
    )
    np.testing.assert_array_equal(found, np.array(wanted))
    assert CochleaEncoder(n_channels=6).encode(clip, RATE)[0].size != found[0].size


def test_tables_of_a_page_are_of_common_rates_that_of_the_recordings_first():
    tables = CochleaEncoder(streaming=True).tables(12500)
    assert tables.sample_rate == 12500.0
    assert {8000.0, 44100.0, 48000.0} <= set(tables.coefficients)
    own = LiveCochlea(CochleaEncoder(), 48000).coefficients()
    np.testing.assert_array_equal(tables.coefficients[48000.0], own)


def test_live_cochlea_hears_what_the_cochlea_hears():
    encoder, clip = CochleaEncoder(n_channels=16), audio(0, 8000)
    _, whole = encoder.encode(clip, RATE)
    # It expects the clip's own loudness from the start, and keeps it.
    level = float(np.sqrt(np.mean(clip[800:] ** 2)))
    _, live = LiveCochlea(encoder, RATE, level=level, memory=1e9)(clip)
    counts = [np.bincount(channels, minlength=16) for channels in (whole, live)]
    assert counts[1].sum() == pytest.approx(counts[0].sum(), rel=0.03)
    np.testing.assert_allclose(*counts, atol=0.1 * counts[0].max())


def test_loudness_follows_the_audio_and_not_its_pauses():
    encoder = CochleaEncoder(n_channels=8)
    live, tone = LiveCochlea(encoder, RATE, level=0.05, memory=200.0), audio(0, 8000)
    rates = [live(factor * tone)[0].size for factor in (1.0, 1.0, 0.0, 1.0, 0.3, 0.3)]
    assert rates[2] < 0.1 * rates[1]
    assert rates[3] == pytest.approx(rates[1], rel=0.05)
    assert rates[5] == pytest.approx(rates[1], rel=0.1)
