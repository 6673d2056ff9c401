"""eSpeak NG as a function from text to audio, through the ``espeakng-loader`` wheel.

The wheel carries the library and its voice data, so that nothing has to be installed on the
system. The library keeps its state in global variables that its own termination does not reset.
Every synthesizer therefore loads a copy of its own, and both sources of its noise (its own, which
it seeds with the time of day when it starts, and the C library's ``rand``) are seeded before every
utterance: what it says depends on nothing but what it was asked before, so that a data set comes
out the same each time.

References
----------
eSpeak NG, ``speak_lib.h`` and ``espeak_ng.h`` (names of functions, constants and parameters).
"""

import ctypes
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import reported
from eventsim.errors import DataError
from eventsim.extras import load

_OUTPUT_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: Synth returns when the audio is complete
_INITIALIZE_DONT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3  # espeak_PARAMETER
_REINSTALL = "Reinstall it: pip install --force-reinstall espeakng-loader."

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Synthesizer:
    """A speech synthesizer in its initial state.

    Raises DataError (the ``demo`` extra is not installed, or the library does not start).
    """

    def __init__(self) -> None:
        self._library, data = _load()
        self._variants = data / "voices" / "!v"
        self.sample_rate: int = self._library.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, 0, str(data).encode(), _INITIALIZE_DONT_EXIT
        )
        if self.sample_rate <= 0:
            came = f"did not start (status {self.sample_rate})"
            raise DataError("eSpeak NG", came, f"its data in {data}", _REINSTALL)
        self._blocks: list[NDArray[np.int16]] = []
        # The library keeps only the pointer: hold the callback for as long as it may be called.
        self._callback = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, *, voice: str, pitch: int, rate: int) -> NDArray[np.int16]:
        """Audio of one utterance, int16 at ``sample_rate``, silence around it cut off. New array.

        The voice is language and variant as eSpeak names them, such as ``en-us+f3``; the pitch is 0
        to 100, where 50 is the voice's own; the rate is 80 to 450 words per minute. Raises
        DataError if the voice is unknown, or the library gave no sound.
        """
        variant = voice.partition("+")[2]
        # The library takes an unknown variant for none: look for its file, spelled exactly.
        known = not variant or variant in {path.name for path in self._variants.iterdir()}
        if not known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DataError("eSpeak NG", f"no voice {voice!r}", "one like 'en-us+f3'")
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._library.espeak_SetParameter(_RATE, rate, 0)
        self._blocks.clear()
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        ctypes.CDLL(None).srand(1)
        content = text.encode()
        size = ctypes.c_size_t(len(content) + 1)
        status = self._library.espeak_Synth(
            content, size, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        audio = np.concatenate([*self._blocks, np.zeros(0, np.int16)])
        sound = np.flatnonzero(audio)
        if status != 0 or sound.size == 0:
            came = f"{text!r} by voice {voice!r} gave no sound (status={status!r})"
            raise DataError("eSpeak NG", came, remedy=_REINSTALL)
        return audio[sound[0] : sound[-1] + 1]

    def _receive(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _load() -> tuple[ctypes.CDLL, Path]:
    """A fresh copy of the library, and the folder of its data."""
    espeakng_loader = load("espeakng_loader", "demo", "eSpeak NG", DataError)
    with (
        reported("eSpeak NG", "cannot be loaded ({})", OSError, remedy=_REINSTALL, error=DataError),
        tempfile.TemporaryDirectory() as folder,
    ):
        # Another path makes it another library to the loader; the file may go once loaded.
        library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), folder))
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    return library, Path(espeakng_loader.get_data_path())
