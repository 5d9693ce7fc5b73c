"""Compare two checkouts of the package, measured in turns.

A benchmark passes `compare` a function that prepares the data and models, and returns
the measurements: functions without arguments that return a number, usually seconds.
Each checkout has its own process, which prepares once and then waits. The processes
take turns, so that other work on the machine slows down both alike, and the ratio of
each pair of neighbouring measurements is taken. Of all ratios the median is printed.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pandas as pd
from _shared import markdown

__all__ = ["add_arguments", "compare"]

HERE = Path(__file__).resolve().parents[1]


def add_arguments(parser):
    """Add the arguments that `compare` reads."""
    parser.add_argument(
        "--old",
        metavar="FOLDER",
        help="another checkout, to compare with; without it, only this one is measured",
    )
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each")
    parser.add_argument(
        "--only", nargs="+", metavar="TEXT", help="measurements whose name contains it"
    )
    parser.add_argument("--worker", action="store_true", help="used by the script")


def compare(arguments, prepare):
    """Print the medians of each measurement, of this checkout and of the old one.

    Parameters
    ----------
    arguments : Namespace
        Of a parser to which `add_arguments` was applied.
    prepare : callable
        Called with `arguments` in the process of each checkout. Returns a dict of
        functions that return a number: smaller is better. It must use only what both
        checkouts have.
    """
    if arguments.worker:
        _serve(prepare(arguments))
        return
    workers = {"new": _Worker(HERE)}
    if arguments.old:
        workers = {"old": _Worker(Path(arguments.old).resolve()), **workers}
    rows = []
    for name in workers["new"].names:
        if arguments.only and not any(text in name for text in arguments.only):
            continue
        for worker in workers.values():
            worker.measure(name)  # warm up
        measured = {kind: [] for kind in workers}
        for _ in range(arguments.pairs):
            for kind, worker in workers.items():
                measured[kind].append(worker.measure(name))
        rows.append({"measured": name} | _summary(measured))
        print(f"{name}: done", file=sys.stderr, flush=True)
    for worker in workers.values():
        worker.close()
    print(markdown(pd.DataFrame(rows)))


def _summary(measured):
    row = {
        kind: f"{statistics.median(numbers):.4g}" for kind, numbers in measured.items()
    }
    if "old" in measured:
        pairs = zip(measured["old"], measured["new"], strict=True)
        ratios = sorted(old / new for old, new in pairs)
        row["old / new"] = f"{statistics.median(ratios):.2f}"
        row["range"] = f"{ratios[0]:.2f} – {ratios[-1]:.2f}"
    return row


class _Worker:
    """A process that measures one checkout."""

    def __init__(self, checkout):
        path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, *sys.argv, "--worker"],
            env=os.environ | {"PYTHONPATH": path.rstrip(os.pathsep)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.names = self._read()

    def measure(self, name):
        """Return the number of one measurement."""
        print(name, file=self._process.stdin, flush=True)
        return self._read()

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                "A process that measures ended early; see its error above."
            )
        return json.loads(line)


def _serve(measurements):
    """Answer requests for measurements, one line each."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a fit prints is no answer
    print(json.dumps(list(measurements)), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(measurements[line.rstrip("\n")]()), file=answers, flush=True)
