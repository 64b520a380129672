"""Instance + Edits -> bytes, marked as de-identified.

instance.py   the new file: our own head, untouched runs as slices, what changed anew
marks.py      the elements that say what was done to the instance
derivation.py those that say that its pixels were overwritten
"""

from governance.write.derivation import Masked, derivation
from governance.write.instance import data_set, encoded, head, instance
from governance.write.marks import marks

__all__ = ["Masked", "data_set", "derivation", "encoded", "head", "instance", "marks"]
