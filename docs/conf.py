"""Sphinx configuration: ``make docs`` builds the site, and a warning is an error."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# Cells run the commands of this environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
# One page has the model of a benchmark.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
# Pages are read and cells run in several processes: threads of OpenMP without work sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ["TTY_COMPATIBLE"] = "0"  # ipykernel asks for colours; their codes stay out

import eventsim as es

REFERENCE = Path(__file__).parent / "reference" / "api"

project = "eventsim"
author = "the eventsim developers"
copyright = "the eventsim developers, BSD-3-Clause"
version = release = es.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "benchmarks",
    "commands",
    "links",
    "live",
    "mathml",
    "names",
    "notebooks",
    "rooms",
    "tables",
    "typed",
]
root_doc = "index"
exclude_patterns = [
    "_ext",
    "gallery",
    "auto_gallery/*.ipynb",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
    "**/.ipynb_checkpoints",
]
templates_path = ["_templates"]

# -- Docstrings ---------------------------------------------------------------------------------
# Named one by one: Sphinx itself would not look into pages that are new since the last build.
autosummary_generate = [f"reference/api/{page.name}" for page in REFERENCE.glob("*.md")]
autosummary_ignore_module_all = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature has the names, the docstring the shapes and units
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
default_role = None
nitpicky = True  # a reference that leads nowhere is an error; docs/_ext/names.py resolves
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88

# -- Pages with code ----------------------------------------------------------------------------
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline", "attrs_block"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent.parent / "build" / "docs" / "cells")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_execution_show_tb = True
nb_output_stderr = "remove"  # progress
nb_merge_streams = True

# Added to the extensions with the first script of the gallery.
if any((Path(__file__).parent / "gallery").glob("plot_*.py")):
    extensions.append("sphinx_gallery.gen_gallery")
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10,
    "capture_repr": (),
    "show_signature": False,
    "thumbnail_size": (520, 364),
    "remove_config_comments": True,
}

# -- Looks --------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "eventsim"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_sidebars = {page: [] for page in ("index", "benchmarks", "faq", "references")}
html_static_path = ["_static"]
html_css_files = ["eventsim.css"]
html_search_scorer = str(Path(__file__).parent / "_static" / "scorer.js")
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "logo": {"text": "eventsim"},
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}
