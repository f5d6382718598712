import os

from hypothesis import settings

# The same examples at every run: a red test is red for everybody.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("repeatable")

# As the command line does: on a busy machine, threads that wait should not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
