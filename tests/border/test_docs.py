"""The pages of docs/ against the program: their code runs in `make docs`, or they say why not."""

import re

import pytest

from tests.border.prose import COMMAND, LAUNCHERS, PAGES, ROOT, blocks, commands, complaint, parsed

CODE = {"python", "py", "sh", "bash", "console", "shell"}


WRITTEN = [ROOT / "README.md", *PAGES]


def name(page):
    return str(page.relative_to(ROOT))


def examples(command=COMMAND):
    """What the help of every command gives as examples."""
    for inner in getattr(command, "commands", {}).values():
        yield from examples(inner)
    for line in (command.help or "").splitlines():
        if line.strip().startswith(("eventsim ", *LAUNCHERS)):
            yield line.strip()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_is_in_a_cell_or_says_why_it_is_not_run(page):
    for block in blocks(page):
        if block.kind in CODE:
            assert re.match(r"not run: \w", block.more), f"```{block.kind}\n{block.text}"


@pytest.mark.parametrize(
    "line",
    [
        *(
            pytest.param(line, id=f"{name(page)}: {line[:60]}")
            for page in WRITTEN
            for line in commands(blocks(page))
        ),
        *examples(),
    ],
)
def test_command_is_one_that_the_program_takes(line):
    assert parsed(line).startswith("eventsim ")


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_commands_in_sentences_exist(page):
    for line in sorted(set(re.findall(r"(?<!`)`(eventsim [^`]+)`(?!`)", page.read_text()))):
        # A sentence may name a command without its arguments.
        assert complaint(line) in (None, "MissingParameter"), line


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_with_cells_is_a_notebook(page):
    cells = any(block.kind == "{code-cell}" for block in blocks(page))
    assert ("file_format: mystnb" in page.read_text()) == cells
