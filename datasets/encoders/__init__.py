"""Audio to events: filter banks, spike coders, and a whole cochlea.

One file per encoder, with its formula, symbols, units and source. A **filter bank** turns audio
into frames [channels, frames], a **spike coder** turns frames into events:

>>> from eventsim.datasets.encoders import GammatoneBank, IntegrateAndFire, encode
>>> import numpy as np
>>> audio = np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)
>>> times, channels = encode(audio, 8000, bank=GammatoneBank(), coder=IntegrateAndFire())

====================================  ==========================================================
filter banks                          :class:`LyonEar`, :class:`GammatoneBank`
spike coders                          :class:`Bsa`, :class:`IntegrateAndFire`,
                                      :class:`DeltaModulation`
both, with loudness normalisation     :class:`CochleaEncoder`; ``SILICON`` is one with the
and lateral inhibition                channel statistics of N-TIDIGITS18
audio that comes in chunks            :func:`encode_live`, :class:`LiveCochlea`
operations on a chip                  :func:`bank_operations`, :func:`cochlea_operations`
====================================  ==========================================================
"""

from eventsim.datasets.encoders.bsa import Bsa
from eventsim.datasets.encoders.cochlea import SILICON, CochleaEncoder, LiveCochlea
from eventsim.datasets.encoders.delta import DeltaModulation
from eventsim.datasets.encoders.frames import FilterBank, Frames, SpikeCoder, encode, encode_live
from eventsim.datasets.encoders.gammatone import GammatoneBank
from eventsim.datasets.encoders.integrate_and_fire import IntegrateAndFire
from eventsim.datasets.encoders.lyon import LyonEar
from eventsim.datasets.encoders.operations import bank_operations, cochlea_operations

__all__ = [
    "SILICON", "Bsa", "CochleaEncoder", "DeltaModulation", "FilterBank", "Frames", "GammatoneBank",
    "IntegrateAndFire", "LiveCochlea", "LyonEar", "SpikeCoder", "bank_operations",
    "cochlea_operations", "encode", "encode_live",
]  # fmt: skip
