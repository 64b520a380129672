"""The 56 leak cases by number; the builders are in the modules beside this one."""

from tests.phantoms import cases_container, cases_identifiers, cases_nested, cases_pixels, cases_text
from tests.phantoms.leak_case import CASES as _REGISTERED
from tests.phantoms.leak_case import LeakCase

BUILDERS = (cases_container, cases_text, cases_nested, cases_identifiers, cases_pixels)

CASES: dict[int, LeakCase] = dict(sorted(_REGISTERED.items()))
