"""What becomes of a file depends on it, the policy and the keys: not on what the worker did before.

Whatever an engine remembers to be fast (verdicts, decoded texts, whole sequences) must be
remembered with all that it depends on. The files here share as many bytes as they can and
differ in what lies around them.
"""

import pickle
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from governance import policy
from tests.encoding import EXPLICIT, IMPLICIT, Node, even, part_10
from tests.pipeline.worker import Ended, process, strict, worker
from tests.strategies import BASIC_TEXT, CT, ENHANCED_CT, MR, RT_PLAN, SCRIPTS, Generated, Person, files, frame, people

POLICIES = {"strict": strict(), "research-headers": policy.load("research-headers"), "basic": policy.load("basic")}
PROJECTS = ("demo", "other")
Case = tuple[str, str]
"""Policy and project."""
Job = tuple[int, Case]
"""The number of a file, and under what it is processed."""
CASES = [(name, project) for name in POLICIES for project in PROJECTS]


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("staging")


def text(tag: int, value: str, vr: str = "LO") -> Node:
    return Node(tag, vr, even(value.encode()))


def code(value: str, scheme: str) -> tuple[Node, ...]:
    return text(0x00080100, value, "SH"), text(0x00080102, scheme, "SH"), text(0x00080104, "Quillbrandt lung")


def item(kind: str, *nodes: Node) -> tuple[Node, ...]:
    """An item of content."""
    return text(0x0040A010, "CONTAINS", "CS"), text(0x0040A040, kind, "CS"), *nodes


MEASURED = (
    Node(0x0040A043, "SQ", items=(code("121033", "DCM"),)),
    Node(
        0x0040A300, "SQ", items=((Node(0x0040A30A, "DS", b"95"), Node(0x004008EA, "SQ", items=(code("a", "UCUM"),))),)
    ),
)
BIRTH = (Node(0x0040A043, "SQ", items=(code("121031", "DCM"),)), Node(0x0040A121, "DA", b"19640418"))
DATED = (Node(0x0040A043, "SQ", items=(code("111060", "DCM"),)), Node(0x0040A121, "DA", b"19640418"))
SHARED = (
    text(0x00080070, "Quillbrandt Medical"),
    Node(0x00080090, "PN", b"Quill\xbb\xee\xda\xe1^A "),
    text(0x00081010, "CT95-Quillbrandt", "SH"),
    text(0x00081030, "Long axis of 95, see 04/18 and 773333331"),
    Node(0x00081140, "SQ", items=((Node(0x00081155, "UI", b"1.2.999.4477333333.1.9"),),)),
    Node(0x0008114A, "SQ", items=((Node(0x00081155, "UI", b"1.2.999.4477333333.1.9"),),)),
    text(0x00181030, "Quillbrandt B70f"),
    text(0x00181000, "773333331"),
    Node(
        0x00400275,
        "SQ",
        items=(
            (
                Node(0x00081050, "PN", b"Quill\xbb\xee\xda\xe1^A "),
                text(0x00321060, "Long axis, Quillbrandt"),
                Node(0x00400002, "DA", b"19640418"),
                text(0x00401001, "773333331", "SH"),
            ),
        ),
    ),
    Node(0x00204000, "LT", b"Sch\xe4del nativ axial "),
)
"""What all files have, byte for byte, and what means something else in each."""


A_NUMBER, A_BIRTH, A_DATE = item("NUM", *MEASURED), item("DATE", *BIRTH), item("DATE", *DATED)
OBSERVED = (
    (A_NUMBER, A_BIRTH, A_DATE),
    (A_DATE, A_NUMBER, A_BIRTH),
    (A_BIRTH,),
    (A_DATE,),
    (item("NUM", *MEASURED[1:]), A_DATE),
)
CODED = (code("113691", "DCM"), code("113691", "99LOCAL"), code("Q77Z", "DCM"))
"""Items that differ from file to file, in what they say about their own elements."""


def block(creator: str) -> tuple[Node, ...]:
    return text(0x00090010, creator), text(0x00091001, "Long axis, Quillbrandt"), Node(0x00091005, "DT", b"19640418")


def nested(creator: str) -> Node:
    return Node(0x00081115, "SQ", items=(block(creator),))


BLOCKS = ((), block("GEMS_IDEN_01"), block("GEMS_PETD_01"), block("QUILL HOSPITAL"), (nested("GEMS_IDEN_01"),))
WHO = (
    Person(SCRIPTS[0], "Quillbrandt", "773333331", "883333342", "1.2.999.4477333333"),
    Person(
        SCRIPTS[0]._replace(family="Quillbrandt", name="Quillbrandt^Ada"),
        "Zqxother",
        "773333332",
        "884",
        "1.2.999.44775",
    ),
    Person(SCRIPTS[0]._replace(family="Long", name="Long^Axis"), "Zqxother", "95", "883333343", "1.2.999.4477333333.1"),
    Person(SCRIPTS[2], "Zqxother", "773333331", "", "1.2.999.4477333333.1.9"),
    Person(SCRIPTS[3], "Zqxother", "773333333", "04181964", "1.2.999.44776"),
)


