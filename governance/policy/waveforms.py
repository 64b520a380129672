"""Recordings of the body, and what in the place of one could be the sound of a voice.

Nobody here can hear whether somebody is named in a recording, and a voice identifies by itself. So classes of audio
are in no group that a policy can cover, and in the classes of other recordings nothing passes that is encoded as sound
or taken as often as a voice needs.
"""

from collections.abc import Mapping

from governance import dicom
from governance.datatypes import Element, Instance
from governance.errors import Refused, Undecided

MOST_OFTEN = 4000.0
"""Samples a second: speech needs 8000 to be understood well, and an ECG 1000 at most (PS3.3, A.34.3.4)."""

_SOUND = frozenset({"MB", "AB"})
"""Mu-law and A-law, by which telephones encode voices (PS3.3, C.10.9.1.5)."""
_SEQUENCE, _FREQUENCY, _INTERPRETATION, _DATA, _CHANNELS, _SAMPLES, _BITS = (
    dicom.known_tag(keyword)
    for keyword in (
        *("WaveformSequence", "SamplingFrequency", "WaveformSampleInterpretation", "WaveformData"),
        *("NumberOfWaveformChannels", "NumberOfWaveformSamples", "WaveformBitsAllocated"),
    )
)
SAMPLES = dicom.tags("WaveformData", "WaveformPaddingValue", "ChannelMinimumValue", "ChannelMaximumValue")
"""Bytes that recordings need."""


def refuse_sound(instance: Instance) -> None:
    """Let pass recordings that cannot be understood by ear, and hold nothing but their samples.

    Raises:
        Undecided: a multiplex group may be sound.
        Refused: its samples are not as many as it says.
    """
    sequence = instance.first(_SEQUENCE)
    for item in (sequence.items or ()) if sequence is not None else ():
        found = {element.tag: element for element in item.elements}
        if _text(instance, found.get(_INTERPRETATION)).upper() in _SOUND:
            raise Undecided("a waveform that is encoded as sound is not covered", hint="a voice identifies")
        if not _frequency(_text(instance, found.get(_FREQUENCY))) <= MOST_OFTEN:
            raise Undecided("a waveform with as many samples a second as a voice is not covered", hint="resample it")
        _refuse_other_length(instance, found)


def _refuse_other_length(instance: Instance, found: Mapping[int, Element]) -> None:
    channels, samples, bits = (_number(instance, found.get(tag)) for tag in (_CHANNELS, _SAMPLES, _BITS))
    data = found.get(_DATA)
    size = 0 if data is None else data.stop - data.start
    needed = channels * samples * bits // 8
    if size not in (needed, needed + needed % 2):  # values have an even length
        raise Refused("WaveformData is not as long as its channels and samples need")


def _frequency(text: str) -> float:
    """Infinite where it is no number."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _text(instance: Instance, element: Element | None) -> str:
    return "" if element is None else instance.decode(element)[0]


def _number(instance: Instance, element: Element | None) -> int:
    if element is None or element.vr not in ("US", "UL"):
        return 0
    return int(next(iter(dicom.numbers(instance.value(element), element.vr)), 0))
