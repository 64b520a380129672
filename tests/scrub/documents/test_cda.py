"""What identifies in a CDA is in no byte of the new one; what was found stays, and the structure."""

import re
import time
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import Refused
from governance.scrub.documents import cda
from tests.scrub.documents.build import Instead, marks, surrogates, treatment

NAME, MRN = "Quillfeather", "0041827"
HL7 = {"v3": "urn:hl7-org:v3"}
FINDING = "There is no pneumothorax and no pleural effusion on either side, and the heart is of normal size."


def subject(*, keeps_sex: bool = True) -> cda.Subject:
    return cda.Subject(
        patient="P-1",
        is_patients=frozenset({f"MRN-{MRN}"}).__contains__,
        uid=lambda value: f"2.25.{int.from_bytes(sha256(value.encode()).digest()[:8])}",
        pseudonym=lambda value: sha256(value.encode()).hexdigest()[:16].upper(),
        move=lambda day: {"20230517": "20220101", "20230518": "20220102"}.get(day),
        keeps_sex=keeps_sex,
    )


def document(body: str = "", header: str = "", *, before: str = "") -> bytes:
    """A CDA with persons in every place that usually names some; `body` goes into a section."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>{before}
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:sdtc="urn:hl7-org:sdtc">
  <realmCode code="US"/>
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="2.16.840.1.113883.10.20.22.1.5" extension="2015-08-01"/>
  <id root="1.2.3.4" extension="DOC77"/>
  <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="Diagnostic Imaging Report"/>
  <title>Report about {NAME}</title>
  <effectiveTime value="20230517101522+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="en-US"/>
  <setId root="1.2.3.4" extension="DOC77"/>
  {header}
  <recordTarget><patientRole>
    <id root="1.2.3" extension="MRN-{MRN}"/><id root="1.2.9" extension="987-65-4320"/>
    <addr><streetAddressLine>14 Wexcombe Lane</streetAddressLine><city>Marrowdale</city></addr>
    <telecom value="tel:+1-555-0100"/>
    <patient>
      <name><given>Agnes</given><family>{NAME}</family></name>
      <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
      <birthTime value="19370411"/>
      <raceCode code="2106-3" codeSystem="2.16.840.1.113883.6.238" displayName="White"/>
      <sdtc:deceasedInd value="false"/>
      <guardian><guardianPerson><name>Otto {NAME}</name></guardianPerson></guardian>
    </patient>
    <providerOrganization><name>Marrowdale Infirmary</name></providerOrganization>
  </patientRole></recordTarget>
  <author><time value="20230518"/><assignedAuthor><id root="2.16.840.1.113883.4.6" extension="1234567893"/>
    <assignedPerson><name>Ida Brannock</name></assignedPerson></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.3"/>
    <name>Marrowdale Infirmary</name></representedCustodianOrganization></assignedCustodian></custodian>
  <component><structuredBody><component><section>
    <code code="18782-3" codeSystem="2.16.840.1.113883.6.1"/>
    <title>Findings</title>{body}
  </section></component></structuredBody></component>
</ClinicalDocument>""".encode()


def cleaned(data: bytes, instead: Instead = marks, **kept: Any) -> ET.Element:
    """The new document as another parser reads it, once nobody is named in it."""
    made, _ = cda.clean(data, treatment(instead=instead), subject(**kept))
    text = made.data.decode()
    for marker in (
        NAME,
        MRN,
        "Agnes",
        "Wexcombe",
        "Marrowdale",
        "Brannock",
        "1234567893",
        "987-65",
        "1937",
        "555-0100",
    ):
        assert marker.lower() not in text.lower()
    return ET.fromstring(made.data)


def find(root: ET.Element, path: str) -> ET.Element:
    found = root.find(".//" + "/".join(f"v3:{each}" for each in path.split("/")), HL7)
    assert found is not None
    return found


