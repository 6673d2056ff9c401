import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.datasets.encoders import Bsa, Frames
from eventsim.datasets.encoders.bsa import kernel


def slow(values, *, threshold=0.6, scale=2000.0, hold=10, limit=700):
    """BSA of one channel with plain numbers, written from its description alone."""
    weights = [math.exp(-((i - 12) ** 2) / 25) for i in range(24)]
    total = 0.0
    for w in weights:
        total += w
    k = [w / total for w in weights]
    s = [v * scale for v in values for _ in range(hold)] + [0.0] * 24
    found = []
    for i in range(len(s) - 24):
        with_it, without = 0.0, 0.0
        for j in range(24):
            with_it += abs(s[i + j])
            without += abs(s[i + j] - k[j])
        if without < with_it - threshold:
            for j in range(24):
                s[i + j] -= k[j]
            if limit is None or i + 1 < limit:
                found.append(i + 1)
    return found


def steps(values, **options):
    step, channel = Bsa(**options).steps(np.atleast_2d(np.asarray(values, float)))
    assert not channel.any()
    return step.tolist()


def test_kernel_is_a_gaussian_that_sums_to_one():
    k = kernel()
    assert k.shape == (24,)
    assert k.argmax() == 12
    assert k.sum() == pytest.approx(1.0, abs=1e-15)
    assert k[7] / k[12] == pytest.approx(math.exp(-1.0))


def test_signal_that_is_the_kernel_gives_one_spike_at_step_one():
    # All of it goes at i = 0: 0 < 1 - 0.6. Nothing is left.
    assert steps(kernel(), scale=1.0, hold=1) == [1]


def test_single_high_step_never_spikes():
    # Taking the kernel away adds every k but one and removes one: 2 k_j - 1 < 0 < threshold.
    for where in (0, 11, 12, 23):
        signal = np.zeros(24)
        signal[where] = 5.0
        assert steps(signal, scale=1.0, hold=1) == []


@pytest.mark.parametrize("n_frames", [2, 3, 7])
def test_strong_frames_spike_until_a_fifth_of_the_kernel_hangs_over(n_frames):
    # With m steps of the signal left, the kernel takes away sum_{j<m} k_j and adds the rest:
    # 1 - 2 sum_{j>=m} k_j > 0.6. The tail of k from 16 on is 0.160, from 15 on 0.239: m >= 16.
    last = 10 * n_frames - 16 + 1
    assert steps(np.ones(n_frames)) == list(range(1, last + 1))


def test_weak_frames_never_spike():
    # Where k_j exceeds the signal of 0.03, as its eleven highest do (sum 0.882), taking it away
    # gains only 2 * 0.03 - k_j: 0.118 + 11 * 0.06 - 0.882 < 0.6.
    assert steps(np.full(10, 0.03 / 2000.0)) == []


@pytest.mark.parametrize(("limit", "last"), [(700, 699), (2, 1), (1, 0), (None, 785)])
def test_spikes_from_the_limit_on_are_left_out(limit, last):
    assert steps(np.ones(80), limit=limit) == list(range(1, last + 1))


@pytest.mark.parametrize("shape", [(3, 0), (3, 1), (1, 5)])
def test_silence_gives_no_spike(shape):
    assert Bsa().steps(np.zeros(shape))[0].size == 0


def test_times_are_steps_of_a_tenth_of_a_frame_in_order():
    values = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    times, channels = Bsa().spikes(Frames(values, step=16.0, duration=50.0))
    assert (np.lexsort((channels, times)) == np.arange(times.size)).all()
    assert times.dtype == np.float64
    assert channels.dtype == np.int32
    for c in range(2):
        expected = 1.6 * np.array(slow(values[c]))
        np.testing.assert_allclose(times[channels == c], expected, rtol=1e-14)


@given(
    values=arrays.arrays(
        float,
        st.tuples(st.integers(1, 3), st.integers(0, 12)),
        elements=st.floats(0, 3e-4) | st.sampled_from([0.0, 1e-4, 2.5e-4]),
    ),
    hold=st.sampled_from([1, 10, 30]),
    limit=st.sampled_from([None, 50, 700]),
)
def test_agrees_exactly_with_the_slow_implementation(values, hold, limit):
    step, channel = Bsa(hold=hold, limit=limit).steps(values)
    for c, row in enumerate(values.tolist()):
        assert step[channel == c].tolist() == slow(row, hold=hold, limit=limit)


def test_agrees_exactly_on_a_long_noisy_signal():
    values = np.random.default_rng(0).gamma(0.5, 1e-4, size=(20, 90))
    step, channel = Bsa().steps(values)
    assert step.size > 1000
    for c, row in enumerate(values.tolist()):
        assert step[channel == c].tolist() == slow(row)


def test_lone_channel_is_summed_in_the_order_of_the_steps():
    # A tie: sums in pairs end on other bits, and the spikes from step 21 on differ.
    values = [0.0, 1e-4, 1e-4, 1e-4, 1e-4]
    assert steps(values) == slow(values) == [2, 3, 9, 13, 17, 21, 25, 30, 35]
