"""Compare what is measured now with what is stored, variable by variable; or store it.

python -m tests.frozen                    compare every subject
python -m tests.frozen codec_tiny         compare one
python -m tests.frozen --record [NAME...] store what is measured now in place of what is stored
python -m tests.frozen --amend [NAME...]  store only what differs; it is compared within rounding from then on
"""

import sys

from .runs import SUBJECTS
from .stored import amend, differences, read, record, reword, same_arithmetic


def main() -> int:
    names = [a for a in sys.argv[1:] if not a.startswith("--")] or list(SUBJECTS)
    for option, store in (("--record", record), ("--amend", amend), ("--reword", reword)):
        if option in sys.argv:
            for name in names:
                print(f"{name}: {store(name)} variables stored", flush=True)
            return 0
    print("bit by bit" if same_arithmetic() else "another processor or other versions: within rounding")
    worst = 0
    for name in names:
        found = differences(name)
        print(f"{name}: {len(found)} of {len(read(name))} variables differ", flush=True)
        for line in found:
            print(f"  {line}")
        worst |= bool(found)
    return worst


sys.exit(main())
