"""poisson: events of Poisson sources as a stream, made when they are needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eventsim.checks import in_domain, real_array, shaped, whole_number
from eventsim.entries import Count
from eventsim.errors import ParameterError
from eventsim.events.poisson_sources import PoissonSources
from eventsim.events.stream import EventStream, checked_durations, drawn_stream


def poisson(
    rates: ArrayLike,
    *,
    duration: ArrayLike,
    n_channels: int | None = None,
    n_samples: int | None = None,
    seed: int = 0,
) -> EventStream:
    """Independent Poisson sources, one per channel, as the input of a run.

    A source is one channel. Its events follow from the seed, its number, its rate and the sample
    alone: other sources, chunks, threads and backends do not change them. They are made when they
    are asked for. :func:`eventsim.simulate` makes those of a long run for some time at once, about
    a million, and keeps none; so do :meth:`EventStream.chunks`, and files, which have the rates
    and the seed. All else (gradients, voltages, batches) makes all of them, at 12 bytes an event.

    Parameters
    ----------
    rates
        Spikes/s, from 0 to 1e6: one number, or shape [channels]. A source can stand for many: 2,900
        synapses of 8 spikes/s each are one source of 23,200 spikes/s.
    duration
        ms, one value for all samples or shape [samples], at most 2^25 (9 hours).
    n_channels
        Number of channels; None where ``rates`` has one for each.
    n_samples
        Number of samples, which are independent of each other; None for as many as ``duration`` has
        values.
    seed
        Whole number >= 0.

    Returns
    -------
    EventStream
        Times are multiples of 2^-28 ms (4e-9). :mod:`eventsim.events.poisson_sources` says how they
        are drawn.

    Raises
    ------
    ParameterError, ShapeError, EventError
        A rate, a duration, a number or the seed is out of its domain, or they do not fit.

    Examples
    --------
    >>> import eventsim as es
    >>> stream = es.poisson(20.0, n_channels=100, duration=1000.0, seed=1)
    >>> stream
    EventStream(1 samples, about 2000 events, 100 channels)
    >>> stream.n_events
    2032
    """
    where = "poisson"
    rate = real_array(rates, f"{where}: rates")
    if n_channels is None and not rate.ndim:
        raise ParameterError(where, "one rate and no n_channels", "n_channels, or a rate for each")
    channels = rate.size if n_channels is None else whole_number(n_channels, f"{where}: n_channels")
    in_domain(where, "n_channels", channels, Count)
    shaped(where, "rates", rate, (), (channels,), expected=f"one number or ({channels},)")
    length = real_array(duration, f"{where}: duration")
    samples = length.size if n_samples is None else whole_number(n_samples, f"{where}: n_samples")
    in_domain(where, "n_samples", samples, Count)
    lasts = checked_durations(length, samples)
    every_rate = np.array(np.broadcast_to(rate, (channels,)))
    sources = PoissonSources(every_rate, whole_number(seed, f"{where}: seed"), lasts)
    sources.check(samples)
    return drawn_stream(sources, lasts)
