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


def test_code_is_in_a_cell_or_says_why_it_is_not_run():
    code = [(name(page), block) for page in PAGES for block in blocks(page) if block.kind in CODE]
    assert [one for one in code if not re.match(r"not run: \w", one[1].more)] == []


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


def test_commands_in_sentences_exist():
    code = re.compile(r"(?<!`)`(eventsim [^`]+)`(?!`)")
    lines = {(name(page), line) for page in WRITTEN for line in code.findall(page.read_text())}
    right = (None, "MissingParameter")  # a sentence may name a command without its arguments
    assert [one for one in sorted(lines) if complaint(one[1]) not in right] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_with_cells_is_a_notebook(page):
    cells = any(block.kind == "{code-cell}" for block in blocks(page))
    assert ("file_format: mystnb" in page.read_text()) == cells
