"""Build backend of the package: setuptools, and ziglang where no C++ compiler is found."""

import os
from collections.abc import Mapping
from typing import Any

import build  # beside this file: backend-path in pyproject.toml
from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable",
    "get_requires_for_build_sdist", "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable", "prepare_metadata_for_build_wheel",
]  # fmt: skip


def get_requires_for_build_wheel(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """What setuptools asks for, and the compiler."""
    return build_meta.get_requires_for_build_wheel(config_settings) + _compilers()


def get_requires_for_build_editable(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """What setuptools asks for, and the compiler."""
    return build_meta.get_requires_for_build_editable(config_settings) + _compilers()


def _compilers() -> list[str]:
    """Those of the kernels, and where it was asked for that of the engine of pages."""
    of_pages = ["ziglang>=0.13"] if os.environ.get("EVENTSIM_BUILD_WEB") else []
    return [*dict.fromkeys(build.requirements() + of_pages)]
