from dataclasses import replace

import pytest

from eventsim.entries import flat
from eventsim.experiment import (
    DataSettings,
    RecipeError,
    Selection,
    Shape,
    load_recipe,
    load_task,
    recipe_names,
    resolve,
    task_names,
)
from eventsim.experiment.reading import merged
from eventsim.experiment.recipe import Sweep


def test_recipes_and_tasks_of_the_issue_are_there():
    named = {"architectures", "bip", "baselines", "grid", "convolution"}
    assert set(recipe_names()) >= named
    assert set(task_names()) >= {
        "yinyang", "fsdd", "fsdd_speakers", "spoken_digits", "nmnist", "ntidigits", "ti46_digits",
        "ti46_alpha", "shd",
    }  # fmt: skip


@pytest.mark.parametrize("recipe", recipe_names())
@pytest.mark.parametrize("task", task_names())
@pytest.mark.parametrize("smoke", [False, True])
def test_every_recipe_goes_with_every_task(recipe, task, smoke):
    found = resolve(load_recipe(recipe), load_task(task), Selection(smoke=smoke))
    assert found.baseline in [variant.name for variant in found.variants]
    assert found.seeds == ((0, 1) if smoke else (0, 1, 2))
    for variant in found.variants:
        # Shared settings are shared: conditions differ in what they say only.
        assert variant.train.epochs == found.variants[0].train.epochs
        assert variant.train.augmentation == found.variants[0].train.augmentation


def test_conditions_of_the_paper_have_the_connections_that_their_names_say():
    found = resolve(load_recipe("architectures"), load_task("yinyang"), Selection())
    shape = Shape.described(DataSettings(name="yinyang"))
    wires = {v.name: set(v.build(shape, seed=0).projections) for v in found.variants}
    chain = {"input->hidden1", "hidden1->hidden2", "hidden2->output"}
    own = {"hidden1->hidden1", "hidden2->hidden2"}
    skips = {"input->hidden2", "input->output", "hidden1->output"}
    assert wires["feedforward"] == chain
    assert wires["sr"] == chain | own
    assert wires["sc"] == chain | skips
    assert wires["scsr"] == wires["scsr_bip"] == chain | own | skips
    assert wires["lateral"] == chain | own
    bip = {v.name: bool(v.train.bip) for v in found.variants}
    assert [name for name, on in bip.items() if on] == ["scsr_bip", "lateral_bip"]


@pytest.mark.parametrize("task", ["yinyang", "fsdd"])
def test_lateral_network_has_as_many_parameters_as_its_model(task):
    found = resolve(load_recipe("architectures"), load_task(task), Selection())
    shape = Shape.described(found.data)
    count = {v.name: v.count_parameters(shape) for v in found.variants}
    for name in ("lateral", "lateral_bip"):
        assert count[name] == pytest.approx(count["scsr_bip"], rel=0.03)
    widths = {v.name: v.network.hidden for v in found.variants}
    # One neuron more or less in the first population would be further away.
    assert len(set(widths["lateral"])) == 1


def test_parameters_of_a_local_rule_count(files):
    files.change("[train]", "[train.spikl]\ntau_mem = 1e-3\n[train]")
    shape, found = Shape.described(DataSettings(name="yinyang")), files.resolve()
    # 5 x 4 and 4 x 3 weights; skips 5 x 3; tau_mem of 4 hidden neurons.
    assert found.variants[0].count_parameters(shape) == 20 + 12 + 4
    assert found.variants[1].count_parameters(shape) == 20 + 12 + 15 + 4


def test_later_layers_replace_earlier_ones_key_by_key(files):
    files.change('name = "skip"', 'name = "skip"\ntrain = { epochs = 7, rates = { taus = 0.5 } }')
    plain, skip = files.resolve().variants
    assert (plain.train.epochs, skip.train.epochs) == (2, 7)
    assert skip.train.rates.taus == 0.5
    assert skip.train.rates.weights == plain.train.rates.weights
    assert (skip.title, plain.title) == ("with skips", "plain")
    assert [v.train.epochs for v in files.resolve(smoke=True).variants] == [1, 7]
    assert [v.train.epochs for v in files.resolve(smoke=True, epochs=3).variants] == [3, 3]


def test_an_axis_of_a_sweep_stays_at_the_small_size_what_its_label_says(files):
    files.change("[smoke.train]", "[smoke.network]\nhidden = [2]\n\n[smoke.train]", task=True)
    recipe, task = files.load()
    swept = recipe.swept(Sweep(name="size", axes={"network.hidden": [[3], [7]]}))
    found = resolve(swept, task, Selection(smoke=True)).variants
    assert [v.network.hidden for v in found] == [(2,), (2,), (3,), (7,)]
    assert [v.title for v in found[2:]] == ["hidden 3", "hidden 7"]


def test_a_linear_model_stays_linear_at_the_small_size(files):
    files.change("network = { self_recurrent = false }", "network = { hidden = [] }")
    plain, linear = files.resolve(smoke=True).variants
    assert plain.network.hidden
    assert linear.network.hidden == ()
    assert linear.count_parameters(Shape.described(DataSettings(name="yinyang"))) == 5 * 3
    files.change('name = "plain"', 'name = "plain"\nsame_parameters_as = "skip"')
    with pytest.raises(RecipeError, match="'skip' has no hidden populations"):
        files.resolve()


