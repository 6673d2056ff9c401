"""Networks by rules: what each rule and each distribution draws, and what it does not depend on."""

import numpy as np
import pytest
from scipy import stats

import eventsim as es
from eventsim.network import rules
from eventsim.network.draws import stream_of


def connected(rule, n=60, m=None, *, seed=0, weights=1.0, delays=0.0, **how):
    """One population onto itself, or onto another of m neurons."""
    net = es.Network(seed=seed, **how)
    net.add_input("input", 1)
    net.add_population("a", n)
    if m is not None:
        net.add_population("b", m)
    return net.connect("a", "a" if m is None else "b", weights, rule=rule, delays=delays)


def counts(projection):
    """Synapses of every pair, [sources, targets]."""
    return projection.matrix(np.ones(projection.values.size))


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("kind", ["fixed_indegree", "fixed_total_number"])
@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_numbers_are_those_of_the_rule(kind, multapses, autapses, share):
    n = 60
    k = int(share * (n - (not autapses)))
    amount = k if kind == "fixed_indegree" else k * n
    how = {"allow_multapses": multapses, "allow_autapses": autapses}
    found = counts(connected(getattr(es, kind)(amount, **how), n))
    assert found.sum() == k * n
    if kind == "fixed_indegree":
        assert (found.sum(axis=0) == k).all()
    assert (found.max() > 1) == multapses
    assert bool(np.diag(found).any()) == autapses


@pytest.mark.parametrize(
    ("rule", "p"),
    [
        (es.pairwise_bernoulli(0.3), 0.3),
        (es.fixed_total_number(400, allow_multapses=False), 1 / 3),
        (es.fixed_indegree(24, allow_multapses=False), 0.8),
        (es.fixed_total_number(1200), 1.0),
        (es.fixed_indegree(15), 0.5),
    ],
    ids=str,
)
def test_every_pair_is_as_likely(rule, p):
    draws = 400
    total = sum(counts(connected(rule, 30, 40, seed=seed)) for seed in range(draws))
    variance = p if rule.allow_multapses else p * (1 - p)
    # Six standard deviations of a binomial or Poisson count, of 1,200 pairs.
    assert abs(total - draws * p).max() < 6.0 * np.sqrt(draws * variance)
    assert total.mean() == pytest.approx(draws * p, rel=0.02)


def test_all_sets_of_sources_are_as_likely():
    rule, found = es.fixed_indegree(2, allow_multapses=False), np.zeros(16)
    matrix = counts(connected(rule, 4, 30_000))
    found = np.bincount((np.array([1, 2, 4, 8]) @ matrix).astype(int), minlength=16)
    found = found[found > 0]
    assert found.size == 6
    assert (abs(found - 5000) <= 5.0 * np.sqrt(5000 * 5 / 6)).all()


DISTRIBUTIONS = {
    "normal": (es.normal(1.5, 0.75), stats.norm(1.5, 0.75).cdf),
    "normal, redrawn": (
        es.normal(1.5, 0.75, least=0.1, most=2.0),
        stats.truncnorm(-1.4 / 0.75, 0.5 / 0.75, 1.5, 0.75).cdf,
    ),
    "normal, a tail": (es.normal(0.0, 1.0, least=9.0), stats.truncnorm(9.0, np.inf).cdf),
    "lognormal": (es.lognormal(0.2, 0.5), stats.lognorm(0.5, scale=np.exp(0.2)).cdf),
    "uniform": (es.uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0).cdf),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_values_have_their_distribution(name):
    given, cdf = DISTRIBUTIONS[name]
    found = connected(es.fixed_total_number(40_000), weights=given).values
    assert given.ends[0] <= found.min() < found.max() <= given.ends[1]
    assert stats.kstest(found, cdf).pvalue > 1e-4
    assert np.unique(found).size > 39_990


def test_clipped_values_lie_at_the_limit():
    given = es.normal(0.0, 1.0, least=-1.0, outside="clip")
    found = connected(es.fixed_total_number(40_000), weights=given).values
    assert (found == -1.0).mean() == pytest.approx(stats.norm.cdf(-1.0), abs=0.01)


def test_weights_and_delays_of_synapses_are_independent():
    p = connected(
        es.fixed_total_number(40_000), weights=es.normal(0, 1), delays=es.normal(9, 1, least=0)
    )
    given = np.stack([p.values, p.delays, p.sources(), p.targets()])
    assert abs(np.corrcoef(given) - np.eye(4)).max() < 0.03
    assert p.delay_per_synapse


@pytest.mark.parametrize("block", [1, 7, 500])
@pytest.mark.parametrize("multapses", [True, False])
def test_blocks_change_nothing(block, multapses, monkeypatch):
    how = {"weights": es.normal(0, 1), "delays": es.uniform(1, 2)}
    rule = es.fixed_total_number(2000, allow_multapses=multapses)
    whole = connected(rule, **how)
    monkeypatch.setattr(rules, "BLOCK", block)
    parts = connected(rule, **how)
    for one, other in zip(
        (*whole.pattern, whole.values, whole.delays),
        (*parts.pattern, parts.values, parts.delays),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_words_have_their_numbers():
    stream = stream_of(3, "a->b", "source")
    whole = stream.uniform(0, 40)
    for first in range(9):
        np.testing.assert_array_equal(stream.uniform(first, 20), whole[first : first + 20])
    assert not np.intersect1d(whole, stream_of(4, "a->b", "source").uniform(0, 40)).size


def test_what_else_there_is_changes_no_draw_and_rows_are_in_order():
    net = es.Network(seed=5, weight_dtype=np.float32)
    net.add_input("input", 1)
    for name in ("c", "b", "a"):
        net.add_population(name, 60)
    net.connect("a", "c", 1.0, rule=es.fixed_indegree(3))
    rule, weights = es.fixed_indegree(20), es.normal(0, 1)
    found = net.connect("a", "b", weights, rule=rule)
    alone = connected(rule, 60, 60, seed=5, weights=weights)
    np.testing.assert_array_equal(found.values, alone.values.astype(np.float32))
    np.testing.assert_array_equal(found.pattern.indices, alone.pattern.indices)
    net.check()
    assert np.array_equal(net.copy().projections["a->b"].values, found.values)
