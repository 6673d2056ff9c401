"""A network alone answers as the one that was trained: in memory, from its file, from NIR."""

import warnings
from dataclasses import fields, replace

import numpy as np
import pytest

import eventsim as es
from eventsim.clocked import Grid
from eventsim.engine import simulate
from eventsim.errors import DataError
from eventsim.events import Dataset
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.network.nir import NirWarning, from_nir, read_nir, to_nir, write_nir
from eventsim.train import LabelledEvents, TrainConfig, evaluate, load_network, train
from eventsim.train.checkpoint import CHECKPOINT_VERSION
from eventsim.train.choice import answer_of, config_of, make_loss
from eventsim.train.loss_settings import LOSSES, IntegralLoss
from tests.support.tiers import beyond
from tests.unit.train.task import Stop, first_spike_net, small_net, stop_at, two_patterns

CONFIG = TrainConfig(
    epochs=8,
    batch_size=8,
    validation_fraction=0.25,
    tail=12.0,
    loss=IntegralLoss(gain=17.0, time_constant=23.0),
)
TRAINS = pytest.mark.thorough("a second each; tests/gradients/test_every_loss.py has all losses")
SPIKING = ("first_spike", "spike_count", "van_rossum")
DATA, UNSEEN = two_patterns(64), two_patterns(70, seed=5)


def task(loss):
    """A network, a config and a way to name the classes for a loss."""
    given = {"gain": 17.0, "time_constant": 23.0, "rate": 90.0, "interval": 6.0}
    given |= {"missed_outputs": True}
    names = {field.name for field in fields(LOSSES[loss])}
    config = replace(
        CONFIG, loss=LOSSES[loss](**{key: given[key] for key in given if key in names})
    )
    if loss in SPIKING:
        return first_spike_net(seed=1), replace(config, epochs=10), DATA.class_names
    if loss == "ctc":
        net = es.scsr(6, (8,), 3, mean=4.0, spread=4.0)
        # As of earlier versions: too few steps to leave the blank that a run begins with.
        return net, replace(config, initial_logits=0.0), ("down", "up down")
    return small_net(), config, DATA.class_names


def named(data, class_names):
    return LabelledEvents(data.stream, data.labels, class_names)


def by_config(net, config, names):
    tape = simulate(net, UNSEEN.stream, tail=config.tail, precision=config.precision)
    return make_loss(config, UNSEEN.labels, names).predictions(net, tape)


@pytest.mark.parametrize(
    "loss", beyond(4, [one for one in LOSSES if LOSSES[one].rule is not None], TRAINS)
)
def test_trained_network_its_files_and_nir_answer_as_the_config_does(loss, tmp_path):
    net, config, names = task(loss)
    result = train(net, named(DATA, names), config, tmp_path)
    unseen = named(UNSEEN, names)
    expected, tested = by_config(result.net, config, names), evaluate(result.net, unseen, config)
    assert len(np.unique(expected)) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        write_nir(result.net, tmp_path / "net.nir")
        graph = to_nir(result.net)
    nets = (
        result.net,
        load_network(tmp_path / "last.npz"),
        read_nir(tmp_path / "net.nir"),
        from_nir(graph),
    )
    for found in nets:
        assert found.answer == answer_of(config, names) == result.net.answer
        predicted = es.predict(found, UNSEEN.stream)
        np.testing.assert_array_equal(predicted.classes, expected)
        for k, name in zip(predicted.classes, predicted.names, strict=True):
            said = name.split() if loss == "ctc" else [f"#{k}"]
            assert name == (names[k] if k < len(names) else " ".join(said))
            assert (name in names) == (k < len(names))
        alone = evaluate(found, unseen)
        assert alone.accuracy == tested.accuracy
        # Batches of another size are summed in another order.
        assert alone.loss == pytest.approx(tested.loss, rel=1e-12)
        np.testing.assert_array_equal(alone.confusion, tested.confusion)
        if loss == "ctc":
            assert predicted.scores is None
        else:
            assert predicted.scores.shape == (70, 2)
            np.testing.assert_array_equal(predicted.scores.argmax(axis=1), expected)
    assert net.answer is None
    for name in ("initial", "selected"):
        assert load_network(tmp_path / f"{name}.npz").answer == result.net.answer
    back = config_of(result.net, "test")
    trained = {"missed_outputs": True} if loss in SPIKING else {}
    assert replace(back.loss, **trained) == config.loss
    assert (back.output, back.tail) == (config.output, config.tail)


def test_answer_depends_on_the_tail_that_it_was_trained_with(tmp_path):
    # Everything reaches the readout after the end of a recording only.
    net = es.scsr(6, (8,), 2, output_delays=(80.0, 90.0), mean=4.0, spread=4.0)
    config = replace(CONFIG, loss="cross_entropy_maximum", tail=120.0, epochs=3)
    trained = train(net, DATA, config, tmp_path).net
    own = es.predict(trained, UNSEEN.stream)
    cut = es.predict(trained, UNSEEN.stream, tail=0.0)
    assert not np.array_equal(own.scores, cut.scores)


