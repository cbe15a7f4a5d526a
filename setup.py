"""The rooms lie at the top of the repository and are imported as geometric_invariants.*."""

from setuptools import find_packages, setup

ROOT, ROOMS = "geometric_invariants", ("geometry", "fixtures", "invariants", "reports")

setup(
    packages=[f"{ROOT}.{found}" for room in ROOMS for found in find_packages(include=[f"{room}*"])],
    package_dir={f"{ROOT}.{room}": room for room in ROOMS},
)
