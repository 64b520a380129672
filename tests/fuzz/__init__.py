"""Files that are damaged at random: nothing may crash, hang or leak, and each ends in one outcome.

    python -m tests.fuzz --minutes 10 --save FOLDER [--seed N]

mutate.py    what happens to the bytes
trial.py     one damaged file, and what must hold
"""