def test_answers_do_not_depend_on_the_batch_and_may_be_of_no_recordings():
    net = small_net()
    net.set_answer(es.Answer(class_names=("a", "b"), tail=5.0))
    whole = es.predict(net, UNSEEN.stream)
    parts = [es.predict(net, UNSEEN.stream[k : k + 7]) for k in range(0, 70, 7)]
    np.testing.assert_array_equal(whole.scores, np.concatenate([p.scores for p in parts]))
    assert len(whole) == 70
    empty = es.predict(net, UNSEEN.stream[:0])
    assert (len(empty), empty.names) == (0, ())


def test_data_is_asked_about_in_the_classes_of_the_network():
    net = small_net()
    net.set_answer(answer_of(CONFIG, ("high", "low")))
    found, expected = evaluate(net, DATA), evaluate(net, DATA.relabelled(("high", "low")), CONFIG)
    np.testing.assert_array_equal(found.confusion, expected.confusion)
    net.set_answer(replace(net.answer, class_names=("high", "middle")))
    with pytest.raises(DataError, match="of class 'low', expected one of high, middle"):
        evaluate(net, DATA)
    evaluate(net, DATA, CONFIG)
    net.set_answer(es.Answer())
    assert evaluate(net, DATA).n_samples == 64


def test_strings_of_other_words_are_refused():
    net = es.scsr(6, (8,), 3)
    net.set_answer(es.Answer(rule="ctc", class_names=("up", "up down")))
    with pytest.raises(DataError, match=r"the words \['high', 'low'\], expected"):
        evaluate(net, DATA)
    assert evaluate(net, named(DATA, ("down", "up up"))).n_samples == 64


def test_checkpoint_of_a_network_without_an_answer_resumes_with_one(tmp_path):
    config = replace(CONFIG, checkpoint_every=1, epochs=2)
    with pytest.raises(Stop):
        train(small_net(), DATA, config, tmp_path, callback=stop_at(1, 1))
    path = tmp_path / "checkpoint.npz"
    arrays = read_arrays(path, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION)
    assert arrays.pop("net:answer") is not None  # as older versions wrote it
    write_arrays(path, arrays, kind="eventsim-checkpoint", version=CHECKPOINT_VERSION)
    again = small_net()
    again.set_answer(es.Answer(rule="last"))  # of an earlier training, say
    resumed = train(again, DATA, config, tmp_path, resume=True)
    assert resumed.net.answer == resumed.selected_net.answer == answer_of(config, ("low", "high"))


def test_network_trained_on_the_grid_answers_alone(tmp_path):
    config = replace(CONFIG, bip=(), epochs=1)
    result = train(small_net(), DATA, config, tmp_path, method=Grid())
    moved = load_network(tmp_path / "last.npz")
    assert moved.answer == answer_of(config, DATA.class_names)
    on_grid, by_config = (evaluate(result.net, UNSEEN, c, method=Grid()) for c in (None, config))
    assert on_grid.accuracy == by_config.accuracy
    assert on_grid.neuron_updates == by_config.neuron_updates
    assert on_grid.loss == pytest.approx(by_config.loss, rel=1e-6)
    found = evaluate(moved, UNSEEN)
    expected = evaluate(result.net, UNSEEN, config)
    assert found.accuracy == expected.accuracy
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)


def test_export_for_another_program_says_what_it_does_not_see():
    net = small_net()
    net.set_answer(es.Answer(tail=12.0))
    del net._projections["hidden1->hidden1"]
    with pytest.warns(NirWarning, match="rule 'integral' of 'output', 12 ms after a recording's"):
        graph = to_nir(net, target="norse")
    assert from_nir(graph).answer == net.answer


def test_answers_stand_beside_the_names_of_their_recordings():
    net = small_net()
    net.set_answer(es.Answer(class_names=UNSEEN.class_names))
    keys = np.array([f"take {k}" for k in range(len(UNSEEN))])
    data = Dataset(UNSEEN.stream, UNSEEN.labels, UNSEEN.class_names, keys=keys)
    whole, some = es.predict(net, data), es.predict(net, data.subset([9, 2, 40]))
    assert [row["key"] for row in whole.table()] == keys.tolist()
    assert some.keys == ("take 9", "take 2", "take 40")
    np.testing.assert_array_equal(some.scores, whole.scores[[9, 2, 40]])
    assert [row["answer"] for row in some.table()] == [whole.names[k] for k in (9, 2, 40)]
    order = np.argsort(-whole.scores, axis=1)
    assert whole.seconds == tuple(UNSEEN.class_names[k] for k in order[:, 1])