def test_persons_places_and_addresses_are_masked() -> None:
    root = cleaned(document())

    assert find(root, "patient/name").text == "P-1"
    assert find(root, "patientRole/id").get("extension") == "P-1"
    for path in ("patientRole/addr", "patientRole/telecom", "patient/birthTime", "assignedPerson/name"):
        assert find(root, path).attrib == {"nullFlavor": "MSK"}
    assert root.find(".//v3:guardian", HL7) is None
    assert root.find(".//v3:raceCode", HL7) is None


def test_what_the_document_is_stays() -> None:
    root = cleaned(document(f"<text>{FINDING}</text>"))

    assert find(root, "typeId").attrib == {"root": "2.16.840.1.113883.1.3", "extension": "POCD_HD000040"}
    assert find(root, "templateId").get("extension") == "2015-08-01"
    assert find(root, "code").get("displayName") == "Diagnostic Imaging Report"
    assert find(root, "realmCode").get("code") == "US"
    assert find(root, "languageCode").get("code") == "en-US"
    assert find(root, "section/text").text == FINDING


def test_identifiers_are_replaced_by_the_same_wherever_they_stand() -> None:
    _, identifier = cda.clean(document(), treatment(), subject())
    root = cleaned(document())

    own, of_set = find(root, "id"), find(root, "setId")
    assert own.attrib == of_set.attrib
    assert f"{own.get('root')}^{own.get('extension')}" == identifier
    assert "DOC77" not in identifier


def test_times_move_and_lose_their_offset() -> None:
    root = cleaned(document())

    assert find(root, "effectiveTime").get("value") == "20220101101522"
    assert find(root, "author/time").get("value") == "20220102"


@pytest.mark.parametrize("time", ["2023", "202305", "20231399", "20230601", "last Tuesday", "2023-05-17"])
def test_a_time_that_cannot_be_moved_is_masked(time: str) -> None:
    """A year alone would tell how far the others were moved, and so would a day that nothing here knows."""
    low = f'<effectiveTime><low value="{time}"/></effectiveTime>'

    root = cleaned(document(f"<entry><act classCode='ACT' moodCode='EVN'>{low}</act></entry>"))

    assert find(root, "entry/act/effectiveTime/low").attrib == {"nullFlavor": "MSK"}


def test_measurements_stay() -> None:
    value = '<value xsi:type="PQ" value="12.5" unit="mm"/>'

    root = cleaned(document(f"<entry><observation classCode='OBS' moodCode='EVN'>{value}</observation></entry>"))

    assert find(root, "observation/value").get("value") == "12.5"
    assert find(root, "observation/value").get("unit") == "mm"


def test_sex_goes_where_the_policy_does_not_keep_it() -> None:
    assert find(cleaned(document()), "administrativeGenderCode").get("code") == "F"
    assert find(cleaned(document(), keeps_sex=False), "administrativeGenderCode").attrib == {"nullFlavor": "MSK"}


NARRATIVES = {
    "plain": f"{FINDING} Agnes {NAME} was told.",
    "set apart": f"{FINDING} Agnes Quill<content styleCode='Bold'>feather</content> was told.",
    "over a break": f"{FINDING} Agnes<br/>{NAME} was told.",
    "in cells": f"<table><tbody><tr><td>Name</td><td>{NAME}</td></tr><tr><td>{FINDING}</td></tr></tbody></table>",
    "in a list": f"<list><item>{FINDING}</item><item>{NAME}, MRN {MRN}</item></list>",
    "behind an element": f"<paragraph>{FINDING}</paragraph>{NAME}",
    "in characters": f"{FINDING} &#81;uillfeather <![CDATA[{NAME}]]>",
    "in an attribute": f"<content ID='{NAME}1'>{FINDING}</content>",
    "in a link": f"<linkHtml href='http://pacs.invalid/{NAME}'>{FINDING}</linkHtml>",
    "in a comment": f"{FINDING}<!-- {NAME} -->",
    "in an instruction": f"{FINDING}<?xml-stylesheet href='{NAME}'?>",
    "around a comment": f"{FINDING} Quill<!-- -->feather",
    "around what is left out": f"{FINDING} Quill<x:a xmlns:x='urn:x'>x</x:a><x:b xmlns:x='urn:x'/>feather",
    "around another narrative": f"{FINDING} Agnes <text>Quill</text>feather was told.",
}


