"""The repository's folders are the library's rooms, `tonotopy.synth` and so on; see README, "The house"."""

from setuptools import find_packages, setup

ROOMS = ("synth", "encoders", "probes", "reports")

setup(
    packages=[f"tonotopy.{name}" for name in find_packages() if name.split(".")[0] in ROOMS],
    package_dir={f"tonotopy.{room}": room for room in ROOMS},
)
