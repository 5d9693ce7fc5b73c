"""The code of the documentation runs."""

import re
import warnings
from pathlib import Path

import pytest

from sklearn_attrec.datasets import make_interactions

DOCS = Path(__file__).parents[1] / "docs"


# The packages that the code of a page needs beyond those of the tests.
NEEDED = {"callbacks.md": "sklearn.callback"}


@pytest.mark.parametrize("page", ["callbacks.md", "evaluation.md"])
def test_code_of_a_page_runs(page):
    pytest.importorskip(NEEDED.get(page, "sklearn"))
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    options = {"n_per_user": 6, "repeats": False, "random_state": 0}
    names = {"interactions": make_interactions(60, 20, **options)}
    with warnings.catch_warnings():  # a page may filter warnings
        for block in blocks:
            exec(block, names)  # noqa: S102