@pytest.mark.parametrize("where", NARRATIVES)
def test_a_name_goes_wherever_it_stands_in_a_narrative(where: str) -> None:
    root = cleaned(document(f"<text>{NARRATIVES[where]}</text>"))

    assert FINDING in " ".join("".join(find(root, "section/text").itertext()).split())


STRAY = {
    "another namespace": f"<x:note xmlns:x='urn:x-{NAME}'>{NAME}</x:note>",
    "an attribute of another namespace": f"<component xmlns:x='urn:x-{NAME}' x:note='{NAME}'/>",
    "a local code": f"<component><code code='{NAME}' codeSystem='1.2.3.4.5' displayName='{NAME}'/></component>",
    "a text value": f"<entry><observation><value xsi:type='ST'>{NAME}</value></observation></entry>",
    "an original text": f"<entry><observation><code><originalText>{NAME}</originalText></code></observation></entry>",
    "encoded bytes": f"<entry><observation><value representation='B64'>{NAME}</value></observation></entry>",
    "a media object": f"<entry><observationMedia ID='m'><value>{NAME}</value></observationMedia></entry>",
    "a schema's address": f"<component xsi:schemaLocation='urn:hl7-org:v3 http://{NAME}.invalid/cda.xsd'/>",
}


@pytest.mark.parametrize("what", STRAY)
def test_a_name_goes_wherever_else_it_stands(what: str) -> None:
    cleaned(document(STRAY[what]))


def test_links_within_the_document_still_hold() -> None:
    named = f"<text><content ID='{NAME}1'>{FINDING}</content></text>"
    called = f"<entry><act><text><reference value='#{NAME}1'/></text></act></entry>"

    root = cleaned(document(named + called))

    assert find(root, "act/text/reference").get("value") == f"#{find(root, 'section/text/content').get('ID')}"


def test_a_style_sheet_and_comments_around_the_document_go() -> None:
    made, _ = cda.clean(document(before=f"<?xml-stylesheet href='{NAME}.xsl'?><!-- {NAME} -->"), treatment(), subject())

    assert made.data.count(b"<?") == 1
    assert b"<!--" not in made.data


LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
) + "]>"  # fmt: skip
ENTITY = "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/hostname'>]>"
WIDE = document(before="<!DOCTYPE ClinicalDocument>").decode().replace("UTF-8", "UTF-16").encode("utf-16")
INNER = "<nonXMLBody><text mediaType='application/pdf' representation='B64'>JVBERi0=</text></nonXMLBody>"
REFUSED = {
    "nothing": b"",
    "no XML": b"Agnes Quillfeather",
    "another document": b"<html><body>Quillfeather</body></html>",
    "cut off": document()[:900],
    "a billion laughs": document("<text>&j;</text>", before=LAUGHS),
    "a file of the machine": document("<text>&f;</text>", before=ENTITY),
    "a document type in UTF-16": WIDE,
    "deeply nested": document("<text>" + "<list><item>" * 400 + "</item></list>" * 400 + "</text>"),
    "another document as its body": document(INNER),
    "too long": document(f"<text>{'effusion ' * (cda.MAX_BYTES // 8)}</text>"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_read_for_sure_is_refused(why: str) -> None:
    with pytest.raises(Refused) as refused:
        cda.clean(REFUSED[why], treatment(), subject())

    assert refused.value.hint
    assert refused.value.__context__ is None
    assert NAME not in str(refused.value)


@given(at=st.integers(0, 2500), data=st.text("<>&;/ aQ'\"![]-", max_size=30))
@settings(max_examples=80)
def test_whatever_is_broken_is_refused_or_cleaned(at: int, data: str) -> None:
    whole = document(f"<text>{FINDING} Agnes {NAME}</text>")

    try:
        made, _ = cda.clean(whole[:at] + data.encode() + whole[at:], treatment(), subject())
    except Refused:
        return
    ET.fromstring(made.data)


@given(
    parts=st.lists(
        st.sampled_from(["Agnes", NAME, f"MRN-{MRN}", "effusion", "of the lung", "<br/>", "\n"]), max_size=12
    ),
    tag=st.sampled_from(["paragraph", "content", "item", "td", "sub"]),
    instead=st.sampled_from([marks, surrogates()]),
)
@settings(max_examples=100)
def test_no_markup_saves_a_name(parts: list[str], tag: str, instead: Instead) -> None:
    inside = "".join(f"<{tag}>{part}</{tag}> " for part in parts)

    cleaned(document(f"<text>{inside}</text>"), instead)


def test_each_word_of_a_surrogate_stands_in_the_place_of_one() -> None:
    root = cleaned(document(f"<text>Seen: <content>Agnes</content>\n  {NAME}, and she is well.</text>"), surrogates())

    text, content = find(root, "section/text"), find(root, "content")
    assert (text.text or "").strip() == "Seen:"
    assert re.fullmatch(r"[A-Z][a-z]+", content.text or "")
    assert re.fullmatch(r"\n  [A-Z][a-z]+, and she is well\.", content.tail or "")


def test_what_was_taken_part_by_part_gets_no_mark_for_what_is_between() -> None:
    """Cells by themselves, then as a row."""
    cells = "".join(f"<td>{cell}</td> " for cell in ("Agnes", NAME, "effusion"))
    root = cleaned(document(f"<text><table><tr>{cells}</tr></table></text>"), surrogates())

    assert "[" not in "".join(find(root, "section/text").itertext())


def test_the_same_document_is_made_every_time() -> None:
    assert cda.clean(document(), treatment(), subject()) == cda.clean(document(), treatment(), subject())


def test_codes_of_published_systems_stay_and_numbers_stay_numbers() -> None:
    made = cleaned(
        document(
            "<text>done</text><entry><observation classCode='OBS' moodCode='EVN'>"
            "<code code='18748-4' codeSystem='2.16.840.1.113883.6.1'/>"
            "<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='PQ' value='150000' unit='/uL'/>"
            "</observation></entry>"
        )
    )

    shown = ET.tostring(made, encoding="unicode")
    assert 'code="18748-4"' in shown
    assert 'value="150000"' in shown


def test_an_age_above_89_and_the_name_of_a_caregiver_are_masked() -> None:
    made = cleaned(
        document(
            "<text>done</text><entry><observation classCode='OBS' moodCode='EVN'>"
            "<code code='30525-0' codeSystem='2.16.840.1.113883.6.1'/>"
            "<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='PQ' value='93' unit='a'/>"
            "<participant typeCode='IND'><participantRole classCode='CAREGIVER'><playingEntity classCode='PSN'>"
            "<name><given>Grace</given><family>Long</family></name>"
            "</playingEntity></participantRole></participant></observation></entry>"
        )
    )

    shown = ET.tostring(made, encoding="unicode")
    assert 'value="93"' not in shown
    assert "Long" not in shown
    assert "Grace" not in shown


def test_what_is_left_out_of_a_text_in_many_places_takes_no_more_than_its_length() -> None:
    """Where what follows is put together again for each of them this takes a minute and more."""
    body = "<x:a xmlns:x='urn:x'>Agnes</x:a> effusion and more of the same in a row." * 30_000
    begun = time.process_time()

    with pytest.raises(Refused, match="a section that is too long"):
        cda.clean(document(f"<text>{body}</text>"), treatment(), subject())

    assert time.process_time() - begun < 20
