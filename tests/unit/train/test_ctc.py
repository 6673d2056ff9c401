"""CTC and its decoders against all paths, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.train.ctc import FrameLogits, ctc, frames_needed, log_softmax
from eventsim.train.decode import beam_strings, edits, greedy_strings, label_error_rate


def spelled(path, blank):
    return tuple(k for k, _ in itertools.groupby(path) if k != blank)


def all_strings(logits):
    """Probability of every string, by every path. ``logits`` [frames, classes]."""
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = {}
    for path in itertools.product(range(p.shape[1]), repeat=p.shape[0]):
        string = spelled(path, p.shape[1] - 1)
        found[string] = found.get(string, 0.0) + np.prod(p[np.arange(p.shape[0]), path])
    return found


def frames_of(seed, n_samples, n_frames, n_classes, lengths=None, scale=2.0):
    logits = np.random.default_rng(seed).normal(0.0, scale, (n_samples, n_frames, n_classes))
    lengths = [n_frames] * n_samples if lengths is None else lengths
    return FrameLogits(logits, np.array(lengths))


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_loss_of_every_string_is_that_of_all_its_paths(n_frames):
    frames = frames_of(n_frames, 1, n_frames, 3)
    for string, probability in all_strings(frames.logits[0]).items():
        losses, _ = ctc(frames, [string])
        assert losses[0] == pytest.approx(-np.log(probability), rel=1e-12)


def test_samples_and_strings_of_a_batch_may_have_any_lengths():
    frames, targets = frames_of(1, 4, 6, 3, [6, 3, 5, 1]), [(0, 1, 0), (1, 1), (), (0,)]
    losses, by_logit = ctc(frames, targets)
    for sample, (string, length) in enumerate(zip(targets, frames.lengths, strict=True)):
        own = frames.logits[sample, :length]
        assert losses[sample] == pytest.approx(-np.log(all_strings(own)[string]), rel=1e-12)
        alone, by_alone = ctc(FrameLogits(own[None], np.array([length])), [string])
        assert alone[0] == pytest.approx(losses[sample], rel=1e-13)
        np.testing.assert_allclose(by_logit[sample, :length], by_alone[0], atol=1e-14)
        np.testing.assert_array_equal(by_logit[sample, length:], 0.0)


@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(2, 4))
def test_gradient_matches_central_differences(seed, n_labels, n_classes):
    rng = np.random.default_rng(seed)
    string = tuple(rng.integers(0, n_classes - 1, n_labels).tolist())
    frames = frames_of(seed, 1, frames_needed(string) + 2, n_classes)
    _, by_logit = ctc(frames, [string])
    np.testing.assert_allclose(by_logit.sum(axis=2), 0.0, atol=1e-12)
    for entry in np.ndindex(*frames.logits.shape):
        step = np.zeros_like(frames.logits)
        step[entry] = 1e-5
        up, down = (
            ctc(frames._replace(logits=frames.logits + s), [string])[0] for s in (step, -step)
        )
        assert by_logit[entry] == pytest.approx((up - down)[0] / 2e-5, abs=1e-8)


def test_long_recordings_neither_underflow_nor_overflow():
    frames = frames_of(2, 2, 3000, 11, scale=30.0)
    losses, by_logit = ctc(frames, [tuple(range(10)), (3,) * 7])
    assert np.isfinite(losses).all()
    assert np.isfinite(by_logit).all()
    assert (losses > 100.0).all()


def test_probabilities_of_all_strings_sum_to_one():
    frames = frames_of(3, 1, 4, 3)
    total = sum(np.exp(-ctc(frames, [s])[0][0]) for s in all_strings(frames.logits[0]))
    assert total == pytest.approx(1.0, rel=1e-12)


def test_beam_that_keeps_all_strings_finds_the_likeliest():
    for seed in range(20):
        frames = frames_of(seed, 1, 5, 3, scale=1.0)
        by_string = all_strings(frames.logits[0])
        assert beam_strings(frames, width=1000) == [max(by_string, key=by_string.get)]


def test_beam_finds_a_string_that_no_single_path_is_likeliest_for():
    # Each frame prefers the blank, yet the paths of (0,) together outweigh the empty one.
    p = np.array([[0.4, 0.6], [0.4, 0.6]])
    frames = FrameLogits(np.log(p)[None], np.array([2]))
    assert greedy_strings(frames) == [()]
    assert beam_strings(frames) == [(0,)]


def test_greedy_merges_repeats_and_keeps_what_a_blank_separates():
    path = [0, 0, 2, 0, 1, 1, 2, 2, 9]
    logits = np.eye(3)[path[:-1]][None] * 5.0
    assert greedy_strings(FrameLogits(logits, np.array([8]))) == [(0, 0, 1)]
    assert greedy_strings(FrameLogits(logits, np.array([2]))) == [(0,)]


def test_label_errors_are_edits_per_right_label():
    assert edits((), (1, 2)) == 2
    assert edits((1, 2, 3), (1, 3)) == 1
    assert edits((3, 1, 2), (1, 2, 3)) == 2
    assert label_error_rate([(1, 2), (4,)], [(1, 2, 3), (5,)]) == pytest.approx(2 / 4)


@given(*[st.lists(st.integers(0, 2), max_size=6)] * 3)
def test_edits_are_a_distance(one, two, three):
    assert edits(one, two) == edits(two, one)
    assert (edits(one, two) == 0) == (one == two)
    assert edits(one, three) <= edits(one, two) + edits(two, three)
    assert abs(len(one) - len(two)) <= edits(one, two) <= max(len(one), len(two))


def test_log_softmax_of_huge_logits_is_finite():
    assert np.isfinite(log_softmax(np.array([1e6, 0.0, -1e6]))).all()
