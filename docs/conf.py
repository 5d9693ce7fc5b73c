"""Settings of Sphinx. `make docs` builds the site into docs/_build/html."""

import inspect

from sphinx_gallery.sorting import ExplicitOrder

import sklearn_attrec

project = "sklearn_attrec"
author = "the sklearn_attrec developers"
copyright = f"{author}. BSD 3-Clause License"
version = release = sklearn_attrec.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "gallery/*.ipynb", "gallery/backreferences"]
default_role = "literal"  # `x` in a docstring is code
smartquotes = False  # values such as 'mean' are code
myst_heading_anchors = 3
myst_html_meta = {
    "description": (
        "Recommend the next item with scikit-learn's fit, predict and GridSearchCV: "
        "AttRec, SASRec, SSE-PT, HSTU and baselines, from a DataFrame to a DataFrame."
    )
}

# -- Reference -------------------------------------------------------------------------

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # docstrings name the types
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False


def is_skipped(app, what, name, obj, skip, options):
    """Skip methods that a recommender inherits from scikit-learn."""
    module = getattr(inspect.unwrap(obj), "__module__", None) if callable(obj) else None
    return skip or bool(module and module.partition(".")[0] != "sklearn_attrec")


# -- Gallery ---------------------------------------------------------------------------

GALLERY = [
    "quickstart.py",
    "comparing.py",
    "tuning.py",
    "optuna_search.py",
    "pipeline.py",
    "new_users.py",
    "sessions.py",
    "baskets.py",
    "repeat_purchases.py",
    "updates.py",
    "new_items.py",
    "reasons.py",
    "serving.py",
    "cluster.py",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/",
    "ignore_pattern": "^_",
    "within_subsection_order": ExplicitOrder(GALLERY),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 0,
    "remove_config_comments": True,
    "write_computation_times": False,
    "show_signature": False,
    "image_srcset": ["2x"],
    "backreferences_dir": "gallery/backreferences",
    "doc_module": "sklearn_attrec",
}

# -- Pages -----------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_attrec"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_use_index = False  # reference.md lists all public names
html_sidebars = {"index": [], "results": []}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "github_url": "https://github.com/sklearn-attrec/sklearn-attrec",
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "results": []},
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}


def setup(app):
    """Connect the functions of this file."""
    app.connect("autodoc-skip-member", is_skipped)
