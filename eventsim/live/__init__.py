"""Live events: sources, rules for bad events, and the answers of a network as they come.

>>> import eventsim as es
>>> net = es.scsr(4, (8,), 2, mean=4.0)
>>> net.set_answer(es.Answer(class_names=("left", "right")))
>>> packet = es.live.Packet.of([5.0, 9.0, 21.0], [0, 3, 1])
>>> [step.piece.end for step in es.listen(net, [packet], backend="reference")]
[10.0, 20.0, 30.0]
"""

from eventsim.live.gate import Counters, GateSettings, Passage
from eventsim.live.latency import Latency
from eventsim.live.listen import Decided, Listener, ListenSettings, Step, listen
from eventsim.live.packets import Packet, packets_of
from eventsim.live.sources import WireForm, open_source, replay
from eventsim.live.text import Size

__all__ = [
    "Counters", "Decided", "WireForm", "GateSettings", "Latency", "ListenSettings", "Listener",
    "Packet", "Passage", "Size", "Step", "listen", "open_source", "packets_of", "replay",
]  # fmt: skip
