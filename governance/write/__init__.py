"""Instance + Edits -> bytes, marked as de-identified.

instance.py   the new file: our own head, untouched runs as slices, what changed anew
marks.py      the elements that say what was done to the instance
"""

from governance.write.instance import data_set, encoded, head, instance
from governance.write.marks import marks

__all__ = ["data_set", "encoded", "head", "instance", "marks"]
