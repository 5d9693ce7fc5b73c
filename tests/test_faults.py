"""Faults: threads, workers, leaks, invalid numbers, little memory, environments.

Scripts that measure their own process run in a process of their own.
"""

import copy
import hashlib
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Barrier

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import TENSORFLOW_NAMES_THREADS
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.stats import theilslopes
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_common import ESTIMATORS, fitted_state

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    save_model,
)
from sklearn_attrec._networks import attrec as attrec_network
from sklearn_attrec.datasets import make_interactions
from sklearn_attrec.exceptions import TrainingDivergedError
from sklearn_attrec.model_selection import LeaveLastOut

on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc, which only Linux has"
)


def attrec(**params):
    settings = {"d": 4, "L": 3, "max_iter": 2, "batch_size": 16, "k": 3}
    return AttRecRecommender(**{**settings, "random_state": 0, **params})


def sasrec(**params):
    settings = {"d": 4, "L": 3, "n_blocks": 1, "max_iter": 1, "batch_size": 32, "k": 3}
    return SASRecRecommender(**{**settings, "random_state": 0, **params})


def digest(model):
    parts = [model.weights_[name].tobytes() for name in sorted(model.weights_)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def run(script, *arguments, flags=(), unset=(), silent=False, **environment):
    """Run a script in a fresh Python; return the JSON it prints."""
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    answer = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        timeout=240,
        env=kept | environment,
    )
    assert answer.returncode == 0, answer.stderr.decode()
    assert not (silent and answer.stderr), answer.stderr.decode()
    return json.loads(answer.stdout)  # fails if there is anything else


@pytest.fixture
def kept(tmp_path):
    """Save objects to a file for a script, and return its path."""

    def keep(*things):
        path = tmp_path / "kept.pickle"
        path.write_bytes(pickle.dumps(things))
        return path

    return keep


# Threads ------------------------------------------------------------------------


