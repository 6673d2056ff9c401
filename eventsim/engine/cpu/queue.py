"""A neuron of a loop from event to event, as :mod:`eventsim.engine.cpu.window_sparse` takes it."""

from eventsim.engine.cpu.compile import lean
from eventsim.engine.cpu.scalar import flush, fma, propagators
from eventsim.engine.table import GAP, RATE_MEM, RESET, SELF, SLOW


@lean
def advance(cells, par, n, t):
    """Bring neuron n to an arrival at t."""
    v, j = cells.v[n], cells.j[n]
    x, y, gain = propagators(
        type(v)(t - cells.time[n]), par[SLOW, n], par[GAP, n], par[RATE_MEM, n]
    )
    cells.v[n] = par[RESET, n] if cells.held[n] >= 0 else flush(fma(gain, j, x * v))
    cells.j[n], cells.time[n] = flush(y * j), t


@lean
def release(cells, par, n, spikes, start, limit):
    """V of neuron n is let go."""
    j, t = cells.j[n], cells.until[n]
    _, y, _ = propagators(type(j)(t - cells.time[n]), par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    cells.v[n], cells.j[n], cells.time[n] = par[RESET, n], flush(y * j), t
    if cells.held[n] < limit:
        spikes.restart[start + cells.held[n]] = cells.j[n]
    cells.held[n] = -1


@lean
def fire(cells, par, n, refractory, spikes, start, limit, count):
    """Neuron n fires after its rise; its spike gets the number ``count``."""
    _, y, _ = propagators(cells.rise[n], par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    j, t = flush(y * cells.j[n]), cells.time[n] + cells.rise[n]
    if count < limit:
        spikes.time[start + count], spikes.neuron[start + count] = t, n
        spikes.current[start + count] = j
        if refractory == 0.0:
            spikes.restart[start + count] = j
    if refractory > 0.0:
        cells.held[n], cells.until[n] = count, t + refractory
    cells.j[n], cells.v[n], cells.time[n] = j + par[SELF, n], par[RESET, n], t
