from eventsim.chips import ENERGY_TERMS
from eventsim.report.energy_figures import _LOOK


def test_every_term_but_leakage_has_a_look_in_the_figure():
    drawn = {name for name, term in ENERGY_TERMS.items() if term.needs != "time"}
    assert set(_LOOK) == drawn
    assert len(set(_LOOK.values())) == len(_LOOK)
