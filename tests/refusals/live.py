"""What the calls of ``live.toml`` are made of: text, packets and a network that listens."""

# ruff: noqa: F401 (the table uses what is imported here)

from dataclasses import replace

import numpy as np

import eventsim as es
from eventsim.live import devices
from eventsim.live.datagrams import bind
from eventsim.live.gate import Gate, GateSettings
from eventsim.live.listen import ListenSettings, listen
from eventsim.live.packets import Packet
from eventsim.live.sources import WireForm, open_source
from eventsim.live.text import Size, TextReader, checked_unit
from eventsim.neuron.linear import LIF, LinearNeuron, neuron_described
from tests.refusals.datasets import lacking


def read(text, stated=None):
    """The packets of a text."""
    return list(TextReader(Size(64), stated)(text, 0.0))


def gated(packets):
    """The pieces of a gate for 4 channels."""
    gate = Gate(GateSettings(), 4)
    return [piece for packet in packets for piece in gate.feed(packet)]


def rubbish(n):
    none = np.zeros(0)
    return [Packet.of(none, none, rubbish=(1, "hello"))] * n


def kind(states=("v", "i"), receptors=None):
    """A neuron of one's own."""

    class Refused(LinearNeuron):
        pass

    Refused.states, Refused.receptors = states, {"": "i"} if receptors is None else receptors
    return Refused()
