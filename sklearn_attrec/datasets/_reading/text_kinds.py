"""Text that is not delimited, or that begins with a line that is not part of it."""

import re
from pathlib import PurePath

from sklearn_attrec.exceptions import InteractionsError
from sklearn_attrec.utils._short_repr import short_repr

__all__ = ["refuse_other_text"]


def refuse_other_text(text, path, header):
    """Raise an error for JSON, a comment, `sep=;` and lines enclosed in quotes."""
    source = repr(str(path))
    first, _, rest = text.lstrip().partition("\n")
    first = first.rstrip()
    rewrite = f"path = pathlib.Path({source}); path.write_text({{}})"
    found = f"{source}, line 1 is {short_repr(first)}"
    if re.match(r'\[?\s*\{\s*"', text.lstrip()):
        name = PurePath(path).stem + ".jsonl"
        is_named = PurePath(path).suffix in (".json", ".jsonl", ".ndjson")
        remedy = "Omit sep=" if is_named else f"Rename the file to {name!r}"
        raise InteractionsError(f"{found}, which is JSON. {remedy}.")
    if re.fullmatch("sep=.", first):
        call = rewrite.format("path.read_text().split('\\n', 1)[1]")
        raise InteractionsError(
            f"{found}, a line for Excel. Remove it: {call}. Then pass {first[:4]}"
            f"{first[4]!r}."
        )
    if header == "infer" and re.match("#|%[ %]", first):
        comments = f"(?m)^{first[0]}.*\\n"
        call = rewrite.format(f"re.sub('{comments}', '', path.read_text())")
        raise InteractionsError(
            f"{found}, which looks like a comment. If it is, remove all comments: "
            f"{call}. If it is the header, pass header=True, otherwise header=False."
        )
    if _is_enclosed(first) and all(map(_is_enclosed, rest.split("\n", 3)[:3])):
        call = "re.sub('(?m)^\"|\"$', '', path.read_text()).replace('\"\"', '\"')"
        raise InteractionsError(
            f"{found}: each line is enclosed in quotation marks. Remove them: "
            f"{rewrite.format(call)}."
        )


def _is_enclosed(line):
    """Return whether a line is one quoted field that contains separators."""
    line = line.strip()
    inner = line[1:-1].replace('""', "")
    is_quoted = line.startswith('"') and line.endswith('"') and '"' not in inner
    return line == "" or is_quoted and re.search("[,;|\t]", inner) is not None
