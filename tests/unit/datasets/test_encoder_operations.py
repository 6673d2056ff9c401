"""Encoders sample by sample in plain Python, which make the events; operations are tallied."""

import cmath
import math
from collections import Counter

import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import encoders, fsdd, spoken_digits, ti46
from eventsim.datasets.encoders import cochlea as cochlea_module
from eventsim.datasets.encoders.bsa import kernel
from eventsim.datasets.encoders.operations import bank_operations, cochlea_operations

RATE = 8000.0


def clip(n=1200):
    rng = np.random.default_rng(2)
    t = np.arange(n) / RATE
    return (
        0.3 * np.sin(2 * np.pi * 440 * t)
        + 0.2 * np.sin(2 * np.pi * 1700 * t)
        + (0.02 * rng.standard_normal(n))
    )


class Tally(Counter):
    """Arithmetic that is counted."""

    def mac(self, a, b, c=0.0):
        self["multiply_adds"] += 1
        return a * b + c

    def add(self, a, b):
        self["additions"] += 1
        return a + b

    def above(self, a, b):
        self["additions"] += 1
        return a > b

    def least(self, a, b):
        self["additions"] += 1
        return max(a, b)

    def power(self, a, p):
        self["functions"] += 1
        return a**p

    def ratio(self, a, b):
        self["functions"] += 1
        return a / b

    def equals(self, operations, seconds, events):
        found = operations.of([1e3 * seconds], [events])
        # A block or a frame that the clip ends in is not done.
        for name, values in found.items():
            assert self[name] == pytest.approx(values[0], rel=2e-3), name


class Resonator:
    """A gammatone filter, rectified and compressed."""

    def __init__(self, tally, centre, order, compression):
        radius = math.exp(-2 * math.pi / RATE * 1.019 * (24.7 + 0.108 * centre))
        self.pole = radius * cmath.exp(2j * math.pi * centre / RATE)
        self.gain = 2.0 * (1.0 - radius) ** order
        self.state, self.tally, self.compression = [0j] * order, tally, compression

    def __call__(self, x):
        t, a = self.tally, self.pole
        y = complex(x)
        for k, s in enumerate(self.state):
            real = t.mac(-a.imag, s.imag, t.mac(a.real, s.real, y.real))
            imag = t.mac(a.imag, s.real, t.mac(a.real, s.imag, y.imag))
            y = self.state[k] = complex(real, imag)
        rectified = t.least(t.mac(self.gain, y.real), 0.0)
        return t.power(rectified, self.compression) if self.compression != 1.0 else rectified


class Unit:
    """Integrates and fires."""

    def __init__(self, tally, refractory, step):
        self.tally, self.refractory, self.step, self.level = tally, 1e-3 * refractory, step, 0.0

    def __call__(self, drive):
        t = self.tally
        if self.refractory:
            drive = t.ratio(drive, t.mac(self.refractory, drive, 1.0))
        self.level, fired = t.add(self.level, drive * self.step), 0
        over = t.above(self.level, 1.0)
        while over:
            self.level, fired = t.add(self.level, -1.0), fired + 1
            over = self.level > 1.0
        return fired


@pytest.mark.parametrize("decimation", [1, 8])
@pytest.mark.parametrize("compression", [0.5, 1.0])
@pytest.mark.parametrize("refractory", [0.0, 1.0])
def test_gammatone_and_integrate_and_fire(decimation, compression, refractory):
    audio = clip()
    bank = encoders.GammatoneBank(5, 200.0, 5000.0, compression=compression, decimation=decimation)
    coder = encoders.IntegrateAndFire(gain=3e4, leak=10.0, refractory=refractory)
    tally, events = Tally(), np.zeros(5, int)
    centres = encoders.gammatone.centre_frequencies(5, 200.0, 5000.0)
    assert (centres > RATE / 2).any()
    for channel, centre in enumerate(centres):
        hear = Resonator(tally, centre, bank.order, compression) if centre < RATE / 2 else None
        unit, mean = Unit(tally, refractory, decimation / RATE), 0.0
        for k, x in enumerate(audio):
            y = hear(x) if hear else 0.0
            mean = tally.add(mean, y) if decimation > 1 else y
            if (k + 1) % decimation == 0:
                mean = tally.mac(mean, 1.0 / decimation) if decimation > 1 else mean
                drive = tally.least(tally.mac(coder.gain, mean, -coder.leak), 0.0)
                events[channel] += unit(drive)
                mean = 0.0
    _, channels = encoders.encode(audio, RATE, bank=bank, coder=coder)
    expected = np.bincount(channels, minlength=5)
    assert expected.sum() > 30
    assert np.abs(events - expected).max() <= 1  # one may lie on the last frame's end
    tally.equals(bank_operations(bank, coder, RATE), audio.size / RATE, events.sum())


