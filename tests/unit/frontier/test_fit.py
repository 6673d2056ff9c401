"""What has no place on a chip is on no front of it."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import Limits, load_chip
from eventsim.experiment.statistics import Summary
from eventsim.frontier import ChipNote, Fit, Frontier, Point, SweptRun, fit_on
from eventsim.frontier.picture import MISFIT, draw
from eventsim.frontier.points import with_fronts
from eventsim.frontier.tables import as_csv, misfits, notes, point_tables, told
from eventsim.frontier.write import plain
from eventsim.mapping import InfeasibleError, check_mapping, map_network
from eventsim.plot import style

NO = Fit(state="does not fit", reason="Chip 'small': too few cores.")
ROOM = [(1, 40), (1, 8), (2, 8), (3, 8), (9, 4), (12, 3), (3, 3), (40, 1)]


@pytest.fixture(scope="module")
def net():
    found = es.Network()
    found.add_input("input", 12)
    found.add_population("hidden", 24)
    found.connect("input", "hidden", np.kron(np.eye(4), np.ones((3, 6))))
    return found


@pytest.mark.parametrize(("cores", "axons"), ROOM)
def test_a_network_fits_where_a_mapping_holds_every_limit(net, cores, axons):
    limits = Limits(cores=cores, mesh=(cores, 1), cores_per_tile=1, axons_in_per_core=axons)
    chip = replace(load_chip("loihi"), name="small", limits=limits)
    found = fit_on(net, chip)
    if found.state == "fits":
        mapping = map_network(net, None, chip, method="refined")
        assert check_mapping(net, chip, mapping.cores) == []
        assert found.reason == ""
        assert 1 <= found.cores <= cores
        return
    with pytest.raises(InfeasibleError) as caught:
        map_network(net, None, chip, method="refined")
    assert (found.state, found.reason, found.cores) == ("does not fit", str(caught.value), None)


def test_a_technology_has_no_cores_and_a_decision_no_place_on_them(net):
    assert fit_on(net, load_chip("45nm")) is None
    decided = es.convolutional(12, (2,), 3)
    found = fit_on(decided, load_chip("loihi"))
    assert found.state == "does not fit"
    assert "no place on the cores" in found.reason


def test_a_condition_fits_if_the_networks_of_all_its_runs_do():
    fits, unknown = Fit(state="fits", cores=2), Fit(state="not checked", reason="Why.")
    assert Fit.of_runs([fits, fits]).state == "fits"
    assert Fit.of_runs([fits, NO, unknown]).state == "does not fit"
    assert Fit.of_runs([fits, NO, unknown]).reason == f"1 of 3 runs: {NO.reason}"
    assert Fit.of_runs([NO]).reason == NO.reason
    assert Fit.of_runs([fits, None]).state == "not checked"
    assert Fit.of_runs([]).state == "not checked"


def frontier_of(**fits):
    """Points whose accuracy and cost grow with their number, as far as they fit."""
    chips = tuple(
        ChipNote(
            name=name, title=name, step_ms=None, has_energy=True, has_cores=name == "small",
            has_leakage=True, figures=(),
        )
        for name in ("small", "tech")
    )  # fmt: skip
    points = []
    for place, (name, fit) in enumerate(fits.items(), start=1):
        axes = ("energy_pj:small", "energy_with_leakage_pj:small", "cores:small",
                "energy_pj:tech", "energy_with_leakage_pj:tech", "synaptic_operations")  # fmt: skip
        numbers = {"accuracy": place / 10, **dict.fromkeys(axes, 1e6 * place)}
        known = {} if fit is None else {"small": fit}
        missing = {"small": ("static_chip",), "tech": ("spike",)}
        run = SweptRun(
            seed=0, folder=name, link=name, command="", numbers=numbers, fits=known, missing=missing
        )
        summary = {key: Summary.of([value]) for key, value in numbers.items()}
        points.append(
            Point(
                name=name, title=name, kind="exact", settings={}, runs=(run,), summary=summary,
                fits=known, missing=missing,
            )
        )  # fmt: skip
    return with_fronts(
        Frontier(
            title="A sweep", about="", data="the test part", chosen_by="accuracy", chips=chips,
            points=tuple(points), absent=(),
        )
    )  # fmt: skip


def test_means_that_differ_by_rounding_alone_are_a_tie():
    found = frontier_of(cheap=Fit(state="fits"), dear=Fit(state="fits"))
    shares = {"cheap": (0.5, 0.1, 0.6), "dear": (0.4, 0.4, 0.4)}
    summaries = {name: Summary.of(values) for name, values in shares.items()}
    assert summaries["cheap"].mean < summaries["dear"].mean
    points = tuple(
        replace(one, summary={**one.summary, "accuracy": summaries[one.name]}, front=())
        for one in found.points
    )
    cheap, dear = with_fronts(replace(found, points=points)).points
    assert set(cheap.front) == set(found.axes)
    assert dear.front == ()


@pytest.fixture(scope="module")
def frontier():
    return frontier_of(few=Fit(state="fits", cores=1), many=NO, unknown=None)


def test_what_does_not_fit_or_was_not_checked_is_on_no_front_of_the_chip(frontier):
    others = {"energy_pj:tech", "energy_with_leakage_pj:tech", "synaptic_operations"}
    few, many, unknown = (set(point.front) for point in frontier.points)
    assert few == set(frontier.axes)
    assert many == unknown == others


def test_notes_of_the_small_size_begin_with_it(frontier):
    small = replace(frontier, small_size="Small size (--smoke): accuracies mean nothing.")
    assert next(notes(small)) == small.small_size
    assert plain(small)["small_size"] == small.small_size


def test_tables_and_notes_show_such_points_with_the_reason(frontier):
    _, small, tech = point_tables(frontier)
    where = small.columns.index("fits")
    assert [row[where] for row in small.rows] == ["yes", "no", "not checked"]
    assert [row[0] for row in small.rows] == ["few", "many", "unknown"]
    assert "fits" not in tech.columns
    lines = list(misfits(frontier))
    assert lines[0] == f"small: many: does not fit. {NO.reason}"
    assert lines[1].startswith("small: unknown: not checked. ")
    assert set(lines) <= set(notes(frontier))
    assert f"does not fit on small: {NO.reason}" in told(frontier, frontier.points[1])


def test_rows_of_the_file_say_whether_a_run_fits_and_what_its_energy_lacks(frontier):
    head, few, many, unknown = (line.split(",") for line in as_csv(frontier).splitlines())
    at = [head.index(f"{name}:small") for name in ("fits", "misfit", "missing")]
    assert [few[k] for k in at] == ["fits", "", "static_chip"]
    assert [many[k] for k in at] == ["does not fit", NO.reason, "static_chip"]
    assert unknown[at[0]] == "not checked"
    assert few[head.index("fits:tech")] == ""


def test_energies_that_lack_a_term_are_marked_as_lower_bounds(frontier):
    _, small, tech = point_tables(frontier)
    for table, energy, whole in ((small, "1 µJ", "≥ 1 µJ"), (tech, "≥ 1 µJ", "≥ 1 µJ")):
        row = dict(zip(table.columns, table.rows[0], strict=True))
        assert (row["energy"], row["with leakage"]) == (energy, whole)
    with style.look():
        labels = [draw(frontier, axis).axes[0].get_xlabel() for axis in frontier.axes]
    assert ["lower bound" in label for label in labels] == [False, True, True, True, False, False]


def test_leakage_without_cores_and_an_encoder_without_memory_are_lower_bounds_too(frontier):
    apart = ("leakage_pj:small", "encoder_pj:small", "leakage_pj:tech")
    summary = {**frontier.points[0].summary, **{key: Summary.of([1e6]) for key in apart}}
    both = replace(frontier, points=(replace(frontier.points[0], summary=summary),))
    _, small, tech = (dict(zip(t.columns, t.rows[0], strict=True)) for t in point_tables(both))
    assert (small["leakage"], small["encoder, besides"]) == ("≥ 1 µJ", "≥ 1 µJ")
    assert tech["leakage"] == "1 µJ"  # its sums lack a spike alone
    assert any("memory of the encoder" in note for note in notes(both))
    assert not any("memory of the encoder" in note for note in notes(frontier))
    assert "Not in the energies on tech: spike." in notes(frontier)


def test_picture_draws_them_as_crosses_with_their_state(frontier):
    with style.look():
        names = [text.get_text() for text in draw(frontier, "energy_pj:small").axes[0].texts]
        axes = draw(frontier, "energy_pj:tech").axes[0]
    assert names == ["few", "many (does not fit)", "unknown (not checked)"]
    assert [text.get_text() for text in axes.texts] == ["few", "many", "unknown"]
    assert MISFIT == "X"
