"""Recordings of the body are covered; what could be a voice is not, whatever its class says it is."""

from struct import pack

import pytest

from governance import policy
from governance.datatypes import Decision, Method
from governance.errors import Refused, Undecided
from governance.policy import standard
from tests.policy.build import CT, Spec, at, decision, instance

RESEARCH = policy.load("research")
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
COVERED = ["9.1.1", "9.1.2", "9.1.3", "9.1.4", "9.2.1", "9.3.1", "9.5.1", "9.6.1", "9.6.2", "9.7.1", "9.7.2", "9.7.3"]
COVERED += ["9.7.4", "9.8.1"]


def group(
    frequency: str = "500", interpretation: str = "SS", data: bytes = b"\1\0\2\0\3\0\4\0", samples: int = 2
) -> list[Spec]:
    return [
        at("NumberOfWaveformChannels", pack("<H", 2)),
        at("NumberOfWaveformSamples", pack("<I", samples)),
        at("SamplingFrequency", frequency),
        at("WaveformBitsAllocated", pack("<H", 16)),
        at("WaveformSampleInterpretation", interpretation),
        at("WaveformData", data, vr="OW"),
    ]


def planned(*groups: list[Spec], sop_class: str = ECG) -> policy.plan:  # type: ignore[valid-type]
    return policy.plan(instance(at("WaveformSequence", groups), sop_class=sop_class), RESEARCH)


def samples(sop_class: str) -> Decision:
    return decision(planned(group(), sop_class=sop_class), "WaveformSequence[0].WaveformData")


@pytest.mark.parametrize("uid", COVERED)
def test_recordings_are_covered_and_keep_their_samples(uid: str) -> None:
    assert Method.KEEP is samples(f"1.2.840.10008.5.1.4.1.1.{uid}").method


def test_samples_in_what_is_no_recording_go() -> None:
    assert Method.REMOVE is samples(CT).method


def test_no_group_has_classes_of_sound() -> None:
    assert not {"basic-voice-audio-waveform", "general-audio-waveform"} & set(standard.groups())


@pytest.mark.parametrize(
    "waveform",
    [
        pytest.param(group(interpretation="MB"), id="mu-law"),
        pytest.param(group(interpretation="ab"), id="A-law in small letters"),
        pytest.param(group(frequency="8000"), id="as often as a telephone"),
        pytest.param(group(frequency=""), id="nobody knows how often"),
        pytest.param(group(frequency="nan"), id="no number"),
    ],
)
def test_what_may_be_a_voice_is_refused(waveform: list[Spec]) -> None:
    with pytest.raises(Undecided):
        planned(group(), waveform)


@pytest.mark.parametrize(
    "waveform",
    [
        pytest.param(group(data=b"\1\0\2\0\3\0\4\0Quillfordax "), id="bytes behind the samples"),
        pytest.param(group(samples=3), id="too few bytes"),
        pytest.param(group()[:-1], id="none"),
    ],
)
def test_other_bytes_than_samples_are_refused(waveform: list[Spec]) -> None:
    with pytest.raises(Refused) as refusal:
        planned(waveform)

    assert "Quillfordax" not in str(refusal.value)


def test_text_of_a_recording_is_cleaned_as_that_of_an_image() -> None:
    channel = [at("ChannelLabel", "x")]
    note = [at("UnformattedTextValue", "x")]
    waveform = [*group(), at("ChannelDefinitionSequence", [channel]), at("MultiplexGroupLabel", "x")]
    made = policy.plan(
        instance(at("WaveformSequence", [waveform]), at("WaveformAnnotationSequence", [note]), sop_class=ECG), RESEARCH
    )

    for path in (
        "WaveformSequence[0].MultiplexGroupLabel",
        "WaveformSequence[0].ChannelDefinitionSequence[0].ChannelLabel",
        "WaveformAnnotationSequence[0].UnformattedTextValue",
    ):
        assert Method.TEXT is decision(made, path).method
