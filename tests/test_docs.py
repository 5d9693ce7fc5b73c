"""The code of the documentation runs."""

import re
import warnings
from pathlib import Path

import pytest

from sklearn_attrec.datasets import make_interactions

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["evaluation.md", "frames.md"])
def test_code_of_a_page_runs(page):
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    names = {"interactions": make_interactions(60, 20, n_per_user=6, random_state=0)}
    with warnings.catch_warnings():  # a page may filter warnings
        for block in blocks:
            exec(block, names)  # noqa: S102
