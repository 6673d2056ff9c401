"""The glossary of measures: one name for each number that commands, pages and files show.

Every table and page takes the name from here, and the reference shows this list. ``instead_of`` are
words for the same thing that eventsim does not use; a test looks for them. NeuroBench's names are
those of version 2.3 (:mod:`eventsim.energy.neurobench` gives its numbers).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a number is.

    Attributes
    ----------
    name
        For people.
    unit
        Of the number; empty for a plain number.
    counts
        What is counted.
    leaves_out
        What one might look for in it, and is not in it.
    neurobench
        NeuroBench's name of the same, with the difference if there is one.
    keys
        Names in JSON files and in Python.
    instead_of
        Other words for it, which are not used.
    """

    name: str
    unit: str
    counts: str
    leaves_out: str = ""
    neurobench: str = ""
    keys: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()


LOSSES_DIFFER = (
    "The loss of training contains label smoothing and dropout where they are on, that of "
    "validation contains neither."
)

MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure(
        name="accuracy",
        unit="%",
        counts="Recordings whose answer is the right class, of all that were asked.",
        neurobench="Classification accuracy",
        keys=("accuracy",),
    ),
    "validation_accuracy": Measure(
        name="validation accuracy",
        unit="%",
        counts="The same on the recordings that training holds out of its own data.",
        leaves_out="The test part.",
        keys=("validation_accuracy",),
    ),
    "loss": Measure(
        name="loss",
        unit="",
        counts="In training the mean over an epoch while the network changes, with label "
        "smoothing, dropout and augmentation. In an evaluation the mean over recordings as they "
        "are: as the validation loss.",
        leaves_out="Penalties, such as the rate band. With label smoothing or dropout the losses "
        "of training and validation are not two values of one function.",
        keys=("loss",),
    ),
    "validation_loss": Measure(
        name="validation loss",
        unit="",
        counts="Mean loss of the recordings that training holds out, after the epoch.",
        leaves_out="Label smoothing, dropout, augmentation and penalties.",
        keys=("validation_loss",),
    ),
    "spikes": Measure(
        name="spikes",
        unit="",
        counts="Spikes of a population, or of all spiking neurons, in a recording.",
        leaves_out="Events of the input, where a table does not show the input apart.",
        keys=("spikes", "spikes_per_sample"),
    ),
    "rate": Measure(
        name="spikes per neuron and second",
        unit="1/s",
        counts="Spikes divided by neurons and by time, both of all that was simulated: the "
        "recordings, and the tail after each (the time that the network runs on).",
        leaves_out="The rate band and calibrate have targets of their own: per second of a "
        "recording without its tail, and per second of events.",
        keys=("spikes_per_neuron_and_second", "rates"),
        instead_of=("mean rate (Hz)", "firing rate (Hz)"),
    ),
    "silent_neurons": Measure(
        name="silent neurons",
        unit="neurons",
        counts="Neurons that fire in none of the recordings.",
        keys=("silent_neurons",),
        instead_of=("dead neurons",),
    ),
    "silent_in_recording": Measure(
        name="neurons silent in a recording",
        unit="%",
        counts="Pairs of a recording and a spiking neuron without a single spike, of all pairs.",
        leaves_out="The input's channels. It depends on no time step.",
        keys=("silent_per_sample", "silent_share"),
    ),
    "synaptic_operations": Measure(
        name="synaptic operations",
        unit="",
        counts="Arrivals of spikes and input events at stored synapses before the recording ends, "
        "synapses of weight zero included. Exact: no time step is involved.",
        leaves_out="Multiply-adds of a linear decision, and spikes whose delay leads past the end.",
        neurobench="The sum of Effective_ACs and Effective_MACs, which leave out weights of zero "
        "and count the decision.",
        keys=(
            "synaptic_events", "synaptic_events_per_sample", "synaptic_operations",
            "synaptic_operations_per_inference", "synaptic_operations_per_recording",
        ),
        instead_of=("synaptic event", "SynOps", "syn. ops", "SOPs"),
    ),
    "effective_operations": Measure(
        name="effective operations",
        unit="",
        counts="Synaptic operations at synapses whose weight is not zero.",
        leaves_out="Multiply-adds of a linear decision.",
        neurobench="Effective_ACs, if no step puts two events of a source together.",
        keys=("effective_events_per_sample",),
        instead_of=("effective event",),
    ),
    "effective_acs": Measure(
        name="effective ACs",
        unit="",
        counts="Accumulations of weights that are not zero, in calls of a layer in which each "
        "source has at most one event. Depends on the time step.",
        neurobench="Effective_ACs",
        keys=("effective_acs_per_sample",),
    ),
    "effective_macs": Measure(
        name="effective MACs",
        unit="",
        counts="Multiplications with weights that are not zero, in the other calls. Depends on the "
        "time step.",
        leaves_out="Multiply-adds of a linear decision.",
        neurobench="Effective_MACs, which count the decision.",
        keys=("effective_macs_per_sample",),
    ),
    "dense_operations": Measure(
        name="dense operations",
        unit="",
        counts="All weights that full matrices have, in every step.",
        leaves_out="A linear decision.",
        neurobench="Dense, which counts the decision.",
        keys=("dense_operations_per_sample",),
    ),
    "decision_macs": Measure(
        name="multiply-adds of the linear decision",
        unit="",
        counts="Its weights that are not zero, once a recording, or in every frame of ctc.",
        neurobench="A part of Effective_MACs; a voltage of exactly 0 is not counted there.",
        keys=("decision_macs_per_sample",),
    ),
    "updates_by_arrivals": Measure(
        name="updates by arrivals",
        unit="",
        counts="Pairs of a neuron and a time at which something arrives: how often an event-driven "
        "machine brings neurons and readouts up to date.",
        keys=("membrane_updates_per_sample", "neuron_updates_per_inference"),
        instead_of=("membrane updates",),
    ),
    "neuron_updates": Measure(
        name="neuron updates",
        unit="",
        counts="All neurons and readouts in every step of a clocked machine; those with input have "
        "an arrival in the step.",
        keys=("neuron_updates_per_sample", "active_updates_per_sample"),
    ),
    "connection_sparsity": Measure(
        name="connection sparsity",
        unit="%",
        counts="Synapses that are missing or have the weight zero, of all that full matrices have. "
        "Weights count as they run: rounded, if the network is.",
        leaves_out="The weights of a linear decision.",
        neurobench="Connection sparsity, which counts the decision's weights.",
        keys=("connection_sparsity",),
    ),
    "activation_sparsity": Measure(
        name="activation sparsity",
        unit="%",
        counts="Triples of a recording, a spiking neuron and a step without a spike, of all. "
        "Depends on the time step.",
        neurobench="Activation sparsity",
        keys=("activation_sparsity",),
    ),
    "synapses": Measure(
        name="stored synapses",
        unit="",
        counts="Entries that projections store, also those of weight zero.",
        leaves_out="The weights of a linear decision.",
        keys=("synapses", "stored"),
    ),
    "active_synapses": Measure(
        name="active synapses",
        unit="",
        counts="Synapses of a weight that is not zero that carried at least one event.",
        keys=("active",),
    ),
    "memory": Measure(
        name="memory",
        unit="bytes",
        counts="Weights, indices of sparse projections, delays, parameters and states of neurons. "
        "Weights have the bits that the network was trained with or rounded to, 32 where nothing "
        "is known; the other numbers have 32.",
        leaves_out="Buffers of events, programs, and what training needs.",
        neurobench="Footprint, which takes 4 bytes for every number and full matrices.",
        keys=("footprint_bytes",),
        instead_of=("memory footprint",),
    ),
    "trained_parameters": Measure(
        name="trained parameters",
        unit="",
        counts="Numbers that training changes: weights, parameters of neurons, delays.",
        keys=("trained_parameters", "parameters"),
    ),
    "energy": Measure(
        name="energy",
        unit="J",
        counts="The sum of counts times figures of a chip. With ≥ in front it is a lower bound.",
        leaves_out="The terms that are named as missing, and an encoder of the input.",
        keys=("energy_pj_per_sample", "energy_pj"),
    ),
    "leakage": Measure(
        name="leakage",
        unit="J",
        counts="Static power of the chip, or of the cores in use, for the time of the recording.",
        keys=("energy_pj_per_sample_of_leakage", "leakage_pj"),
        instead_of=("static energy",),
    ),
    "cores": Measure(
        name="cores",
        unit="",
        counts="Cores of a chip that hold neurons.",
        keys=("cores", "cores_used"),
    ),
    "links": Measure(
        name="links passed by spikes",
        unit="",
        counts="Links of the mesh, once for every spike and destination core.",
        leaves_out="Steps inside a tile.",
        keys=("hop_weighted_spikes",),
    ),
    "inference_time": Measure(
        name="time of an inference",
        unit="ms",
        counts="The whole recording, and the time that the network runs on after it.",
        leaves_out="What a program needs to compute it.",
        keys=("inference_ms", "milliseconds_per_sample"),
    ),
}  # fmt: skip


def measure_name(key: str) -> str:
    """The one name of a measure."""
    return MEASURES[key].name
