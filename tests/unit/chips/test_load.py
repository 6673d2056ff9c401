import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.chips import (
    ENERGY_TERMS,
    LATENCY_TERMS,
    Chip,
    ChipError,
    board_of,
    chip_names,
    load_chip,
)
from eventsim.errors import EventSimError

GOOD = """
format = "eventsim-chip"
version = 1
name = "mine"
title = "My chip"
kind = "chip"
source = "data sheet"
step_ms = 0.5

[limits]
cores = 15
mesh = [4, 2]
cores_per_tile = 2
neurons_per_core = 256
synapse_bits_per_core = 1024
bits_per_synapse = 8

[formats]
weight_bits = 8

[energy.synaptic_event]
value = 12.5
unit = "pJ"
status = "measured"
source = "table 3"

[latency.hop_ew]
value = 4
unit = "ns"
status = "simulated"
source = "table 4"
"""


@pytest.fixture
def chip_file(tmp_path: Path):
    def write(text: str = GOOD, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_chips_of_the_issue_are_there():
    expected = {
        "45nm", "loihi", "loihi_sanafe", "loihi2", "truenorth", "spinnaker", "spinnaker2", "dynapse"
    }  # fmt: skip
    assert expected <= set(chip_names())


@pytest.mark.parametrize("name", chip_names())
def test_every_chip_names_the_source_and_unit_of_every_figure(name):
    chip = load_chip(name)
    assert chip.name == name
    assert len(chip.source) > 40
    for figures, terms in ((chip.energy, ENERGY_TERMS), (chip.latency, LATENCY_TERMS)):
        for key, quantity in figures.items():
            assert quantity.unit == terms[key].unit
            assert len(quantity.source) > 10
            assert math.isfinite(quantity.value)
            assert quantity.value > 0
    if chip.kind == "chip":
        assert chip.limits is not None
        assert chip.formats is not None
        assert chip.limits.source
    else:
        assert chip.limits is None


def test_figures_of_horowitz_and_davies_are_those_of_the_papers():
    arithmetic, loihi = load_chip("45nm").energy, load_chip("loihi").energy
    assert (arithmetic["ac"].value, arithmetic["mac"].value) == (0.9, 4.6)
    assert loihi["synaptic_event"].value == 23.6
    assert loihi["neuron_update_active"].value == 81.0
    assert loihi["neuron_update_idle"].value == 52.0
    assert {q.status for key, q in loihi.items() if key != "static_chip"} == {"simulated"}


def test_users_file_gives_all_its_values(chip_file):
    chip = load_chip(chip_file())
    assert isinstance(chip, Chip)
    assert (chip.name, chip.step_ms) == ("mine", 0.5)
    assert chip.limits is not None
    assert (chip.limits.mesh, chip.limits.neurons_per_core) == ((4, 2), 256)
    assert chip.limits.axons_in_per_core is None
    assert chip.formats is not None
    assert (chip.formats.weight_bits, chip.formats.decay_bits) == (8, None)
    assert chip.energy["synaptic_event"].value == 12.5
    assert chip.latency["hop_ew"].value == 4.0


def test_chip_without_a_step_is_asynchronous(chip_file):
    assert load_chip(chip_file(GOOD.replace("step_ms = 0.5", ""))).step_ms is None


def test_errors_are_those_of_eventsim():
    assert issubclass(ChipError, EventSimError)
    assert issubclass(ChipError, ValueError)


def test_a_board_is_read(tmp_path):
    text = GOOD.replace("mesh = [4, 2]", "mesh = [4, 2]\nchips = [2, 1]\nchip_link = 2.5")
    (tmp_path / "board.toml").write_text(text)
    limits = load_chip(tmp_path / "board.toml").limits
    assert (limits.chips, limits.chip_link) == ((2, 1), 2.5)
    (tmp_path / "alone.toml").write_text(GOOD)
    limits = load_chip(tmp_path / "alone.toml").limits
    assert (limits.chips, limits.chip_link, limits.multicast) == ((1, 1), 1.0, False)


@given(text=st.text(max_size=80))
def test_any_text_is_a_chip_or_a_chip_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ChipError):
        load_chip(path)


def test_a_board_has_the_cores_of_all_its_chips_in_one_mesh():
    chip = load_chip("loihi")
    board = board_of(chip, (3, 2), link=4.0)
    assert (board.limits.cores, board.limits.mesh) == (768, (24, 8))
    assert (board.limits.chips, board.limits.chip_link) == ((3, 2), 4.0)
    assert (board.name, board.energy) == ("loihi 3x2", chip.energy)
    boards = board_of(board, (2, 1))
    assert (boards.limits.chips, boards.limits.chip_link) == ((6, 2), 4.0)
    assert board_of(chip, (1, 1)) == chip


def test_chips_with_tiles_without_cores_make_a_board():
    limits = board_of(load_chip("spinnaker2"), (2, 3)).limits
    assert (limits.cores, limits.mesh, limits.chips) == (912, (16, 15), (2, 3))