def test_runs_of_one_seed_differ_only_in_their_condition(files):
    specs = files.resolve(seeds=(4, 9)).specs()
    assert [spec.label for spec in specs] == [
        "plain/seed-4", "skip/seed-4", "plain/seed-9", "skip/seed-9"
    ]  # fmt: skip
    plain, skip = (flat(spec.deciding()) for spec in specs[:2])
    assert {key for key in plain if plain[key] != skip[key]} == {"network.skip"}
    assert plain["train.seed"] == 4


def test_held_out_groups_are_folds_of_every_seed(files):
    specs = files.resolve(seeds=(0,), held_out=("theo", "lucas"), conditions=("plain",)).specs()
    assert [spec.label for spec in specs] == [
        "plain/seed-0-without-theo", "plain/seed-0-without-lucas"
    ]  # fmt: skip
    assert [spec.fold for spec in specs] == ["theo", "lucas"]


def test_reference_backend_brings_double_precision_along():
    task, recipe = load_task("yinyang"), load_recipe("bip")
    for backend, precision in (("reference", "double"), ("cpu", "single"), (None, "single")):
        variants = resolve(recipe, task, Selection(backend=backend)).variants
        assert {one.train.precision for one in variants} == {precision}


def test_validation_follows_the_groups_that_are_held_out_until_something_else_is_asked():
    task, recipe = load_task("fsdd"), load_recipe("bip")
    for given, expected in (
        ({}, "recording"),
        ({"held_out": ("theo",)}, "group"),
        ({"held_out": ("theo",), "validate": "recording"}, "recording"),
        ({"validate": "group"}, "group"),
    ):
        plan = resolve(recipe, task, Selection(seeds=(0,), **given))
        assert {spec.validated_by for spec in plan.specs()} == {expected}


def test_recordings_come_once_where_some_are_held_out_for_validation():
    task = load_task("fsdd_speakers")
    task = replace(task, data={**task.data, "repeats": 3})
    asked = [
        resolve(load_recipe(name), task, Selection(seeds=(0,), held_out=("theo",))).specs()
        for name in ("convolution", "bip")
    ]
    repeats = [{spec.data.repeats for spec in specs} for specs in asked]
    fractions = [{spec.train.validation_fraction for spec in specs} for specs in asked]
    assert (fractions[0], repeats[0]) == ({0.0}, {3})
    assert min(fractions[1]) > 0.0
    assert repeats[1] == {1}


def test_task_says_what_it_has_other_than_the_one_it_is_based_on(tmp_path):
    head = 'format = "eventsim-task"\nversion = 1\n'
    (tmp_path / "one.toml").write_text(
        f'{head}name = "one"\ntitle = "1"\nbased_on = "fsdd"\n[train]\nepochs = 3\n'
        "[train.augmentation]\nmix = 0.0\n"
    )
    (tmp_path / "two.toml").write_text(
        f'{head}name = "two"\ntitle = "2"\nbased_on = "one.toml"\n[data]\nname = "shd"\n'
    )
    fsdd, two = load_task("fsdd"), load_task(tmp_path / "two.toml")
    assert (two.name, two.title, two.data) == ("two", "2", {"name": "shd"})
    assert (two.network, two.smoke) == (fsdd.network, fsdd.smoke)
    changed = {"epochs": 3, "augmentation": {"mix": 0.0}}
    assert two.train == merged(fsdd.train, changed)


def test_merging_leaves_its_arguments_alone():
    one, two = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": {"e": 5}}
    assert merged(one, two) == {"a": {"b": 4, "c": 2}, "d": {"e": 5}}
    assert one == {"a": {"b": 1, "c": 2}, "d": 3}


SWEEP = """
[[sweep]]
name = "pruned"
title = "few"
train = { sparse = { interval = 3 } }

[sweep.axes]
"train.sparse.sparsity" = [0.5, 0.9]
"network.hidden" = [[4], [3, 2]]
"""


def test_sweep_makes_a_condition_of_every_combination(files):
    with files.recipe.open("a") as file:
        file.write(SWEEP)
    recipe, task = files.load()
    names = [one.name for one in recipe.condition]
    assert names == [
        "plain", "skip", "pruned-0_5-4", "pruned-0_5-3-2", "pruned-0_9-4", "pruned-0_9-3-2"
    ]  # fmt: skip
    assert recipe.condition[3].title == "few: sparse.sparsity 0.5, hidden 3 2"
    last = resolve(recipe, task, Selection()).variants[-1]
    assert (last.train.sparse.sparsity, last.train.sparse.interval) == (0.9, 3)
    assert last.network.hidden == (3, 2)
    # The settings of all conditions hold for those of a sweep too.
    assert last.train.bip == ()
    (chosen,) = files.resolve(conditions=("pruned-0_9-4",)).variants
    assert chosen.name == "pruned-0_9-4"