@pytest.mark.case("F11")
@pytest.mark.parametrize(
    ("model", "n_calls"),
    [(attrec(), 500), (sasrec(), 80), (ItemKNNRecommender(k=3), 80)],
    ids=["AttRec", "SASRec", "kNN"],
)
def test_eight_threads_get_the_answers_of_one(model, n_calls):
    interactions = make_interactions(50, 30, random_state=0)
    model.fit(interactions)
    rng = np.random.default_rng(1)
    items = model.items_.tolist()
    queries = [
        (int(user), None if user % 2 else rng.choice(items, 4).tolist())
        for user in rng.integers(50, size=n_calls)
    ]
    serial = copy.deepcopy(model)  # the threads get a model with empty caches
    expected = [serial.predict(*query).tolist() for query in queries]
    together = Barrier(8)

    def answer(seed):
        order = np.random.default_rng(seed).permutation(len(queries))
        together.wait()
        answers = [model.predict(*queries[place]).tolist() for place in order]
        return [answers[place] for place in np.argsort(order)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads are switched very often
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(answer, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert answers == [expected] * 8


# Workers ------------------------------------------------------------------------


@pytest.mark.case("F14")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_are_not_forked_predict(method, small_interactions):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    model = attrec().fit(small_interactions)
    users = model.users_.tolist()
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        predicted = pool.submit(model.predict, users)
        table = pool.submit(model.recommend)
        assert_array_equal(predicted.result(), model.predict(users))
        assert_frame_equal(table.result(), model.recommend())


CLUSTER = """
    from dask.distributed import LocalCluster

    def start_cluster(folder):
        return LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit=None,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(folder),
        )
"""

DASK = """
    import json
    import os
    import pickle
    import sys
    from pathlib import Path

    import joblib
    from dask.distributed import Client

    def training_threads():
        tasks = Path("/proc/self/task").iterdir()
        return [Path(task, "comm").read_text() for task in tasks].count("tf_Compute\\n")

    def main():
        search, X = pickle.loads(Path(sys.argv[1]).read_bytes())
        with (
            start_cluster(sys.argv[2]) as cluster,
            Client(cluster) as client,
        ):
            with joblib.parallel_config("dask"):
                search.fit(X)
            threads = list(client.run(training_threads).values())
        results = {
            name: list(map(str, values))
            for name, values in search.cv_results_.items()
            if "time" not in name
        }
        print(json.dumps([results, threads]))

    main()
"""


@on_linux
@pytest.mark.case("F14")
def test_a_search_on_dask_workers_equals_one_process(kept, tmp_path):
    pytest.importorskip("distributed")
    interactions = make_interactions(30, 20, repeats=False, random_state=0)
    grid = {"omega": [0.2, 0.8], "L": [1, 3]}
    cv = LeaveLastOut(n_splits=2)
    search = GridSearchCV(attrec(), grid, cv=cv, refit=False)
    unset = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    results, threads = run(
        CLUSTER + DASK, kept(search, interactions), tmp_path, unset=unset
    )
    search.fit(interactions)
    expected = {
        name: list(map(str, values))
        for name, values in search.cv_results_.items()
        if "time" not in name
    }
    assert results == expected
    if TENSORFLOW_NAMES_THREADS:
        assert threads == [1, 1]  # of two workers with a thread each


KILLED_WORKER = """
    import json
    import os
    import signal
    import sys
    from pathlib import Path

    import dask.dataframe as dd
    import pandas as pd
    from dask.distributed import Client
    from sklearn_attrec import distributed

    def kill_worker_once(partition, marker):
        if 25 in partition["user_id"].to_numpy() and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return partition

    def main():
        path, folder = sys.argv[1], Path(sys.argv[2])
        users = dd.from_pandas(pd.DataFrame({"user_id": range(50)}), npartitions=10)
        users = users.map_partitions(kill_worker_once, folder / "killed")
        with (
            start_cluster(folder) as cluster,
            Client(cluster) as client,
        ):
            table = distributed.recommend(path, users).compute()
            loaded = client.run(lambda: "tensorflow" in sys.modules)
        assert (folder / "killed").exists()
        print(json.dumps([table.to_numpy().tolist(), list(loaded.values())]))

    main()
"""


@on_linux
@pytest.mark.case("F25")
def test_a_killed_worker_leaves_each_user_answered_once(tmp_path):
    pytest.importorskip("dask.dataframe")
    model = attrec().fit(make_interactions(50, 20, random_state=0))
    save_model(model, tmp_path / "model.attrec")
    found, loaded = run(CLUSTER + KILLED_WORKER, tmp_path / "model.attrec", tmp_path)
    assert found == model.recommend(range(50)).to_numpy().tolist()
    assert loaded
    assert not any(loaded)


# Leaks --------------------------------------------------------------------------

REPEATED_FITS = """
    import gc
    import json
    import os
    import sys
    from pathlib import Path

    import numpy as np
    from sklearn_attrec import AttRecRecommender, SASRecRecommender
    from sklearn_attrec._training import trainer
    from sklearn_attrec.datasets import make_interactions

    gc.freeze()  # objects of the imports need not be searched after each fit
    models = {
        "hinge": AttRecRecommender(max_iter=1, loss="hinge"),
        "softmax": AttRecRecommender(max_iter=1, loss="softmax"),
        "transformer": SASRecRecommender(max_iter=1, n_blocks=1),
    }
    models = [models[name] for name in sys.argv[3:]]
    pages, fds, threads = [], [], []
    for fit in range(int(sys.argv[1])):
        size = np.random.default_rng(fit % int(sys.argv[2]))
        n_users, n_items = map(int, size.integers(20, 60, 2))
        interactions = make_interactions(
            n_users, n_items, n_per_user=9, random_state=fit
        )
        model = models[fit % len(models)].set_params(
            d=int(size.integers(2, 9)),
            L=int(size.integers(2, 9)),
            batch_size=int(size.integers(16, 200)),
            learning_rate=float(size.random() / 100),
            random_state=fit,
        )
        model.fit(interactions).recommend()
        gc.collect()
        pages.append(int(Path("/proc/self/statm").read_text().split()[1]))
        fds.append(len(os.listdir("/proc/self/fd")))
        threads.append(len(os.listdir("/proc/self/task")))
    n_traces = trainer._run_steps.experimental_get_tracing_count()
    print(json.dumps([pages, fds, threads, n_traces]))
"""


@on_linux
@pytest.mark.case("F15")
@pytest.mark.parametrize(
    ("one_dnn", "sizes", "kinds"),
    [("0", "new", ["hinge", "transformer"]), ("1", "recurring", ["softmax"])],
)
def test_repeated_fits_leave_nothing_behind(
    one_dnn, sizes, kinds, times, record_property
):
    # oneDNN, which TensorFlow uses, caches a program for each of the last 1,024 shapes
    # of matrix products: some 100 MB in all, and not a leak. Without it sizes may be
    # new in every fit; with it they recur.
    n_fits = times(60, 500)
    n_sizes = n_fits if sizes == "new" else 4
    pages, fds, threads, n_traces = run(
        REPEATED_FITS, n_fits, n_sizes, *kinds, TF_ENABLE_ONEDNN_OPTS=one_dnn
    )
    kilobytes = np.array(pages[10:]) * os.sysconf("SC_PAGE_SIZE") / 1e3
    # The median of all slopes, which single large releases of memory do not change.
    growth = float(theilslopes(kilobytes)[0])
    record_property(
        f"Memory left per fit in one process, kB, with {sizes} data sizes",
        round(growth, 1),
    )
    assert growth <= 50
    assert len(set(fds[10:])) == len(set(threads[10:])) == 1
    assert n_traces == len(kinds)  # one per kind of network and loss


# Numbers that are not finite ------------------------------------------------------


def with_invalid_number(where, value, step):
    """AttRec's loss, in which a number is not finite at one step of training."""
    import tensorflow as tf

    batch_loss = attrec_network.batch_loss

    def add_to_gradient(weight, number):
        @tf.custom_gradient
        def same(weight):
            return tf.identity(weight), lambda upstream: upstream + number

        return same(weight)

    def invalid_loss(ops, random, weights, settings, data, windows):
        number = tf.where(random._step == step, value, 0.0)
        if where == "weight":
            weights["W_Q"].assign_add(tf.fill(tf.shape(weights["W_Q"]), number))
        if where == "gradient":
            weights = weights | {"W_Q": add_to_gradient(weights["W_Q"], number)}
        losses = batch_loss(ops, random, weights, settings, data, windows)
        return losses + number if where == "loss" else losses

    return invalid_loss


@pytest.mark.case("F17")
@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
@pytest.mark.parametrize("where", ["weight", "gradient", "loss"])
def test_a_number_that_is_not_finite_ends_training(
    where, value, small_interactions, monkeypatch
):
    model = attrec(max_iter=3, loss="hinge").fit(small_interactions)
    before, answers = digest(model), model.recommend()
    # 60 windows in batches of 16 are 4 steps: the sixth belongs to the second epoch.
    with monkeypatch.context() as patched:
        loss = with_invalid_number(where, value, step=6)
        patched.setattr(attrec_network, "batch_loss", loss)
        message = (
            r"AttRecRecommender.fit: .* epoch 2\b.*step [2-8]\b.*loss \S+.*"
            r"learning_rate=0\.003"
        )
        fresh = clone(model)
        for each in (model, fresh):
            with pytest.raises(TrainingDivergedError, match=message):
                each.fit(small_interactions.replace({"user_id": {1: 101}}))
    assert not fitted_state(fresh)
    assert digest(model) == before
    assert_frame_equal(model.recommend(), answers, check_exact=True)
    assert digest(model.fit(small_interactions)) == before


# Out of memory ------------------------------------------------------------------

IN_LITTLE_MEMORY = """
    import json
    import pickle
    import resource
    import sys
    from pathlib import Path

    import numpy as np

    models = pickle.loads(Path(sys.argv[1]).read_bytes())
    for model in models:
        model.recommend(model.users_[:1].tolist())  # loads and caches what it needs
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        np.empty((len(models[0].users_), len(models[0].items_)), np.float32)
        refused = False
    except MemoryError:
        refused = True
    print(json.dumps([refused, [len(model.recommend()) for model in models]]))
"""


@on_linux
@pytest.mark.case("F18")
def test_recommending_to_many_users_needs_little_memory(kept):
    # Scores of all users for all items would be 200 MB; 64 MB are left.
    n_users, n_items = 10_000, 5_000
    rows = np.arange(2 * n_users)
    frame = pd.DataFrame({"user_id": rows % n_users, "item_id": rows * 7 % n_items})
    models = [
        attrec(max_iter=1, batch_size=8_192).fit(frame),
        ItemKNNRecommender(k=3).fit(frame),
        PopularityRecommender(k=3).fit(frame),
    ]
    refused, n_rows = run(
        IN_LITTLE_MEMORY, kept(*models), 64 * 2**20, OMP_NUM_THREADS="1"
    )
    assert refused  # the limit is one
    assert n_rows == [3 * n_users] * 3


@pytest.mark.case("F19")
@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
def test_out_of_memory_in_fit_leaves_the_earlier_fit(
    model, small_interactions, monkeypatch
):
    model = clone(model).fit(small_interactions)
    before, answers = joblib.hash(fitted_state(model)), model.recommend()
    cls, fresh = type(model), clone(model)
    learn = cls._learn

    def learn_and_run_out(self, *args):
        learn(self, *args)
        raise MemoryError("Unable to allocate 1.00 TiB")

    with monkeypatch.context() as patched:
        patched.setattr(cls, "_learn", learn_and_run_out)
        for each in (model, fresh):
            with pytest.raises(MemoryError, match="1.00 TiB"):
                each.fit(small_interactions.replace({"user_id": {1: 101}}))
    assert not fitted_state(fresh)
    assert joblib.hash(fitted_state(model)) == before
    assert_frame_equal(model.recommend(), answers, check_exact=True)
    expected = fresh.fit(small_interactions).recommend()
    assert_frame_equal(expected, answers, check_exact=True)


@pytest.mark.case("F19")
def test_out_of_memory_in_training_names_the_remedy(small_interactions, monkeypatch):
    plan_training = AttRecRecommender._training_plan

    def run_out_later(self, *args):
        plan, drawn = plan_training(self, *args), []

        def draw_windows(random):
            drawn.append(plan.draw_windows(random))
            if len(drawn) == 2:
                raise MemoryError
            return drawn[0]

        return plan._replace(draw_windows=draw_windows)

    monkeypatch.setattr(AttRecRecommender, "_training_plan", run_out_later)
    model = attrec()
    message = "AttRecRecommender.fit: .*memory.*epoch 2.*batch_size"
    with pytest.raises(MemoryError, match=message):
        model.fit(small_interactions)
    assert not fitted_state(model)


# Environments -------------------------------------------------------------------

ANYWHERE = """
    import hashlib
    import itertools
    import json
    import pickle
    import sys
    import time
    from pathlib import Path

    clock = itertools.count(2_000_000_000, -1_000)
    time.time = lambda: next(clock)  # goes backwards
    models, X = pickle.loads(Path(sys.argv[1]).read_bytes())
    found = []
    for model in models:
        model.fit(X)
        state = vars(model) if not hasattr(model, "weights_") else model.weights_
        table = model.recommend(k=20)
        found.append(
            {
                "state": hashlib.sha256(pickle.dumps(state)).hexdigest(),
                "items": table["item_id"].tolist(),
                "scores": table["score"].tolist(),
            }
        )
    print(json.dumps(found))
"""

# Flags and variables. In the Turkish locale "I" is not the capital of "i"; where it is
# not installed, C takes its place.
ENVIRONMENTS = [
    (
        ["-W", "error"],
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        | {"PYTHONHASHSEED": "0", "TZ": "Pacific/Kiritimati"},
    ),
    (
        [],
        {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1", "TZ": "America/St_Johns"},
    ),
    (["-O"], {"PYTHONHASHSEED": "random", "TZ": "UTC"}),
]


@pytest.mark.case("F21", "F22")
def test_environments_change_no_bits_and_nothing_is_printed(kept):
    interactions = make_interactions(30, 20, random_state=0)
    # Ids that depend on the locale when they are sorted, lowered or written.
    names = np.array(["İ", "i", "ı", "I", "ß", "SS", "é", "e\u0301", "\U0001f600", "z"])
    codes = interactions["item_id"].to_numpy()
    interactions["item_id"] = np.char.add(names[codes % 10], (codes // 10).astype(str))
    baselines = [MarkovRecommender(k=3), ItemKNNRecommender(k=3)]
    first, second, third = (
        run(
            ANYWHERE,
            kept(models, interactions),
            flags=flags,
            unset=["TF_CPP_MIN_LOG_LEVEL"],
            silent=True,
            CUDA_VISIBLE_DEVICES="-1",
            **environment,
        )
        for models, (flags, environment) in zip(
            [[*baselines, attrec()], [*baselines, attrec()], baselines],
            ENVIRONMENTS,
            strict=True,
        )
    )
    assert first == second
    assert first[: len(third)] == third
    here = attrec().fit(interactions).recommend(k=20)  # on a GPU, if there is any
    assert_allclose(first[-1]["scores"], here["score"], rtol=1e-3, atol=1e-4)
