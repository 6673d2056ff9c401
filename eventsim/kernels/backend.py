"""Build backend of the package: setuptools, and ziglang where a compiler is missing."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import build  # beside this file: backend-path in pyproject.toml
from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

sys.path.append(str(Path(__file__).resolve().parents[1] / "embedded"))
import wasm

__all__ = [
    "build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable",
    "get_requires_for_build_sdist", "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable", "prepare_metadata_for_build_wheel",
]  # fmt: skip


def get_requires_for_build_sdist(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """The requirements of setuptools, and the compiler of the engine of pages."""
    return build_meta.get_requires_for_build_sdist(config_settings) + wasm.requirements()


def get_requires_for_build_wheel(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """The requirements of setuptools, and compilers of the kernels and the engine of pages."""
    needed = dict.fromkeys(build.requirements() + wasm.requirements())
    return [*build_meta.get_requires_for_build_wheel(config_settings), *needed]


def get_requires_for_build_editable(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """The requirements of setuptools, and the compiler of the kernels."""
    needed = wasm.requirements() if wasm.is_required() else []
    needed = dict.fromkeys(build.requirements() + needed)
    return [*build_meta.get_requires_for_build_editable(config_settings), *needed]
