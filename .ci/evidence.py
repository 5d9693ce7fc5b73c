"""Write docs/reliability.md from the reports of test runs.

The marker `case` of a test names the cases that the test proves, and the fixture
`record_property` records figures; pytest writes both to its report. The page describes
the cases in words. If a case has no passing test or a failing test, the page is written
and this script ends with exit code 1.

    python .ci/evidence.py docs/reliability.md report.xml
    python .ci/evidence.py --print report.xml
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

# Cases of bad input: ranges of case numbers, and what the cases have in common.
BAD_INPUT = {
    "Tables and columns: None, no rows, missing or repeated columns, other column "
    "names, a MultiIndex, lists, dicts, sparse arrays, data frames of other libraries, "
    "read-only or nullable columns, unused categories": range(1, 17),
    "Ids: missing, empty, float, boolean, mixed types, bytes, very long strings, "
    "integers beyond 64 bits; strings that look like a number or a missing value; NUL "
    "characters, accents, emoji, lone surrogates": range(17, 40),
    "Timestamps: missing values, infinity, strings, mixed types or time zones; equal "
    "times, rows in reverse order, no timestamps at all": range(40, 54),
    "Little or unusual data: users with one interaction, users who interacted with "
    "every item, only two items, histories shorter than the model reads, a million "
    "repeated interactions": range(54, 70),
    "Parameters: each outside its range or of a wrong type; sizes 1 and 2; learning "
    "rates at which training diverges; each type of random_state": range(70, 89),
    "Queries: before fit, unseen users and items, wrong types of ids, empty histories, "
    "k of 0 or above the number of items, invalid candidates, test rows that were also "
    "training rows, equal scores of all items": range(89, 103),
    "Files and the command line: lines with shifted, missing or additional fields, "
    "other encodings and separators, missing folders, closed pipes, damaged gzip, "
    "Parquet and JSON files": range(103, 113),
}

CASES = {
    "Properties": {
        "P1": "If ids are renamed one to one, nothing else changes",
        "P2": "The order of the rows does not matter if all times are different",
        "P3": "A user gets the same items alone and in a call with many users",
        "P4": "Ranking items in blocks equals one full sort, also for equal scores",
        "P5": "Only items of the catalogue that the user has not seen are recommended, "
        "sorted by score",
        "P6": "A saved and loaded model is equal to the last bit; saving it again "
        "writes the same bytes",
        "P7": "Models give the same predictions after pickle, copy, clone and joblib",
        "P8": "Fitting twice, or fitting a clone, gives the same model",
        "P9": "No method changes its input",
        "P10": "The global random states of NumPy, Python and TensorFlow do not change",
        "P11": "The hit rate at k grows with k, lies in [0, 1], and equals a direct "
        "computation",
        "P12": "Splitters: training rows precede test rows, no row is in both, none is "
        "lost",
        "P13": "Padding of short histories does not change scores",
        "P14": "NumPy and TensorFlow compute the same scores",
        "P15": "String ids and 64-bit integer ids are restored exactly",
        "P16": "Reading any bytes as a model file gives a model or ModelFileError",
        "P17": "The last batch of an epoch, which may be smaller, is trained like the "
        "others",
        "P18": "The scores of a query do not depend on the other queries of the call",
    },
    "Faults": {
        "F1": "SIGKILL at random moments while a model is saved",
        "F2": "A crash at each step of saving; data are flushed to the disk before "
        "the file is renamed",
        "F3": "SIGKILL during fit; the fit continues and gives the same bits",
        "F4": "SIGTERM and Ctrl-C during fit leave a checkpoint; Ctrl-C also leaves a "
        "fitted model",
        "F5": "The disk is full while a model is saved",
        "F6": "Folders and files without write permission",
        "F7": "Truncated model files",
        "F8": "Model files with a flipped bit",
        "F9": "If a checkpoint is damaged, fit continues from the previous one",
        "F10": "A checkpoint of another fit is refused with an error",
        "F11": "Several threads predict at the same time",
        "F12": "Several processes save and load the same path at the same time",
        "F13": "After TensorFlow was used, a forked child process predicts, and "
        "refuses to fit",
        "F14": "A grid search in several processes gives the results of one process",
        "F15": "Repeated fits leave no memory, threads or open files behind",
        "F16": "Repeated loading leaves no memory or open files behind",
        "F17": "NaN or infinity in loss, gradients or weights stops a fit with an "
        "error",
        "F18": "Recommending to 10,000 users within a memory limit",
        "F19": "If memory runs out during fit or load, the earlier state remains",
        "F20": "Loading and recommending work without TensorFlow",
        "F21": "Fit prints no messages of TensorFlow, also without a GPU",
        "F22": "Locale, hash seed, clock, and Python's options -O and -W error do not "
        "change the bytes of a model file",
        "F24": "Unfinished files of killed processes are removed; those of running "
        "processes are kept",
        "F25": "If a worker of Dask is killed, each user is answered once",
    },
    "Load": {
        "L2": "Recommending among 100,000 items",
        "L3": "The memory of recommending, with three catalogue sizes",
        "L4": "Fitting on a million interactions",
        "L7": "Loading a model with 100,000 items and two tables of 64 columns",
        "L9": "Drawing negatives for a user who interacted with nearly all items",
    },
    "Security": {
        "S1": "Pickles, joblib files and other serialised objects that are named like "
        "a model file",
        "S2": "Loading runs no code, imports nothing and opens no other file, as "
        "observed by a Python audit hook",
        "S3": "Files of other formats are refused and not passed to other readers",
        "S4": "Model files with manipulated headers",
        "S5": "Model files with impossible shapes or positions of arrays",
        "S6": "Model files with missing or additional arrays, or arrays of a wrong "
        "dtype",
        "S7": "Model files that try to set other attributes",
        "S8": "Names of classes and modules in a model file are never imported",
        "S9": "Model files with indices out of range, or repeated or invalid ids",
        "S10": "Model files with weights that are not finite, or parameters outside "
        "their range",
        "S11": "Files with changed weights and recomputed checksums: `expected_sha256` "
        "of load_model rejects them",
        "S12": "Links, pipes, devices and folders in place of a file",
        "S13": "Ids are never used as paths",
        "S14": "Downloads with a wrong hash or a manipulated archive",
        "S15": "Ids that a spreadsheet would execute as formulas",
        "S16": "Ids with terminal escape sequences are printed escaped",
        "S18": "The source of the package never executes data as code",
        "S19": "Each imported package is a declared dependency, and its lower bound is "
        "tested",
        "S20": "A model file does not contain where or when it was made",
    },
}


def read(paths):
    """Read the test outcomes of each case, and the figures by name."""
    outcomes, figures = defaultdict(list), {}
    for path in paths:
        for test in ElementTree.parse(path).iter("testcase"):  # noqa: S314 (our own)
            names = {child.tag for child in test}
            failed = names & {"failure", "error"}
            outcome = "skipped" if "skipped" in names else "passed"
            outcome = "failed" if failed else outcome
            for each in test.iter("property"):
                name, value = each.get("name"), each.get("value")
                if name == "case":
                    outcomes[value].append(outcome)
                elif outcome == "passed":
                    figures[name] = value
    return outcomes, figures


def counted(found):
    """Count outcomes in words."""
    counts = {name: found.count(name) for name in ("passed", "failed", "skipped")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def is_proven(found):
    """Return whether some tests of a case passed and none failed."""
    return "passed" in found and "failed" not in found


def table(rows):
    """Return the lines of a Markdown table."""
    return ["| What was tested | Tests |", "|---|---|", *rows]


def write(outcomes, figures):
    """Return the text of the page, and the cases that are not proven."""
    unproven = []

    def row(description, cases):
        unproven.extend(case for case in cases if not is_proven(outcomes[case]))
        found = [outcome for case in cases for outcome in outcomes[case]]
        return f"| {description} | {counted(found) or 'none'} |"

    lines = [
        "# Reliability: what was tested, and the results",
        "",
        "`make evidence` runs the tests and writes this page from their report. Each "
        "row describes what was tested and counts the tests; one test can try many "
        "variants. `make soak` repeats the random ones, in less than 90 minutes.",
        "",
        "## Figures of this run",
        "",
        "| What was measured | Figure |",
        "|---|---|",
    ]
    lines += [f"| {name} | {value} |" for name, value in sorted(figures.items())]
    n_cases = sum(map(len, BAD_INPUT.values()))
    lines += ["", f"## Invalid or unusual input: {n_cases} kinds", ""]
    lines += [
        "Invalid input raises an error that names the argument, the value, the row and "
        "the solution. Unusual but valid input gives the same result as the equivalent "
        "plain input.",
        "",
    ]
    kinds = {text: [str(n) for n in numbers] for text, numbers in BAD_INPUT.items()}
    lines += table(row(*kind) for kind in kinds.items())
    for title, cases in CASES.items():
        lines += ["", f"## {title}", ""]
        lines += table(row(text, [case]) for case, text in cases.items())
    return "\n".join(lines) + "\n", unproven


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="only print the figures")
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
        parser.error("expected the path of the page, followed by those of the reports")
    text, unproven = write(*read(reports))
    Path(page).parent.mkdir(exist_ok=True)
    Path(page).write_text(text, "utf-8")
    if unproven:
        print("not proven:", *unproven, file=sys.stderr)
    return 1 if unproven else 0


if __name__ == "__main__":
    sys.exit(main())
