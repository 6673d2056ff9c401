"""A chip file to start from: every key and every term, with its meaning."""

from collections.abc import Iterator, Mapping

from eventsim.chips.terms import ENERGY_TERMS, LATENCY_TERMS, Term

_HEAD = """\
# A chip of your own. Fill in what is published, and delete the rest: what is left out is named as
# missing wherever a number lacks it. A line that begins with "#:" is optional: take the "#:" away.
# Then: eventsim cost RUN --chip mine.toml, eventsim map RUN --chip mine.toml

format = "eventsim-chip"
version = 1
name = "mine"                     # short
title = "My chip"                 # for people
kind = "chip"                     # or "technology": figures alone, no limits and formats
source = "data sheet, 2026"       # what this file rests on, and what it leaves out
step_ms = 1.0                     # usual time step in ms; delete it for an asynchronous chip

[limits]                          # of one chip; cores, mesh and cores_per_tile must be there
cores = 16
mesh = [4, 4]                     # columns, rows of the tiles that the mesh joins
cores_per_tile = 1
neurons_per_core = 256            # of two states: a voltage and a current
#:axons_in_per_core = 4096        # distinct axons that enter a core
#:axons_out_per_core = 4096       # pairs (neuron, destination core) that leave a core
#:synapses_per_core = 65536       # as a number ..
#:synapse_bits_per_core = 1048576 # .. or as memory,
#:bits_per_synapse = 16           # and what one synapse takes of it
#:fan_in_per_neuron = 1024        # synapses of one neuron
#:neuron_model = "programmable"   # one of n states takes n / 2 places; or "lif": no further state
#:multicast = true                # routers copy spikes: a link is passed once for several targets
#:chips = [2, 1]                  # a board: columns, rows of chips that the mesh is cut into
#:chip_link = 4.0                 # what a link between chips counts in a search; 1 inside a chip
#:source = "data sheet, section 2"

[formats]                         # what is left out is not rounded
weight_bits = 8                   # of a synaptic weight, its sign included
#:decay_bits = 12                 # of the share of voltage or current that is lost in a step
#:threshold_bits = 16
#:max_delay_steps = 62            # longest delay, in steps
#:source = "data sheet, section 3"

# Figures. value and unit: for each of what stands above. status: measured (on silicon), simulated,
# or estimated (derived, fitted, scaled). source: who published it. includes: other terms that the
# figure contains; they have no figure of their own.
"""
_FILLED = {"synaptic_event": 12.5, "neuron_update_active": 60.0, "neuron_update_idle": 40.0}


def example() -> str:
    """The file as text in TOML; it can be read as it is."""
    return "\n".join(
        [_HEAD, *_figures("energy", ENERGY_TERMS), *_figures("latency", LATENCY_TERMS)]
    )


def _figures(table: str, terms: Mapping[str, Term]) -> Iterator[str]:
    for name, term in terms.items():
        value = _FILLED.get(name) if table == "energy" else None
        mark = "#:" if value is None else ""
        yield f"# {term.meaning}"
        yield f"{mark}[{table}.{name}]"
        yield f"{mark}value = {1.0 if value is None else value}"
        yield f'{mark}unit = "{term.unit}"'
        yield f'{mark}status = "measured"'
        yield f'{mark}source = "data sheet, table 3"'
        if name == "synaptic_event" and table == "energy":
            yield '#:includes = ["spike"]'
        yield ""