@pytest.mark.parametrize("inhibition", [0.0, 0.8])
@pytest.mark.parametrize("emphasis", [0.0, 0.9])
def test_cochlea(inhibition, emphasis):
    audio = clip(2400)
    encoder = encoders.CochleaEncoder(
        n_channels=6, inhibition=inhibition, inhibition_width=3, emphasis=emphasis
    )
    tally, events = Tally(), 0
    heard = audio - emphasis * np.concatenate([[0.0], audio[:-1]])
    # As the program finds it over the whole clip; the square and the product of every sample.
    level = max(cochlea_module.active_level(heard, RATE), encoder.level_min)
    signal = []
    for k, x in enumerate(audio):
        if emphasis:
            x = tally.mac(-emphasis, audio[k - 1] if k else 0.0, x)
        tally.mac(x, x)
        signal.append(tally.mac(x, 1.0 / level))
    centres = cochlea_module.centre_frequencies(encoder)
    hear = [Resonator(tally, c, encoder.filter_order, encoder.compression) for c in centres]
    units = [Unit(tally, encoder.refractory, 1.0 / RATE) for _ in centres]
    block = round(1e-3 * RATE)
    keep = math.exp(-1.0 / encoder.inhibition_tau)
    sums, recent, spread = np.zeros(6), np.zeros(6), np.zeros(6)
    theta = encoders.integrate_and_fire.thresholds(6, mismatch=0.0, rng=np.random.default_rng(0))
    for k, x in enumerate(signal):
        for channel in range(6):
            q = r = hear[channel](x)
            if inhibition:
                sums[channel] = tally.add(sums[channel], r)
                q = tally.least(tally.mac(-inhibition, spread[channel], r), 0.0)
            gained = tally.mac(encoder.gain / theta[channel], q, -encoder.gain * encoder.floor)
            events += units[channel](tally.least(gained, 0.0))
        if inhibition and (k + 1) % block == 0:
            for channel in range(6):
                mean = tally.mac(sums[channel], 1.0 / block)
                recent[channel] = tally.mac(1.0 - keep, mean, tally.mac(keep, recent[channel]))
                sums[channel] = 0.0
            padded = np.concatenate([recent[:1], recent, recent[-1:]])
            total = padded[0] + padded[1]
            for channel in range(6):
                total = tally.add(total, padded[channel + 2])
                spread[channel] = tally.mac(total, 1.0 / 3.0)
                total = tally.add(total, -padded[channel])
    times, _ = encoder.encode(audio, RATE)
    assert times.size > 20
    # Resonators ring as the spectrum does, not to the bit.
    assert events == pytest.approx(times.size, rel=0.05, abs=2)
    tally.equals(cochlea_operations(encoder, RATE), audio.size / RATE, events)


@pytest.mark.parametrize("coder", [encoders.Bsa(threshold=0.6, scale=20.0, hold=2, limit=None),
                                   encoders.DeltaModulation(0.01)])  # fmt: skip
def test_bsa_and_delta_modulation(coder):
    audio = clip()
    bank = encoders.GammatoneBank(2, 440.0, 1700.0, compression=1.0, decimation=40)
    frames = bank.frames(audio, RATE)
    tally, events = Tally(), 0
    for row in frames.values:
        if isinstance(coder, encoders.Bsa):
            held = [tally.mac(v, coder.scale) for v in row]
            signal = [*np.repeat(held, coder.hold), *np.zeros(24)]
            for i in range(row.size * coder.hold):
                apart, whole = 0.0, 0.0
                for j, k in enumerate(kernel()):
                    apart = tally.add(apart, abs(tally.add(signal[i + j], -k)))
                    whole = tally.add(whole, abs(signal[i + j]))
                if tally.above(tally.add(whole, -coder.threshold), apart):
                    events += 1
                    for j, k in enumerate(kernel()):
                        signal[i + j] = tally.add(signal[i + j], -k)
        else:
            reference = 0.0
            for x in row:
                up = tally.above(x, reference + coder.delta)
                down = tally.above(reference - coder.delta, x)
                while up or down:
                    reference = tally.add(reference, coder.delta if up else -coder.delta)
                    events += 1
                    up, down = x > reference + coder.delta, x < reference - coder.delta
    times, _ = coder.spikes(frames)
    assert times.size > 10
    assert abs(events - times.size) <= 1
    whole = bank_operations(bank, coder, RATE)
    before = bank_operations(bank, encoders.IntegrateAndFire(), RATE)
    units = 2 * RATE / 40  # a product and three sums and comparisons a frame, a difference an event
    seconds = audio.size / RATE
    assert tally["multiply_adds"] == pytest.approx(
        (whole.multiply_adds - before.multiply_adds + units) * seconds
    )
    additions = (whole.additions - before.additions + 3 * units) * seconds
    assert tally["additions"] == pytest.approx(additions + whole.event_additions * events)
    assert tally["functions"] == 0


