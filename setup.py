"""The repository's folders are the library's rooms, `tonotopy.synth` and so on; `face` is `tonotopy` itself.

See README, "The house". The face is in no folder `tonotopy`: Python that begins in the repository would take
that for the package, and find no rooms in it.
"""

from setuptools import find_packages, setup

ROOMS = ("synth", "encoders", "probes", "reports")

setup(
    packages=["tonotopy", *(f"tonotopy.{name}" for name in find_packages() if name.split(".")[0] in ROOMS)],
    package_dir={"tonotopy": "face", **{f"tonotopy.{room}": room for room in ROOMS}},
)
