"""One version everywhere, and files of the project's forge that the forge would take."""

import os
import re
import subprocess
import textwrap
import tomllib

import check_jsonschema
import pytest
from click.testing import CliRunner
from packaging.version import Version

import eventsim
from tests.support.checkout import ROOT, project, tracked_files

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    ".github/dependabot.yml": "dependabot",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ".github/ISSUE_TEMPLATE/bug.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/feature.yml": "github-issue-forms",
    ".github/workflows/ci.yml": "github-workflows",
    ".github/workflows/nightly.yml": "github-workflows",
    ".github/workflows/release.yml": "github-workflows",
    ".github/workflows/wheels.yml": "github-workflows",
}


def text(name):
    """A file of the checkout; skips the test where it is not shipped."""
    if name.startswith(".") and not (ROOT / name).exists():
        pytest.skip("hidden files are in the checkout only")
    return (ROOT / name).read_text("utf-8")


def released():
    """Version and date of the newest release in CHANGELOG.md."""
    return re.search(r"^## \[([\d.]+)\] - ([\d-]+)$", text("CHANGELOG.md"), re.MULTILINE).groups()


def python_versions():
    """Those that pyproject.toml names."""
    names = [name.rpartition(" :: ")[2] for name in project()["classifiers"] if "Python" in name]
    return [name for name in names if "." in name]


def test_version_is_the_newest_release_or_comes_after_it():
    newest, _ = released()
    ours = Version(eventsim.__version__)
    assert ours == Version(newest) or (ours > Version(newest) and ours.is_prerelease)


def test_changelog_has_releases_in_order_below_what_is_unreleased():
    heads = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert heads[0] == "Unreleased"
    versions = [Version(head) for head in heads[1:]]
    assert versions == sorted(set(versions), reverse=True)


def test_citation_is_of_the_newest_release():
    version, date = released()
    citation = text("CITATION.cff")
    assert f"\nversion: {version}\n" in citation
    assert f"\ndate-released: {date}\n" in citation
    assert f"\nlicense: {project()['license']}\n" in citation


def test_version_has_one_home():
    assert project()["dynamic"] == ["version"]
    assert "version = release = es.__version__" in text("docs/conf.py")


@pytest.mark.parametrize("schema", sorted(set(SCHEMAS.values())))
def test_files_keep_the_schema_of_their_kind(schema):
    names = [name for name in SCHEMAS if SCHEMAS[name] == schema and text(name)]
    given = (f"--builtin-schema=vendor.{schema}", *(str(ROOT / name) for name in names))
    done = CliRunner().invoke(check_jsonschema.main, given)
    assert done.exit_code == 0, done.output


def test_every_file_of_the_forge_is_checked():
    files = {str(path) for path in tracked_files() if path.parts[0] == ".github"}
    assert {name for name in files if name.endswith(".yml")} == SCHEMAS.keys() - {"CITATION.cff"}


def test_hooks_are_valid_and_fetch_nothing():
    config = pytest.importorskip("pre_commit.clientlib").load_config
    text(".pre-commit-config.yaml")
    repositories = config(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert {hook["language"] for hook in hooks} <= {"system", "unsupported"}


def test_workflow_has_every_python_that_is_promised():
    lists = re.findall(r"python: \[(.*)\]", text(".github/workflows/ci.yml"))
    assert len(lists) == 2
    assert all(re.findall(r'"(.+?)"', entry) == python_versions() for entry in lists)
    assert f">={python_versions()[0]}" == project()["requires-python"]


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        ".github/PULL_REQUEST_TEMPLATE.md",
        ".github/workflows/ci.yml",
        ".github/workflows/nightly.yml",
        ".github/workflows/release.yml",
        ".pre-commit-config.yaml",
        "CONTRIBUTING.md",
    ],
)
def test_targets_of_make_exist(name):
    named = set(re.findall(r"(?:`|: |^ *)make ([a-z][a-z-]*)", text(name), re.MULTILINE))
    assert named
    assert named <= TARGETS
    assert set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)) >= TARGETS


def test_the_job_of_mutants_fails_where_it_cannot_tell_what_changed():
    step = text(".github/workflows/ci.yml").partition("- name: Faults in the kernels")[2]
    step = step.partition("\n\n")[0]
    script = textwrap.dedent(step.partition("run: |\n")[2])
    shell = ["bash", "-e", *(["-o", "pipefail"] if "shell: bash" in step else [])]
    environment = os.environ | {"BEFORE": "no-such-commit"}
    done = subprocess.run([*shell, "-c", script], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode


def test_a_wheel_is_built_for_every_platform_and_published_with_the_sdist():
    wheels = tomllib.loads(text("pyproject.toml"))["tool"]["cibuildwheel"]
    (oldest,) = {name.partition("-")[0] for name in wheels["build"]}
    assert oldest == "cp" + python_versions()[0].replace(".", "")
    runners = re.search(r"runner: \[(.*)\]", text(".github/workflows/wheels.yml"))[1].split(", ")
    assert len(runners) == len(wheels["build"])
    assert wheels["environment"] == {"EVENTSIM_BUILD_LEVELS": "all", "EVENTSIM_BUILD_WEB": "1"}
    module = re.match(r"python -m ([a-z.]+) ", wheels["test-command"])[1]
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    release = text(".github/workflows/release.yml")
    assert "uses: ./.github/workflows/wheels.yml" in release
    assert "needs: [build, wheels]" in release


def test_help_of_make_names_every_target():
    assert set(re.findall(r'@echo "make ([a-z-]+)', MAKEFILE)) == TARGETS - {"help"}
