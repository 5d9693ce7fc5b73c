"""Measure how long it takes to rank all clicks of Yoochoose as unseen sessions.

Each click is predicted from the earlier clicks of its session (`context='earlier'`).
Networks are trained for one epoch: only the speed of ranking is measured.

    python benchmarks/sessions.py --models markov attrec
"""

import argparse
import time
import warnings

import pandas as pd
from _shared import load, markdown

from sklearn_attrec.models import RECOMMENDERS

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=RECOMMENDERS)
    arguments = parser.parse_args()
    clicks = load("yoochoose")
    sessions = clicks.assign(user_id=-1 - clicks["user_id"])  # ids not seen in fit
    rows = []
    for name in arguments.models or RECOMMENDERS:
        model = RECOMMENDERS[name](exclude_seen=False)
        if "max_iter" in model.get_params():
            model.set_params(max_iter=1, random_state=0)
        model.fit(clicks)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.target_ranks(sessions, context="earlier")
        rows.append(
            {"model": name, "rows": len(sessions), "s": time.perf_counter() - start}
        )
    print(markdown(pd.DataFrame(rows)))
