"""The synapses of a stage: one copy by source, which sparse weights share, and by target."""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.plan import make_plan
from tests.support.nets import one_layer

N_INPUTS, SIZE = 7, 5


def weights(seed, rows):
    drawn = np.random.default_rng(seed).normal(size=(rows, SIZE))
    return sp.csr_array(np.where(np.abs(drawn) > 0.4, drawn, 0.0))


def looped_net(*, two=False):
    """A population onto itself, and, with ``two``, to and from another one."""
    net = one_layer("a", weights(0, N_INPUTS))
    net.connect("a", "a", weights(1, SIZE))
    if two:
        net.add_population("b", SIZE)
        net.connect("a", "b", weights(2, SIZE))
        net.connect("b", "a", np.ones((SIZE, SIZE)))
    return net


def stage_of(net):
    (stage,) = make_plan(net).stages
    return stage


@pytest.mark.parametrize("two", [False, True])
def test_synapses_by_target_are_those_by_source(two):
    stage = stage_of(looped_net(two=two))
    wiring, size = stage.wiring, int(stage.member_start[-1])
    stacked = np.zeros((int(wiring.row_start[-1]), size))
    for k, p in enumerate(stage.projections):
        full = p.weights.toarray() if sp.issparse(p.weights) else p.weights
        first = stage.start_of(p.target)
        stacked[wiring.row_start[k] : wiring.row_start[k + 1], first : first + SIZE] = full
    values = np.concatenate([p.values.ravel() for p in stage.projections])
    rows, columns = np.nonzero(stacked)
    assert wiring.target.tolist() == columns.tolist()
    assert np.array_equal(values, stacked[rows, columns])
    rows, columns = np.nonzero(stacked.T)[::-1]
    assert wiring.row.tolist() == rows.tolist()
    assert np.array_equal(values[wiring.synapse], stacked[rows, columns])
    assert np.array_equal(wiring.in_start, np.searchsorted(columns, np.arange(size + 1)))
    assert {a.dtype for a in (wiring.target, wiring.row, wiring.synapse)} == {np.dtype(np.int32)}


def test_targets_are_in_memory_once():
    net = looped_net(two=True)
    before = {name: p.weights.copy() for name, p in net.projections.items()}
    stage = stage_of(net)
    target = stage.wiring.target
    for p in stage.projections:
        if p.pattern is not None:
            shares = np.shares_memory(p.pattern.indices, target)
            assert shares == (p.target == "a")  # those of the second member are shifted
            assert np.array_equal(p.weights.toarray(), before[p.name].toarray())
    alone = es.Network()
    alone.add_input("input", N_INPUTS)
    alone.add_population("a", SIZE)
    projection = alone.connect("input", "a", weights(0, N_INPUTS))
    target = stage_of(alone).wiring.target
    assert target is projection.pattern.indices


def test_copies_share_no_targets():
    net = looped_net()
    wiring = stage_of(net).wiring
    for p in net.copy().projections.values():
        assert not np.shares_memory(p.pattern.indices, wiring.target)


@pytest.mark.parametrize("name", ["input->a", "a->a"])
def test_targets_edited_in_place_make_another_plan(name):
    net = looped_net()
    plan = make_plan(net)
    structure, row = plan.structure, plan.stages[0].wiring.row
    assert make_plan(net).kept is plan.kept
    pattern = net.projections[name].pattern
    mine = slice(*pattern.indptr[1:3])
    free = sorted({0, 1, 2, 3, 4} - set(pattern.indices[mine].tolist()))
    pattern.indices[mine] = sorted([*pattern.indices[mine][1:].tolist(), free[0]])
    changed = make_plan(net)
    assert changed.kept is not plan.kept
    assert changed.structure != structure
    assert not np.array_equal(changed.stages[0].wiring.row, row)
    assert make_plan(net).kept is changed.kept
