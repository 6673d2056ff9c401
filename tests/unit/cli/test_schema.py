import tomllib
from importlib.resources import files

import jsonschema
import pytest

from eventsim.chips import chip_names
from eventsim.cli.schema import schema_of
from eventsim.experiment.recipe import recipe_names, task_names
from tests.unit.cli.conftest import done

OWN = {
    "chip": ("eventsim.chips", "", chip_names()),
    "recipe": ("eventsim.experiment", "recipes", recipe_names()),
    "task": ("eventsim.experiment", "tasks", task_names()),
}
FILES = [(kind, name) for kind, (_, _, names) in OWN.items() for name in names]


def content(kind, name):
    package, folder, _ = OWN[kind]
    return tomllib.loads((files(package) / folder / f"{name}.toml").read_text())


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_files_of_eventsim_fulfil_their_schema(kind, name):
    jsonschema.validate(content(kind, name), schema_of(kind))


@pytest.mark.parametrize("kind", OWN)
def test_schema_refuses_an_unknown_key_and_a_missing_version(kind):
    good = content(kind, OWN[kind][2][0])
    with pytest.raises(jsonschema.ValidationError, match="valeu"):
        jsonschema.validate(good | {"valeu": 1}, schema_of(kind))
    with pytest.raises(jsonschema.ValidationError, match="version"):
        jsonschema.validate({k: v for k, v in good.items() if k != "version"}, schema_of(kind))


@pytest.mark.parametrize("kind", ["recipe", "task", "chip", "network", "train"])
def test_schema_is_printed_and_is_one(kind):
    found = done("schema", kind)
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))
    assert '"properties"' in found.out
