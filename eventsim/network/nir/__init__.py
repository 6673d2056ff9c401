r"""Networks to and from NIR, the neuromorphic intermediate representation (extra ``nir``).

NIR's neuron with a synapse, ``CubaLIF`` (``CubaLI`` without threshold), obeys

.. math::
    \tau_{syn} \dot I = -I + w_{in} S, \qquad
    \tau_{mem} \dot v = (v_{leak} - v) + r I,

where S is a sum of weighted spikes. A spike of weight w is an impulse of area 1, so I jumps by
:math:`w\, w_{in} / \tau_{syn}`; in eventsim it jumps by w. What leaves therefore has
:math:`w_{in} = \tau_{syn}`, in the file's own unit, and unchanged weights.

=======================  =======================================================================
eventsim                 NIR
=======================  =======================================================================
input                    ``Input``
spiking population       ``CubaLIF``, every parameter one value per neuron
receptors                an ``LI`` for each, all into one ``LIF``
readout                  ``CubaLI``
projection               ``Linear`` on an edge of its own (skips and lateral ones alike), sparse
                         ones dense, with their pattern in the metadata
self-recurrent weights   ``Scale`` in a loop
delays                   ``Delay`` before the weights; delays per synapse: one branch for each
                         delay that a source has, with the weights of those synapses
=======================  =======================================================================

Times are in seconds; the graph's metadata says so (``time_unit``).

**What NIR has no word for** stands in metadata (keys ``eventsim_...``), which :func:`from_nir`
reads and other programs ignore: refractory times, adaptive thresholds, where V begins (at v_leak;
at v_reset for neurons whose v_leak is above their threshold), which weights of a sparse projection
exist, the order of populations and projections, a linear decision (``net.decision``), which values
are one (``net.shared``), how the network answers (``net.answer``: population, rule, tail, names of
classes). A :class:`NirWarning` names those that change spikes, and the decision; of a file for
another program also the answer. Shared values are written each in its place.

**Neurons of other kinds**, such as AdLIF and resonators, have no node. With ``lossy=True`` their
kind and parameters stand in metadata, and in their place a ``LIF`` that never fires.

**Other programs do not take spikes as impulses.** They run on time steps, and a spike is the number
1 for one step: an impulse of area dt, a thousand or ten thousand times weaker. They also ignore or
refuse some parameters. A file for one of them is written for it, by ``target=`` and its time step
``dt=``; :mod:`eventsim.network.nir.dialects` says what each needs. Nothing that a target cannot do
is left out in silence: it is an error, with ``lossy=True`` a warning where the file still loads.

References
----------
Pedersen et al. (2024), Neuromorphic intermediate representation, Nat. Commun. 15:8122. Package nir
1.0.8, ``nir/ir/neuron.py``.
"""

from eventsim.network.nir.data import tape_to_nir
from eventsim.network.nir.dialects import TARGETS, Target
from eventsim.network.nir.export import to_nir
from eventsim.network.nir.files import read_nir, write_nir
from eventsim.network.nir.package import NirWarning
from eventsim.network.nir.restore import from_nir

__all__ = [
    "TARGETS", "NirWarning", "Target", "from_nir", "read_nir", "tape_to_nir", "to_nir", "write_nir",
]  # fmt: skip
