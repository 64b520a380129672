"""One record a series: what all agree on, what differs as it is, and where each fact came from."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Facts, Receipt, Step
from governance.manifest import COLUMNS
from governance.provenance.acquisition import MOST_VALUES, SECTIONS, Acquisition, Acquisitions

OF_INSTANCES = """
SOPInstanceUID StudyInstanceUID SeriesInstanceUID SeriesNumber AcquisitionNumber InstanceNumber StudyDate
PatientSex PatientAge PatientSize PatientWeight ImagePositionPatient RescaleSlope RescaleIntercept WindowCenter
WindowWidth VOILUTFunction PresentationLUTShape PixelPresentation QualityControlImage BurnedInAnnotation
"""
"""Of one instance, of the patient, or how it is shown."""

READ = Step("read", "governance", "1", {"transfer_syntax": "1.2.840.10008.1.2.1"})


def receipt(facts: Facts, *, series: str = "E1", number: int = 0, steps: tuple[Step, ...] = (READ,)) -> Receipt:
    return Receipt(
        project="p",
        patient="P1",
        study="S1",
        series=series,
        instance=f"I{number}",
        path=f"P1/S1/{series}/I{number}.dcm",
        source_digest="0" * 64,
        sha256="0" * 64,
        size=1,
        policy="research",
        policy_digest="0" * 64,
        codes=(),
        decisions={},
        steps=steps,
        facts=facts,
    )


def record(*facts: Facts) -> Acquisition:
    (found,) = records([receipt(each, number=number) for number, each in enumerate(facts)])
    return found


def records(receipts: list[Receipt]) -> list[Acquisition]:
    collected = Acquisitions()
    for each in receipts:
        collected.add(each)
    return list(collected.records())


def test_what_all_instances_say_is_a_fact_of_the_series() -> None:
    found = record({"Modality": "CT", "KVP": 120}, {"Modality": "CT", "KVP": 120})

    assert (found.instances, found.varying) == (2, ())
    assert found.facts == {"Modality": "CT", "KVP": 120, "source_transfer_syntax": "1.2.840.10008.1.2.1"}


def test_what_differs_is_told_with_counts_and_never_averaged() -> None:
    found = record(*({"XRayTubeCurrent": current} for current in (100, 300, 300)))

    (varying,) = found.varying
    assert "XRayTubeCurrent" not in found.facts
    assert (varying.fact, varying.instances, varying.distinct) == ("XRayTubeCurrent", 3, 2)
    assert (varying.least, varying.greatest) == (100.0, 300.0)
    assert varying.values == ((300, 2), (100, 1))


def test_what_only_some_instances_say_is_no_fact_of_the_series() -> None:
    found = record({"KVP": 120}, {}, {})

    (varying,) = found.varying
    assert "KVP" not in found.facts
    assert (varying.fact, varying.instances, varying.values) == ("KVP", 1, ((120, 1),))


def test_many_values_are_counted_and_the_most_frequent_told() -> None:
    found = record(*({"ScanOptions": [f"X{number}"]} for number in range(MOST_VALUES + 5)))

    (varying,) = found.varying
    assert (varying.distinct, len(varying.values)) == (MOST_VALUES + 5, MOST_VALUES)
    assert (varying.least, varying.greatest) == (None, None)


def test_each_fact_has_the_attributes_that_say_it() -> None:
    place = "SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness"
    found = record(
        {"SliceThickness": 2, "KVP": 120, "portable": True, "portable_from": "SeriesDescription", "recorded_in": []},
        {"SliceThickness": 2, "KVP": 120, "recorded_in": [f"SliceThickness={place}"]},
    )

    assert found.sources == {
        "KVP": ("KVP",),
        "SliceThickness": (place, "SliceThickness"),
        "portable": ("SeriesDescription",),
        "portable_from": ("receipt",),
        "source_transfer_syntax": ("receipt",),
    }


def test_receipts_that_do_not_tell_sources_have_none() -> None:
    """An older version read the same facts, also from functional groups, and did not say which."""
    assert record({"KVP": 120, "recorded_in": []}, {"KVP": 120}).sources is None


def test_what_this_program_did_to_the_pixels_is_told() -> None:
    masked = Step("mask", "governance", "1", {"frames": 1, "encoder": "1.2.840.10008.1.2.4.50"})

    (found,) = records([receipt({"LossyImageCompression": "01"}, steps=(READ, masked))])

    assert found.facts["encoded_here"] == "1.2.840.10008.1.2.4.50"
    assert found.facts["source_transfer_syntax"] == "1.2.840.10008.1.2.1"


def test_contradictions_are_told_with_how_many_have_them() -> None:
    line = "(0019,xx0C) SIEMENS MR HEADER: DiffusionBValue=1000"

    found = record({"contradictions": [line]}, {"contradictions": [line]}, {})

    assert found.contradictions == ((line, 2),)


values = st.sampled_from([1, 2.5, "A", "B", ["x"], ["x", "y"]])
some_facts = st.dictionaries(st.sampled_from(["KVP", "EchoTime", "ScanOptions"]), values)


@given(facts=st.lists(some_facts, min_size=1, max_size=6), seed=st.integers())
def test_the_order_of_receipts_changes_nothing_and_no_instance_is_lost(facts: list[dict[str, Any]], seed: int) -> None:
    made = [receipt(each, series=f"E{number % 2}", number=number) for number, each in enumerate(facts)]
    shuffled = made[:]
    random.Random(seed).shuffle(shuffled)

    found = records(made)

    assert found == records(shuffled)
    assert sum(each.instances for each in found) == len(facts)
    for each in found:
        assert all(sum(value.instances for value in varying.values) == varying.instances for varying in each.varying)
        assert not set(each.facts) & {varying.fact for varying in each.varying}


def test_every_fact_that_describes_an_acquisition_is_in_one_section() -> None:
    """A new column of instances is in a section too, or among those that are of one instance or the patient."""
    own = {column.name for column in COLUMNS if column.name[:1].islower() and not column.name.startswith("maker_")}
    listed = [name for names in SECTIONS.values() for name in names]

    assert len(listed) == len(set(listed))
    assert {column.name for column in COLUMNS} - own - set(OF_INSTANCES.split()) == set(listed) - own - {
        "encoded_here"
    } - {"source_transfer_syntax"}


def test_the_text_names_attributes_that_have_another_name() -> None:
    found = record(
        {"EchoTime": 5, "maker_coil": "HE", "recorded_in": ["maker_coil=(0051,xx0F) SIEMENS MR HEADER"]},
        {"EchoTime": 6, "maker_coil": "HE", "recorded_in": ["maker_coil=(0051,xx0F) SIEMENS MR HEADER"]},
    )

    lines = found.text().splitlines()

    assert "  differs      EchoTime: 5 to 6, 2 values" in lines
    assert "  maker        maker_coil=HE [(0051,xx0F) SIEMENS MR HEADER]" in lines
    assert max(map(len, lines)) <= 120


@given(places=st.lists(st.sampled_from(["SeriesDescription", "ProtocolName", "StudyDescription"]), min_size=1))
def test_every_attribute_that_said_portable_is_named(places: list[str]) -> None:
    facts: list[Facts] = [{"portable": True, "portable_from": place, "recorded_in": []} for place in places]

    found = record(*facts)

    assert found.sources is not None
    assert found.sources["portable"] == tuple(sorted(set(places)))
