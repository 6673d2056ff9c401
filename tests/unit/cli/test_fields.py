from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from eventsim.cli.fields import Table, fields_of, filled
from eventsim.entries import Count, Finite, Positive, Settings
from eventsim.entries.described import described, meanings, setting
from eventsim.errors import ParameterError


@dataclass(frozen=True)
@described
class Shape(Settings):
    """A shape.

    Raises
    ------
    ParameterError
        Never.
    """

    kind: Literal["round", "square"] = setting("round", "Round or square, see :func:`es.scsr`.")
    sizes: tuple[Count, ...] = setting((1,), "Of ``layers``.")
    range: tuple[Finite, Finite] = setting((0.0, 0.0), "From low to high.")
    deep: bool = setting(False, "Deep.")
    tau: Positive | None = setting(None, "In ms.")
    more: Mapping[str, Any] = setting(dict, "By name.")
    names: list[str] = setting(list, "Of all.")


Typed = Annotated[
    Table, fields_of(Shape, "kind", "sizes", "range", "deep", "tau", "more", panel="Shape")
]


@pytest.fixture
def run():
    app, seen = typer.Typer(), []

    @app.command()
    @filled
    def command(name: str, shape: Typed, loud: bool = False) -> None:
        seen.append((name, shape, loud))

    def call(*arguments):
        result = CliRunner().invoke(app, list(arguments))
        return result, seen[-1] if seen else None

    return call


def test_meanings_are_plain_in_help_and_whole_in_the_docstring():
    assert list(meanings(Shape).values()) == [
        "Round or square, see scsr.",
        "Of layers.",
        "From low to high.",
        "Deep.",
        "In ms.",
        "By name.",
        "Of all.",
    ]
    assert "Attributes\n----------\nkind\n    Round or square, see :func:" in Shape.__doc__
    assert Shape.__doc__.index("Of all.") < Shape.__doc__.index("Raises\n------\nParameterError")
    assert Shape().names is not Shape().names


def test_only_what_was_typed_reaches_the_command(run):
    assert run("a")[1] == ("a", {}, False)
    typed = ("b", "--kind", "square", "--sizes", "3", "--sizes", "4", "--range", "1:2.5", "--loud")
    wanted = {"kind": "square", "sizes": (3, 4), "range": (1.0, 2.5)}
    assert run(*typed)[1] == ("b", wanted, True)
    assert run("c", "--no-deep", "--tau", "2", "--range", "4")[1] == (
        "c", {"deep": False, "tau": 2.0, "range": (4.0, 4.0)}, False
    )  # fmt: skip


def test_help_and_bounds_are_those_of_the_class(run):
    text = run("--help")[0].output
    for word in ("Shape", "--kind", "round|square", "--no-deep", "From low to high.", "Of layers."):
        assert word in text
    assert run("a", "--sizes", "0")[0].exit_code == 2
    assert run("a", "--kind", "flat")[0].exit_code == 2


def test_values_by_name_are_typed_as_pairs_of_key_and_value(run):
    typed = ("--more", "gain=2.5", "--more", "dry=true", "--more", "kind=flat")
    assert run("a", *typed)[1][1] == {"more": {"gain": 2.5, "dry": True, "kind": "flat"}}
    result, _ = run("a", "--more", "gain")
    assert "--more 'gain': expected KEY=VALUE" in str(result.exception)


def test_a_pair_that_is_none_is_refused_by_its_option(run):
    result, _ = run("a", "--range", "x")
    assert isinstance(result.exception, ParameterError)
    assert "--range x: expected one number" in str(result.exception)


@dataclass(frozen=True)
class Places:
    """Where something is."""

    far: Annotated[float, typer.Option("--far", help="In km.")] = 1.0
    names: Annotated[list[str] | None, typer.Option("--name", help="Repeat for more.")] = None
    known: str = "by nobody"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ((), Places()),
        (("--far", "3"), Places(far=3.0)),
        (("--name", "a", "--name", "b"), Places(names=["a", "b"])),
    ],
)
def test_command_gets_a_class_filled_with_its_options(typed, expected):
    app, seen = typer.Typer(), []

    @app.command()
    @filled
    def command(name: str, *, places: Places, loud: bool = False) -> None:
        seen.append((name, places, loud))

    result = CliRunner().invoke(app, ["here", *typed, "--loud"])
    assert result.exit_code == 0, result.output
    assert seen == [("here", expected, True)]


def test_options_of_a_class_stand_in_its_place_in_the_help():
    app = typer.Typer()

    @app.command()
    @filled
    def command(
        first: int = 0, *, places: Annotated[Places, "names", "far"], last: int = 0
    ) -> None:
        del first, places, last

    text = CliRunner().invoke(app, ["--help"]).output
    places = [text.index(option) for option in ("--first", "--name", "--far", "--last")]
    assert places == sorted(places)
    assert "--known" not in text