@cache
def alike() -> tuple[bytes, ...]:
    """Files of the same bytes under other people, character sets, classes, encodings and private creators."""
    made = []
    for number, person in enumerate(WHO):
        for place, sop_class in enumerate((CT, MR, ENHANCED_CT, RT_PLAN, BASIC_TEXT)):
            syntax = (EXPLICIT, IMPLICIT)[(number + place) % 2]
            turn = number + place
            own = (
                text(0x0040A040, "CONTAINER", "CS"),
                *BLOCKS[turn % len(BLOCKS)],
                Node(0x0040A730, "SQ", items=OBSERVED[turn % len(OBSERVED)]),
                Node(0x0040A504, "SQ", items=(CODED[turn % len(CODED)],)),
            )
            nodes = {node.tag: node for node in (*SHARED, *own, *frame(person, sop_class))}
            made.append(part_10([nodes[tag] for tag in sorted(nodes)], syntax))
    return tuple(made)


def alone(file: bytes, case: Case, staging: Path) -> Ended:
    """By a worker that has never seen another file, under rules that nobody has asked yet."""
    return process(worker(staging, fresh(case), case[1]), file)


def together(jobs: Iterable[tuple[bytes, Case]], staging: Path) -> list[Ended]:
    """By one worker for each policy and project, which sees all of its files."""
    workers = {case: worker(staging, fresh(case), case[1]) for case in CASES}
    return [process(workers[case], file) for file, case in jobs]


def fresh(case: Case) -> policy.Rules:
    copy: policy.Rules = pickle.loads(pickle.dumps(POLICIES[case[0]]))
    return copy


JOBS = [(number, case) for number in range(len(WHO) * 5) for case in CASES]
ORDERS = {"forward": JOBS, "in reverse": JOBS[::-1], "shuffled": Random(1).sample(JOBS, len(JOBS))}


def in_order(name: str, staging: Path) -> list[Ended]:
    """What a process of its own makes of the files that are alike."""
    files = alike()
    return together(((files[number], case) for number, case in ORDERS[name]), staging)


@pytest.fixture(scope="module")
def ended(staging: Path) -> dict[str, dict[Job, Ended]]:
    """By order, what became of each job. Processes of their own, since a memo may belong to a module."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = {name: pool.submit(in_order, name, staging) for name in ("forward", "in reverse")}
        found = {name: dict(zip(ORDERS[name], each.result(), strict=True)) for name, each in waiting.items()}
    return found | {"shuffled": dict(zip(ORDERS["shuffled"], in_order("shuffled", staging), strict=True))}


def differing(one: Mapping[Job, Ended], other: Mapping[Job, Ended]) -> list[Job]:
    return [job for job in JOBS if one[job] != other[job]]


def test_files_that_are_alike_end_differently_and_most_are_published(ended: dict[str, dict[Job, Ended]]) -> None:
    found = ended["forward"].values()

    assert [each.reason for each in found if "internal error" in each.reason] == []
    assert len({each.data for each in found if each.data}) >= len(JOBS) * 9 // 10


@pytest.mark.parametrize("order", ["in reverse", "shuffled"])
def test_files_that_are_alike_end_the_same_in_any_order(order: str, ended: dict[str, dict[Job, Ended]]) -> None:
    assert differing(ended["forward"], ended[order]) == []


def test_files_that_are_alike_end_the_same_alone(ended: dict[str, dict[Job, Ended]], staging: Path) -> None:
    files = alike()
    each_alone = {(number, case): alone(files[number], case, staging) for number, case in JOBS}

    assert differing(ended["forward"], each_alone) == []


def dressed(made: Generated, person: Person, sop_class: str, syntax: str) -> bytes:
    """The generated elements of one file in the frame of somebody else's."""
    nodes = {node.tag: node for node in (*made.nodes, *frame(person, sop_class))}
    if not person.script.declared:
        nodes.pop(0x00080005, None)
    return part_10([nodes[tag] for tag in sorted(nodes)], syntax)


@st.composite
def mixed(draw: st.DrawFn) -> Sequence[bytes]:
    """Files that share elements: two generated ones, each also as somebody else's, in a random order."""
    who = draw(st.lists(people(), min_size=2, max_size=2))
    made = draw(st.lists(files(st.sampled_from(who)), min_size=2, max_size=2))
    classes = st.sampled_from((CT, MR, RT_PLAN, BASIC_TEXT))
    found = [each.data for each in made]
    found += [
        dressed(each, person, draw(classes), draw(st.sampled_from((EXPLICIT, IMPLICIT))))
        for each in made
        for person in who
    ]
    return draw(st.permutations(found))


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(found=mixed(), case=st.sampled_from(CASES))
def test_generated_files_end_the_same_alone_and_after_others(found: Sequence[bytes], case: Case, staging: Path) -> None:
    after_others = together(((file, case) for file in found), staging)

    assert all(alone(file, case, staging) == other for file, other in zip(found, after_others, strict=True))
