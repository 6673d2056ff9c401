"""``eventsim frontier``: a sweep, trained, measured for chips, with its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.chips import load_chip
from eventsim.cli import experiment_runs
from eventsim.cli import options as opt
from eventsim.cli.checks import left_out, pair_of
from eventsim.cli.cost import check_names
from eventsim.cli.fields import Table, fields_of
from eventsim.cli.reading import PART
from eventsim.cli.terminal import check_passed, present, print_table, say
from eventsim.entries import parse_toml
from eventsim.errors import ParameterError
from eventsim.experiment import Recipe, Selection, resolve
from eventsim.experiment.recipe import Sweep

SWEPT = "swept"  # begins the names of conditions that --axis makes
DEFAULT_CHIP = "loihi"


@dataclass(frozen=True, kw_only=True)
class FrontierOptions:
    """Options of ``eventsim frontier``: chips, sweeps, bits, and recordings."""

    chip: list[str] | None = opt.chip_option(
        None,
        "Chip or technology, or a TOML file of your own; repeat for more. By default "
        f"{DEFAULT_CHIP}.",
    )
    axis: list[str] | None = opt.option(
        None,
        "Sweep a setting in place of the recipe's sweeps, such as "
        "train.sparse.sparsity=0.5,0.9 or network.hidden=[64],[32]; repeat for every "
        "combination.",
        metavar="SETTING=VALUES",
    )
    bits: list[int] | None = opt.option(
        None,
        "Also round the weights of every trained network to this number of bits, without "
        "training, as further points. Repeat for more.",
        min=1,
    )
    dt: opt.ClockOption = None
    out: Path | None = opt.option(None, "runs/frontiers/RECIPE-TASK by default.", metavar="FOLDER")
    condition: experiment_runs.ConditionsOption = None
    split: opt.SplitOption = None
    samples: opt.SamplesOption = None


def frontier_command(
    name: experiment_runs.RecipeArgument = "frontier",
    data: experiment_runs.TaskOption = None,
    *,
    asked: FrontierOptions,
    how: experiment_runs.Executing,
    as_json: opt.JsonOption = False,
    selected: Annotated[
        Table,
        fields_of(Selection, "file", "seeds", "epochs", "smoke", "backend", panel="Options"),
    ],
) -> None:
    """Accuracy against energy on chips: train a sweep, measure every run, find the Pareto front.

    The recipe's conditions differ in what they cost: by activity as a term of the loss, by pruned
    synapses, by size, or by any other setting. Finished runs are not run again, and
    measurements are kept: the same command continues. The folder gets frontier.html, one page with
    pictures to point at, and frontier.csv and frontier.json. Every row names the command
    that gives its energies.

    [bold]Examples[/bold]

    eventsim frontier --data fsdd --chip loihi --chip truenorth --seeds 3

    eventsim frontier --data yinyang --smoke

    eventsim frontier mine.toml --chip mine_chip.toml --out runs/mine

    eventsim frontier --data fsdd --axis train.sparse.sparsity=0.5,0.9 --axis network.tau_syn=5,10
    """
    from eventsim.frontier import Question, gather, write_frontier
    from eventsim.frontier.points import check_classes
    from eventsim.frontier.tables import notes, point_tables
    from eventsim.frontier.write import PAGE, POINTS, ROWS, plain

    recipe, task = experiment_runs.load_both(name, data)
    check_classes(task.title, targets=bool(task.data.get("targets")))  # before anything runs
    if asked.axis:
        recipe = along(recipe, asked.axis)
    chips = {given: load_chip(given) for given in dict.fromkeys(asked.chip or (DEFAULT_CHIP,))}
    for what in ("name", "title"):
        check_names({given: getattr(found, what) for given, found in chips.items()}, what)
    question = Question(
        chips=chips, part=asked.split or PART, samples=asked.samples, step_ms=asked.dt
    )
    selection = Selection(conditions=tuple(asked.condition or ()), **selected)
    root = asked.out or Path("runs") / "frontiers" / resolve(recipe, task, selection).name
    plan, ended = experiment_runs.run_recipe(recipe, task, selection, root, how)
    found = gather(
        plan,
        root,
        question,
        bits=tuple(dict.fromkeys(asked.bits or ())),
        watch=lambda label: say(f"measuring {label}"),
    )
    failed = experiment_runs.failures(ended)
    if not found.points:
        say("No run is done, so there is nothing to measure.")
        experiment_runs.exit_if(failed)
    check_passed(found.points)
    write_frontier(root, found)
    files = [str(root / name) for name in (PAGE, ROWS, POINTS)]

    def show(values: Mapping[str, Any]) -> None:
        for table in point_tables(found):
            print_table(table)
        for line in notes(found):
            typer.echo(line)
        for path in values["files"]:
            typer.echo(f"Written: {path}")

    present(plain(found) | {"files": files, "failed": failed}, show, as_json=as_json)
    experiment_runs.exit_if(failed)


def along(recipe: Recipe, axes: Sequence[str]) -> Recipe:
    """A recipe with its baseline, and every combination of the values of these axes.

    Axes are as they are typed, ``network.tau_syn=5,10``; other conditions are left out. Raises
    ParameterError or RecipeError where an axis is none.
    """
    values = dict(map(_axis, axes))
    twice, remedy = len(values) < len(axes), "Name all its values in one."
    left_out(twice, "--axis", "a setting is given twice", remedy)
    sweep = Sweep(name=SWEPT, axes=values)
    return recipe.only(recipe.baseline).swept(sweep)


def _axis(typed: str) -> tuple[str, tuple[Any, ...]]:
    key, text = pair_of("--axis", typed, "SETTING=VALUES, such as train.gain=5,10")
    found = parse_toml(f"values = [{text}]", f"--axis {typed}", ParameterError)
    return key, tuple(found["values"])
