"""
Serving without TensorFlow
==========================

A model is fitted and saved to a file. A fresh process loads the file, without importing
TensorFlow, and answers queries. The picture shows how long a request takes.
"""

# %%
# Fit and save
# ------------
#
# The baseline is item kNN. AttRec is fitted for 2 epochs only: the time of a request
# does not depend on the number of epochs.

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _data import load_interactions

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    load_model,
    save_model,
)
from sklearn_attrec.exceptions import ModelFileError
from sklearn_attrec.persistence import inspect_model

interactions, description = load_interactions()
print(f"Data: {description}")
folder = tempfile.TemporaryDirectory()
models = {
    "Item kNN": ItemKNNRecommender(),
    "AttRec": AttRecRecommender(max_iter=2, random_state=0),
}
paths = {name: Path(folder.name) / f"{name}.attrec" for name in models}
for name, model in models.items():
    save_model(model.fit(interactions), paths[name])

# %%
# A file can be inspected without loading the model.

for path in paths.values():
    found = inspect_model(path)
    print({name: found[name] for name in ("class", "n_users", "n_items", "size")})

# %%
# The server
# ----------
#
# With `mmap=True` several processes share the arrays of a model. For a real server, see
# :doc:`/serving`: this one reads all queries from its input and measures each of them.

SERVER = """
import json, sys, time
from sklearn_attrec import load_model

start = time.perf_counter()
model = load_model(sys.argv[1], mmap=True)
answers, milliseconds = [], []
loaded = time.perf_counter()
for query in json.load(sys.stdin):
    begin = time.perf_counter()
    items = model.predict(query["user"], history=query.get("history"))
    milliseconds.append(1000 * (time.perf_counter() - begin))
    answers.append(items.tolist())
result = {"seconds": loaded - start, "answers": answers, "milliseconds": milliseconds}
json.dump(result | {"tensorflow": "tensorflow" in sys.modules}, sys.stdout)
"""

# %%
# Half of the queries come from known users, the other half from users that `fit` did
# not see, with a history of three items.

random = np.random.default_rng(0)
users, items = models["AttRec"].users_, models["AttRec"].items_
queries = []
for user in random.choice(users, 250).tolist():
    queries.append({"user": user})
    queries.append({"user": -1, "history": random.choice(items, 3).tolist()})

results = {}
for name, path in paths.items():
    answer = subprocess.run(
        [sys.executable, "-c", SERVER, path],
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        check=True,
    )
    results[name] = result = json.loads(answer.stdout)
    print(f"{name}: loaded in {1000 * result['seconds']:.0f} ms")
    print(f"  TensorFlow was imported: {result['tensorflow']}")
    print(f"  {queries[1]}: {result['answers'][1][:5]}")
same = (
    results["AttRec"]["answers"][0]
    == models["AttRec"].predict(queries[0]["user"]).tolist()
)
print(f"The same items as from the fitted model: {same}")

# %%
# Milliseconds per request
# ------------------------
#
# A known user has an embedding in the file. For a new user, AttRec computes one from
# the history. The dashed lines mark the medians, and the last bar counts all slower
# requests, too.

attrec = np.array(results["AttRec"]["milliseconds"])
times = {
    "Item kNN": (np.array(results["Item kNN"]["milliseconds"]), "#999999"),
    "AttRec, known users": (attrec[::2], "#0072B2"),
    "AttRec, new users": (attrec[1::2], "#56B4E9"),
}
bins = np.linspace(0, 3 * np.median(attrec), 50)
fig, ax = plt.subplots(layout="constrained")
for name, (milliseconds, color) in times.items():
    median = np.median(milliseconds)
    label = f"{name}, median {median:.2f} ms"
    shown = np.minimum(milliseconds, bins[-1])
    ax.hist(shown, bins, color=color, alpha=0.7, label=label)
    ax.axvline(median, color=color, linestyle="--")
quick = np.mean(attrec < 1)
ax.set(title=f"{quick:.0%} of {len(attrec)} requests to AttRec take less than 1 ms")
ax.set(xlabel="Milliseconds per request, lower is better")
ax.set(ylabel="Number of requests")
ax.legend()
plt.show()

# %%
# A damaged file
# --------------
#
# One byte is changed. The checksum of the array shows it, and the file is refused.

content = bytearray(paths["AttRec"].read_bytes())
content[-1] ^= 1
paths["AttRec"].write_bytes(content)
try:
    load_model(paths["AttRec"])
except ModelFileError as error:
    print(f"{type(error).__name__}: {error}".replace(folder.name, "..."))
folder.cleanup()
