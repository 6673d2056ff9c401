# Lists the packages and compiles the kernels of the CPU; everything else is in pyproject.toml.
#
# `eventsim.datasets` lives in datasets/ at the top level (package-dir in pyproject.toml), so
# that the import name `datasets` stays free. Automatic discovery cannot express that.
import sys
from pathlib import Path

from setuptools import Command, Distribution, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.sdist import sdist

KERNELS = Path("eventsim", "kernels")
sys.path.insert(0, str(KERNELS.resolve()))
from build import BuildError, Platform, sources  # noqa: E402
from build import build as build_library  # noqa: E402

WEB = Path("eventsim", "embedded", "web")
sys.path.append(str(WEB.parent.resolve()))
import wasm  # noqa: E402


def build_engine(command, folder, *, in_place=False):
    """Compile the engine of pages; where that cannot or shall not be, say so and leave none.

    An editable installation keeps one of these sources.
    """
    try:
        wasm.build(folder)
    except wasm.NotBuilt as error:
        if wasm.is_required():
            raise SystemExit(f"error: {error}") from None
        if in_place and wasm.is_built(folder):
            return
        (folder / wasm.NAME).unlink(missing_ok=True)
        command.warn(f"`eventsim export --to web` will not work with what is built. {error}")


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return True  # the wheel is one of a platform


class Build(build):
    sub_commands = (*build.sub_commands, ("build_kernels", None))


class BuildKernels(Command):
    """Compile library and engine of pages: into the wheel, or in place where that is editable."""

    description = "compile the kernels of the CPU, and the engine of pages"
    user_options = ()

    def initialize_options(self):
        self.build_lib = None
        self.editable_mode = False

    def finalize_options(self):
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self):
        try:
            build_library(KERNELS.resolve() if self.editable_mode else self.folder)
        except BuildError as error:
            raise SystemExit(f"error: {error}") from None
        folder = WEB if self.editable_mode else self.engine.parent
        build_engine(self, folder, in_place=self.editable_mode)

    @property
    def engine(self):
        return Path(self.build_lib, WEB, wasm.NAME)

    @property
    def folder(self):
        return Path(self.build_lib, KERNELS).resolve()

    def get_source_files(self):
        return [str(path.relative_to(KERNELS.resolve().parents[1])) for path in sources()]

    def get_outputs(self):
        engine = [str(self.engine)] if self.engine.exists() else []
        return [str(Path(self.build_lib, KERNELS, Platform.here().library)), *engine]

    def get_output_mapping(self):
        return {}


class Sdist(sdist):
    """What is made of the sdist has the engine of pages without a compiler for it."""

    def run(self):
        build_engine(self, WEB)
        super().run()


class ForEveryPython(bdist_wheel):
    """The library is called by ctypes: the platform matters, the version of Python does not."""

    def get_tag(self):
        platform = super().get_tag()[2]
        return "py3", "none", platform.replace("universal2", Platform.here().architecture[1])


setup(
    packages=[
        *find_packages(include=["eventsim", "eventsim.*"]),
        "eventsim.datasets",
        *(f"eventsim.datasets.{name}" for name in find_packages("datasets")),
    ],
    distclass=WithLibrary,
    cmdclass={
        "bdist_wheel": ForEveryPython,
        "build": Build,
        "build_kernels": BuildKernels,
        "sdist": Sdist,
    },
)
