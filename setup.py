# Lists the packages; everything else is in pyproject.toml.
#
# `eventsim.datasets` lives in datasets/ at the top level (package-dir in pyproject.toml), so
# that the import name `datasets` stays free. Automatic discovery cannot express that.
from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["eventsim", "eventsim.*"]),
        "eventsim.datasets",
        *(f"eventsim.datasets.{name}" for name in find_packages("datasets")),
    ]
)
