"""How the site is built: `make docs`. Nothing is fetched from a network."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import tonotopy

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
sys.modules["tonotopy.plot"] = tonotopy.plot  # an attribute, which autosummary would not find as a module
os.environ["OMP_NUM_THREADS"] = "1"  # in notebooks, whose networks are too small to share out
os.environ["TONOTOPY_GALLERY"] = str(HERE / "_build" / "gallery.zarr")  # measured once, drawn often

project = "tonotopy"
author = "The tonotopy authors"
copyright = "the tonotopy developers, MIT licence"
version = release = installed_version("tonotopy")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "mathml",  # beside this file, as the next
    "registry_tables",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# Everything that has a page is linked, and a role that points nowhere is an error. What docstrings put into
# single backticks may be a parameter as well, so there a missing page is none.
nitpicky = True
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", ".*"), ("py:class", ".*")]

autosummary_generate = True
autosummary_imported_members = True
autosummary_filename_map = {"tonotopy.probes.probe": "tonotopy.probes.probe_function"}  # beside `Probe`
autodoc_typehints = "none"  # the docstrings say types, shapes and units
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3

nb_execution_mode = "cache"  # as long as neither code nor library changes, see Makefile
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 1800  # a cell, on a busy machine
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = "tonotopy"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {  # pages that have none below them
    page: []
    for page in (
        "index", "tour", "gallery", "presets", "verdicts", "report", "times", "glossary", "known_truths",
    )
}  # fmt: skip
