"""Operations of an encoder with these parameters, sample by sample.

Counts are those of :class:`eventsim.events.EncoderOperations`. They are of causal filters, as a
chip would run them; this program makes the same events faster, with transforms and arrays. Channels
whose filter lies above half the sample rate are not filtered.

=========================  =========================================================================
for every                  operations
=========================  =========================================================================
gammatone channel, sample  4 multiply-adds per order (a complex resonator) and 1 for all gains; a
                           comparison (rectified); a power
frame of several samples   a sum per sample and a product
section of Lyon's ear,     5 multiply-adds, a comparison; with gain control 4 times 3 products and 4
sample                     sums and comparisons; a difference and a comparison with the neighbour; 3
                           multiply-adds of the low-pass before frames of several samples
cochlea, audio sample      a square and a product (loudness), a product (emphasis, if any)
cochlea, channel, sample   the gammatone filter; a product each for inhibition (with a sum for the
                           mean) and gain, and two comparisons
cochlea, channel, ms       a mean, a low-pass of two products, and a running mean over channels of
                           two sums and a product, with inhibition
unit, frame                a product and a comparison (gain and leak), a product and a quotient
                           (dead time, if any), a sum and a comparison; a difference per event
delta modulation, frame    2 comparisons; a sum per event
BSA, channel, frame        a product; per step three sums over the kernel, a difference and a
                           comparison; the kernel is taken away at every event
=========================  =========================================================================
"""

from eventsim.datasets.encoders.bsa import KERNEL_SIZE, Bsa
from eventsim.datasets.encoders.cochlea import INHIBITION_STEP, CochleaEncoder
from eventsim.datasets.encoders.delta import DeltaModulation
from eventsim.datasets.encoders.gammatone import GammatoneBank, centre_frequencies
from eventsim.datasets.encoders.integrate_and_fire import IntegrateAndFire
from eventsim.datasets.encoders.lyon import GAIN_CONTROL, LyonEar, filters
from eventsim.events.encoding import EncoderOperations


def bank_operations(
    bank: GammatoneBank | LyonEar,
    coder: IntegrateAndFire | DeltaModulation | Bsa,
    sample_rate: float,
) -> EncoderOperations:
    """Operations of a filter bank and a spike coder behind it.

    Parameters
    ----------
    bank, coder
        The two halves of the encoder.
    sample_rate
        Of the audio, Hz.

    Raises
    ------
    ParameterError
        The rate leaves the bank no channels.
    """
    if isinstance(bank, LyonEar):
        n_channels, counted = bank.centre_frequencies(sample_rate).size, _ear(bank, sample_rate)
    else:
        n_channels, counted = bank.n_channels, _gammatone(bank, sample_rate)
    return counted + _coder(coder) * (n_channels * sample_rate / bank.decimation)


def cochlea_operations(encoder: CochleaEncoder, sample_rate: float) -> EncoderOperations:
    """Operations of a whole cochlea, all of whose filters and units run at the rate of the audio.

    Parameters
    ----------
    encoder
        Its parameters.
    sample_rate
        Of the audio, Hz.
    """
    loudness = EncoderOperations(multiply_adds=2.0 + (encoder.emphasis > 0.0))
    # Gain, threshold and floor are one product with its sum.
    unit = EncoderOperations(multiply_adds=1, additions=1) + _unit(encoder.refractory)
    block = EncoderOperations()
    if encoder.inhibition > 0.0:
        unit += EncoderOperations(multiply_adds=1, additions=2)
        block = EncoderOperations(multiply_adds=4, additions=2)
    filtered = _filters(encoder, encoder.filter_order, encoder.compression, sample_rate)
    channel = unit * sample_rate + block * (1.0 / INHIBITION_STEP)
    return loudness * sample_rate + filtered + channel * encoder.n_channels


def _filters(
    band: CochleaEncoder | GammatoneBank, order: int, compression: float, sample_rate: float
) -> EncoderOperations:
    """Gammatone filters of all channels that have one, rectified and compressed."""
    centres = centre_frequencies(band.n_channels, band.frequency_min, band.frequency_max)
    power = float(compression != 1.0)
    one = EncoderOperations(multiply_adds=4 * order + 1, additions=1, functions=power)
    return one * (sample_rate * int((centres < sample_rate / 2.0).sum()))


def _gammatone(bank: GammatoneBank, sample_rate: float) -> EncoderOperations:
    filtered = _filters(bank, bank.order, bank.compression, sample_rate)
    if bank.decimation == 1:
        return filtered
    mean = EncoderOperations(additions=1, multiply_adds=1.0 / bank.decimation)
    return filtered + mean * (sample_rate * bank.n_channels)


def _ear(ear: LyonEar, sample_rate: float) -> EncoderOperations:
    n_stages: int = filters(sample_rate, ear.ear_q, ear.step).shape[0]
    controls = len(GAIN_CONTROL) * ear.gain_control
    low_pass = 3 * (ear.decimation > 1)
    stage = EncoderOperations(multiply_adds=5 + 3 * controls + low_pass, additions=1 + 4 * controls)
    pair = EncoderOperations(additions=2 * ear.differentiate)
    return stage * (n_stages * sample_rate) + pair * ((n_stages - 1) * sample_rate)


def _coder(coder: IntegrateAndFire | DeltaModulation | Bsa) -> EncoderOperations:
    """Operations of a channel in a frame."""
    if isinstance(coder, Bsa):
        step = EncoderOperations(additions=3 * KERNEL_SIZE + 2, event_additions=KERNEL_SIZE)
        return step * coder.hold + EncoderOperations(multiply_adds=1)
    if isinstance(coder, DeltaModulation):
        return EncoderOperations(additions=2, event_additions=1)
    return EncoderOperations(multiply_adds=1, additions=1) + _unit(coder.refractory)


def _unit(refractory: float) -> EncoderOperations:
    """Operations of an integrate-and-fire unit in a frame: dead time, integral, comparison."""
    held = float(refractory > 0.0)
    return EncoderOperations(multiply_adds=held, functions=held, additions=2, event_additions=1)
