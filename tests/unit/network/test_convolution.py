"""Convolutions against loops over places."""

import itertools

import numpy as np
import pytest

import eventsim as es

CASES = {
    "channels": es.Convolution(10, 3, out_maps=2),
    "strides": es.Convolution((11,), (4,), stride=(3,), in_maps=2, out_maps=3),
    "padded": es.Convolution((6,), (5,), padding=(2,), out_maps=1),
    "sensor": es.Convolution((5, 7), (3, 2), stride=(2, 1), padding=(1, 0), in_maps=2, out_maps=3),
    "all at once": es.Convolution((4, 3), (4, 3), in_maps=2, out_maps=5),
}


def by_loops(conv, kernel):
    """[sources, targets], built place by place."""
    found = np.zeros((*conv.shape, conv.in_maps, *conv.out_shape, conv.out_maps))
    for target in itertools.product(*map(range, conv.out_shape)):
        for offset in itertools.product(*map(range, conv.kernel)):
            axes = zip(target, conv.stride, offset, conv.padding, strict=True)
            place = tuple(t * step + k - margin for t, step, k, margin in axes)
            if all(0 <= p < n for p, n in zip(place, conv.shape, strict=True)):
                for i, o in np.ndindex(conv.in_maps, conv.out_maps):
                    found[(*place, i, *target, o)] = kernel[(*offset, i, o)]
    return found.reshape(conv.n_sources, conv.n_targets)


def connected(conv, **more):
    net = es.Network()
    net.add_input("input", conv.n_sources)
    net.add_population("maps", conv.n_targets)
    kernel = conv.draw(3)
    return net, kernel, conv.connect(net, "input", "maps", kernel, **more)


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_loops_over_places(case):
    conv = CASES[case]
    _, kernel, projection = connected(conv)
    expected = by_loops(conv, kernel)
    np.testing.assert_array_equal(projection.weights.toarray(), expected)
    assert projection.weights.nnz == np.count_nonzero(expected)
    assert projection.weights.has_canonical_format


@pytest.mark.parametrize("case", CASES)
def test_weights_of_one_kernel_entry_are_one(case):
    conv = CASES[case]
    net, kernel, projection = connected(conv)
    sharing = net.shared["input->maps.weights"]
    assert sharing.n_values == kernel.size
    np.testing.assert_array_equal(kernel.ravel()[sharing.groups], projection.values)


def test_delays_of_the_kernel_are_shared_as_its_weights():
    conv = CASES["sensor"]
    delays = np.random.default_rng(4).uniform(0.0, 9.0, conv.weight_shape)
    net, _, projection = connected(conv, delays=delays)
    np.testing.assert_array_equal(
        delays.ravel()[net.shared["input->maps.delays"].groups], projection.delays
    )
    by_source = np.arange(conv.n_sources, dtype=float)
    net, _, projection = connected(conv, delays=by_source)
    np.testing.assert_array_equal(projection.delays, by_source)
    assert "input->maps.delays" not in net.shared


def test_neurons_of_a_map_are_one():
    conv = CASES["sensor"]
    net, _, _ = connected(conv)
    net.connect("maps", "maps", es.self_recurrent(np.zeros(conv.n_targets)))
    conv.share_neurons(net, "maps")
    for key in ("maps.tau_mem", "maps.threshold", "maps->maps.weights"):
        groups = net.shared[key].groups.reshape(*conv.out_shape, conv.out_maps)
        assert (groups == np.arange(3)).all()