@pytest.mark.parametrize("options", [{}, {"differentiate": False}, {"gain_control": False}])
def test_lyon(options):
    audio = clip(160)
    ear = encoders.LyonEar(decimation=16, step_factor=2.0, **options)
    sections = encoders.lyon.filters(RATE, ear.ear_q, ear.step)
    n = sections.shape[0]
    tally, frames = Tally(), []
    delays, low = np.zeros((n, 4)), np.zeros((n, 3))
    states = np.zeros((4, n))
    (b, a) = encoders.lyon._low_pass(ear, RATE)
    for x in audio:
        out = np.zeros(n)
        for k, (b0, b1, b2, _, a1, a2) in enumerate(sections):
            x1, x2, y1, y2 = delays[k]
            y = tally.mac(b0, x)
            for c, v in ((b1, x1), (b2, x2), (-a1, y1), (-a2, y2)):
                y = tally.mac(c, v, y)
            delays[k] = x, x1, y, y1
            x = y
            out[k] = tally.least(y, 0.0)
        hidden = out.copy()
        if ear.gain_control:
            for s, (target, tau) in enumerate(encoders.lyon.GAIN_CONTROL):
                epsilon = 1.0 - math.exp(-1.0 / (1e-3 * tau) / RATE)
                own = states[s].copy()
                beside = np.concatenate([own[:1], own, own[-1:]])
                for k in range(n):
                    hidden[k] = tally.mac(hidden[k], tally.add(1.0, -own[k]))
                    sums = tally.add(tally.add(beside[k], beside[k + 1]), beside[k + 2])
                    kept = tally.mac((1.0 - epsilon) / 3.0, sums)
                    state = tally.mac(epsilon / target, hidden[k], kept)
                    states[s, k] = -tally.least(-state, -encoders.lyon.LARGEST_STATE)
        if ear.differentiate:
            before = hidden.copy()
            for k in range(1, n):
                hidden[k] = tally.least(tally.add(before[k - 1], -before[k]), 0.0)
        for k in range(n):
            y0, y1, held = low[k]
            y = tally.mac(-a[2], y1, tally.mac(-a[1], y0, tally.mac(b[2], held)))
            low[k] = y, y0, hidden[k]
        frames.append(low[:, 0].copy())
    assert len(frames) == audio.size
    whole = bank_operations(ear, encoders.DeltaModulation(1.0), RATE)
    seconds, units = audio.size / RATE, 2 * (n - 2) * RATE / 16
    assert tally["multiply_adds"] == pytest.approx(whole.multiply_adds * seconds)
    assert tally["additions"] == pytest.approx((whole.additions - units) * seconds)


def test_data_sets_of_audio_say_what_their_encoder_does():
    own = datasets.encoder_operations("fsdd")
    assert own == cochlea_operations(fsdd.ENCODER, 8000)
    other = encoders.CochleaEncoder(n_channels=32)
    assert datasets.encoder_operations("fsdd", other).multiply_adds < own.multiply_adds / 1.9
    expected = bank_operations(ti46.EAR, ti46.CODER, ti46.SAMPLE_RATE)
    for name in datasets.DATASETS:
        found = datasets.encoder_operations(name)
        assert (found is not None) == (name in ("fsdd", "spoken_digits") or name.startswith("ti46"))
        assert not name.startswith("ti46") or found == expected
    recipe = spoken_digits.SpeechRecipe()
    assert datasets.encoder_operations("spoken_digits") == cochlea_operations(recipe.encoder, 22050)


def test_espeak_speaks_at_the_rate_that_is_counted():
    pytest.importorskip("espeakng_loader", reason="needs the extra demo")
    from eventsim.datasets.espeak import Synthesizer

    assert Synthesizer().sample_rate == datasets.SAMPLE_RATES["spoken_digits"]
