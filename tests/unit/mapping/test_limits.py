import re

import pytest

from eventsim.chips import Limits, board_of
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.usage import check_room, limits_left_out
from eventsim.report.tables import left_out
from tests.unit.mapping.helpers import make_chip


def test_limits_that_the_file_does_not_have_are_named():
    chip = make_chip(cores=2, mesh=(2, 1), cores_per_tile=1, neurons_per_core=4)
    names = limits_left_out(chip)
    assert "neurons_per_core" not in names
    assert "fan_in_per_neuron" in names
    assert all(getattr(chip.limits, name) is None for name in names)
    assert set(names) <= set(Limits.__dataclass_fields__)
    assert left_out(names) == [
        f"No limit in the chip's file, so none was checked: {', '.join(names)}."
    ]
    assert left_out(()) == []


@pytest.mark.parametrize(("cores", "chips"), [(16, (2, 2)), (8, (3, 2))])
def test_a_network_that_is_too_large_is_told_the_least_board_with_room(net, cores, chips):
    """39 neurons, one on a core."""
    chip = make_chip(cores=cores, neurons_per_core=1)
    columns, rows = chips
    many = -(-39 // cores)
    said = f"At least {many} chips have room for it: a board of {columns} x {rows} "
    with pytest.raises(InfeasibleError, match=re.escape(said)):
        check_room(net, chip)
    with pytest.raises(InfeasibleError, match=re.escape(said)):
        check_room(net, board_of(chip, (many - 1, 1)))
    check_room(net, board_of(chip, chips))


def test_the_board_that_is_told_has_room_for_what_needs_most(net):
    """39 neurons, five on a core, need two chips of six cores; 376 synapses, 20 on a core, four."""
    chip = make_chip(cores=6, neurons_per_core=5, synapses_per_core=20)
    with pytest.raises(InfeasibleError, match="of neurons_per_core x 6 cores") as caught:
        check_room(net, chip)
    assert "At least 4 chips have room for it: a board of 2 x 2 " in str(caught.value)
    check_room(net, board_of(chip, (2, 2)))
