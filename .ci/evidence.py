"""Write docs/reliability.md from the reports of test runs.

Tests carry the marker `case`, which names what they prove, and record figures; pytest
writes both into its report. A case without a passing test, or with a failing one, ends
this script with an error.

    python .ci/evidence.py docs/reliability.md report.xml
    python .ci/evidence.py --print report.xml
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

# Numbered cases of bad input, group by group.
BAD_INPUT = {
    "frame and columns": range(1, 17),
    "ids": range(17, 40),
    "timestamps and order": range(40, 54),
    "too little or odd data": range(54, 70),
    "hyper-parameters": range(70, 89),
    "predict, recommend, score": range(89, 103),
    "files and the command line": range(103, 113),
}

CASES = {
    "Properties": {
        "P1": "Renaming ids by any bijection changes nothing else",
        "P2": "Shuffling rows of distinct times changes nothing",
        "P3": "Many users at once get what each gets alone",
        "P4": "Ranking in chunks equals one full sort, ties included",
        "P5": "Nothing seen, padded or unknown is recommended; scores never rise",
        "P6": "Saving and loading keeps every bit; saving again gives the same bytes",
        "P7": "pickle, copy, clone and joblib keep the answers",
        "P8": "Fitting twice, or a clone, gives the same model",
        "P9": "The input stays as it was",
        "P10": "Global random states stay as they were",
        "P11": "Hit rate grows with k, lies in [0, 1], equals brute force",
        "P12": "Splitters: train before test, disjoint, nothing lost",
        "P13": "Padding changes no score",
        "P14": "NumPy and TensorFlow give the same scores",
        "P15": "Ids of any text and any 64-bit integer come back exactly",
        "P16": "Any bytes give a model or ModelFileError",
        "P17": "The last, shorter batch is trained like the others",
        "P18": "A user's scores do not depend on who else is asked",
    },
    "Faults": {
        "F1": "SIGKILL at random moments of saving",
        "F2": "A crash at every step of saving; order of flush and rename",
        "F3": "SIGKILL during fit, resumed to the same bits",
        "F4": "SIGTERM and Ctrl-C during fit",
        "F5": "Disk full",
        "F6": "Folders and files that cannot be written",
        "F7": "Model files cut short",
        "F8": "Single flipped bits in model files",
        "F9": "A damaged checkpoint falls back to the one before",
        "F10": "A checkpoint of another fit is refused by name",
        "F11": "Threads that predict at the same time",
        "F12": "Processes that save and load one path at the same time",
        "F13": "A forked child predicts, and refuses to fit",
        "F14": "Grid search in several processes equals one process",
        "F15": "Repeated fits leave no memory, threads or files behind",
        "F16": "Repeated loading leaves nothing behind",
        "F17": "Numbers that are not finite stop a fit",
        "F18": "A limit on memory: recommending goes on in batches",
        "F19": "MemoryError in the middle leaves a clean state",
        "F20": "Without TensorFlow, loading and recommending work",
        "F21": "Without a GPU; nothing is printed",
        "F22": "Locale, hash seed, clock, -O, -W error: the same bytes",
        "F24": "What a killed writer leaves is removed, what a live one writes is not",
    },
    "Load": {
        "L2": "Recommending among 100,000 items",
        "L3": "Memory of recommending at three sizes",
        "L4": "Fitting a million interactions",
        "L7": "Loading a model of 100,000 items × 2 tables × 64",
        "L9": "Negatives for a user who saw nearly everything",
    },
    "Security": {
        "S1": "Pickles and their kin under our file name",
        "S2": "Loading runs, imports and opens nothing",
        "S3": "Other formats are refused, never dispatched on",
        "S4": "Hostile headers",
        "S5": "Hostile shapes and places",
        "S6": "Missing, additional and mistyped arrays",
        "S7": "Injected attributes",
        "S8": "Class and module names in a file are never imported",
        "S9": "Hostile indices and ids",
        "S10": "Weights that are not finite, impossible parameters",
        "S11": "Forged files: what expected_sha256 is for",
        "S12": "Links, pipes, devices, folders in place of a file",
        "S13": "Ids never become paths",
        "S14": "Downloads: wrong hash, hostile archives",
        "S15": "Spreadsheet formulas in ids",
        "S16": "Terminal escapes in ids",
        "S18": "No call in the package runs code from data",
        "S19": "What the package depends on is named",
        "S20": "A model file tells nothing of the machine",
    },
}


def read(paths):
    """Collect outcomes by case, and recorded figures by name."""
    outcomes, figures = defaultdict(list), {}
    for path in paths:
        for test in ElementTree.parse(path).iter("testcase"):  # noqa: S314 (our own)
            names = {child.tag for child in test}
            bad = names & {"failure", "error"}
            outcome = "failed" if bad else "skipped" if "skipped" in names else "passed"
            for each in test.iter("property"):
                name, value = each.get("name"), each.get("value")
                if name == "case":
                    outcomes[value].append(outcome)
                elif outcome == "passed":
                    figures[name] = value
    return outcomes, figures


def result(found):
    """Put the outcomes of a case into words."""
    counts = {name: found.count(name) for name in ("passed", "failed", "skipped")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def holds(found):
    """Tell whether a case is proven."""
    return "passed" in found and "failed" not in found


def write(outcomes, figures):
    """Return the page, and the cases that are not proven."""
    open_cases = []
    lines = [
        "# Reliability: what was tried, and what came of it",
        "",
        "`make evidence` writes this page from the report of a test run; every line is "
        "counted, none is written by hand. `make soak` repeats the random trials for "
        "an hour.",
        "",
        "## Figures",
        "",
        "| what | figure |",
        "|---|---|",
    ]
    lines += [f"| {name} | {value} |" for name, value in sorted(figures.items())]
    lines += ["", "## Bad input", "", "| group | cases | as specified | tests |"]
    lines += ["|---|---|---|---|"]
    total = 0
    for group, numbers in BAD_INPUT.items():
        proven = [n for n in numbers if holds(outcomes[str(n)])]
        open_cases += [str(n) for n in numbers if n not in proven]
        total += len(proven)
        n_tests = sum(len(outcomes[str(n)]) for n in numbers)
        lines.append(f"| {group} | {len(numbers)} | {len(proven)} | {n_tests} |")
    n_cases = sum(map(len, BAD_INPUT.values()))
    lines.append(f"| **all** | **{n_cases}** | **{total}** | |")
    for title, cases in CASES.items():
        lines += ["", f"## {title}", "", "| case | what | tests |", "|---|---|---|"]
        for case, what in cases.items():
            found = outcomes[case]
            open_cases += [] if holds(found) else [case]
            lines.append(f"| {case} | {what} | {result(found) or 'none'} |")
    return "\n".join(lines) + "\n", open_cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="the figures alone")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args()
    if options.print:
        _, figures = read(options.paths)
        width = max(map(len, figures), default=0)
        for name, value in sorted(figures.items()):
            print(f"{name:{width}}  {value}")
        return 0
    page, *reports = options.paths
    if not reports:
        parser.error("name the page, and then the reports")
    text, open_cases = write(*read(reports))
    Path(page).parent.mkdir(exist_ok=True)
    Path(page).write_text(text, "utf-8")
    if open_cases:
        print("not proven:", *open_cases, file=sys.stderr)
    return 1 if open_cases else 0


if __name__ == "__main__":
    sys.exit(main())
