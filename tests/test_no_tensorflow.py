"""Only fit loads TensorFlow, and nothing else needs it."""

import os
import pickle
import re
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from conftest import TENSORFLOW_NAMES_THREADS
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_array_equal

from sklearn_attrec import (
    AttRecRecommender,
    ItemKNNRecommender,
    MarkovRecommender,
    PopularityRecommender,
    SASRecRecommender,
    SSEPTRecommender,
)
from sklearn_attrec.model_selection import leave_last_out_split

SETTINGS = {"d": 4, "L": 3, "max_iter": 1, "batch_size": 16, "k": 3, "random_state": 0}

TRANSFORMER = {**SETTINGS, "n_blocks": 1, "n_heads": 2, "loss": "softmax"}

# Runs before a script: imports of TensorFlow and Keras raise an error.
WITHOUT_TENSORFLOW = """
import importlib.abc
import sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run(script, *arguments, timeout=120, **environment):
    """Run a script in a fresh Python and return what it prints."""
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture
def saved(small_interactions, tmp_path):
    """Fitted models, held-out rows and answers in a file."""
    train, test = leave_last_out_split(small_interactions)
    models = [
        AttRecRecommender(**SETTINGS).fit(train),
        ItemKNNRecommender(k=3).fit(train),
        MarkovRecommender(k=3).fit(train),
        PopularityRecommender(k=3).fit(train),
        SASRecRecommender(**TRANSFORMER).fit(train),
        SSEPTRecommender(**TRANSFORMER, d_user=2).fit(train),
    ]
    answers = [model.predict([1, 2, 99]) for model in models]
    path = tmp_path / "saved.pickle"
    path.write_bytes(pickle.dumps((models, train, test, answers)))
    return path


USE = """
import pickle
import sys
import numpy as np
from sklearn_attrec import load_model, save_model
from sklearn_attrec.cli import main
from sklearn_attrec.metrics import evaluate

models, train, test, answers = pickle.load(open(sys.argv[1], "rb"))
for model, expected in zip(models, answers):
    assert np.array_equal(model.predict([1, 2, 99]), expected)
    model.predict(1, history=[10, 11])
    model.predict("new", history=[10, 11])
    model.predict(test)
    assert len(model.recommend(k=2)) == 24
    assert 0 <= model.score(test) <= 1
    model.target_ranks(test)
    assert len(model.similar_items(10, k=2)) == 2
    model.query_vectors() @ model.item_vectors().T
    evaluate(model, test)
    save_model(model, path := sys.argv[1] + ".attrec")
    assert np.array_equal(load_model(path).predict([1, 2, 99]), expected)
    recommend = ["recommend", "--model-file", path, "--users", "1", "--out"]
    assert main([*recommend, sys.argv[1] + ".csv"]) == 0
"""

LOADED = """
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print([name for name in loaded if name in ("tensorflow", "keras", "tensorboard")])
"""


def test_import_does_not_load_tensorflow():
    script = """
        import sys
        import sklearn_attrec
        import sklearn_attrec.metrics
        import sklearn_attrec.model_selection
        import sklearn_attrec.preprocessing
        import sklearn_attrec.datasets
        sklearn_attrec.AttRecRecommender(d=5)
        sklearn_attrec.SASRecRecommender(d=5)
        sklearn_attrec.SSEPTRecommender(d=5)
    """
    assert run(textwrap.dedent(script) + LOADED) == "[]\n"


def test_using_a_fitted_model_does_not_load_tensorflow(saved):
    assert run(USE + LOADED, saved) == "[]\n"


@pytest.mark.case("F20")
def test_fitted_models_work_where_tensorflow_is_missing(saved):
    fit = """
for model, expected in zip(models, answers):
    try:
        model.fit(train)
    except ImportError as error:
        print(error)
    assert np.array_equal(model.predict([1, 2, 99]), expected)
"""
    message = run(WITHOUT_TENSORFLOW + USE + fit, saved)
    lines = message.splitlines()
    assert len(lines) == 3  # the baselines fit without it
    assert all("training a network needs TensorFlow" in line for line in lines)
    assert all("pip install sklearn-attrec, or" in line for line in lines)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        ("sys.modules['keras'] = None", "Keras 3.*sklearn-attrec-core.training-cpu"),
        ("sys.modules['keras'] = ModuleType('keras')", "Keras 3.*pip install"),
        ("os.environ['KERAS_BACKEND'] = 'jax'", "'jax'.*KERAS_BACKEND=tensorflow"),
    ],
    ids=["no Keras", "Keras 2", "other backend"],
)
def test_keras_that_cannot_train_is_reported(prepare, message):
    script = f"""
        import os
        import sys
        from types import ModuleType
        {prepare}
        from sklearn_attrec.utils._tensorflow import import_tensorflow
        try:
            import_tensorflow()
        except ImportError as error:
            print(error)
    """
    assert re.search(message, run(script))


def test_errors_come_before_tensorflow():
    script = """
        import sys
        import pandas as pd
        from sklearn_attrec import (
            AttRecRecommender, SASRecRecommender, SSEPTRecommender
        )

        X = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 2, 1]})
        own = {
            AttRecRecommender: [({"omega": 2}, X), ({"loss": "hinge"}, X)],
            SASRecRecommender: [({"n_heads": 7}, X), ({"loss": "bce"}, X)],
            SSEPTRecommender: [({"sse_user": 2}, X), ({"loss": "bce"}, X)],
        }
        shared = [
            ({"d": 10**6}, X),
            ({}, X.drop(columns="item_id")),
            ({}, X.head(0)),
            ({}, X.drop_duplicates("user_id")),
            ({}, None),
            ({"early_stopping": True}, X),
        ]
        for model, cases in own.items():
            for params, data in cases + shared:
                try:
                    model(**params).fit(data)
                except (TypeError, ValueError):
                    continue
                raise SystemExit(f"{model} accepted {params}")
    """
    assert run(textwrap.dedent(script) + LOADED) == "[]\n"


@pytest.mark.case("F13")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_child_after_training():
    script = """
        import os
        import time
        import warnings
        import pandas as pd
        from sklearn_attrec import AttRecRecommender
        from sklearn_attrec.exceptions import ForkedTensorFlowError

        X = pd.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [1, 2, 3, 2, 3, 4]})
        model = AttRecRecommender(d=4, max_iter=1, batch_size=8, k=1, random_state=0)
        model.fit(X)
        expected = model.predict([1, 2]).tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, of forks among threads
            child = os.fork()
        if child == 0:
            try:
                assert model.predict([1, 2]).tolist() == expected
                start = time.perf_counter()
                try:
                    model.fit(X)
                except ForkedTensorFlowError as error:
                    print(time.perf_counter() - start < 10, error, flush=True)
                assert model.predict([1, 2]).tolist() == expected
                assert model.recommend([1, 2])["item_id"].tolist() == sum(expected, [])
                print("child predicts", flush=True)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        print("parent", model.fit(X).predict([1, 2]).tolist() == expected)
    """
    lines = run(script).splitlines()
    assert lines[0].startswith("True training began in a process forked")
    assert "spawn" in lines[0]
    assert lines[1:] == ["child predicts", "parent True"]


@pytest.mark.case("F13")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_child_before_training_may_train():
    script = """
        import os
        import pandas as pd
        from sklearn_attrec import AttRecRecommender

        X = pd.DataFrame({"user_id": [1, 1, 1, 2, 2, 2], "item_id": [1, 2, 3, 2, 3, 4]})
        child = os.fork()
        if child == 0:
            model = AttRecRecommender(d=4, max_iter=1, batch_size=8).fit(X)
            print(model.n_iter_, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    """
    assert run(script) == "1\n"


FIT = """
import os
import pickle
import sys
import joblib
models, train, test, answers = pickle.load(open(sys.argv[1], "rb"))
again = models[0].fit(train)
print(joblib.hash(again.weights_))
print(os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["TF_NUM_INTEROP_THREADS"])
"""


def test_another_process_gives_the_same_bits(saved):
    (model, *_), *_ = pickle.loads(saved.read_bytes())
    assert run(FIT, saved).split()[0] == joblib.hash(model.weights_)


@pytest.mark.case("F14")
def test_threads_are_limited_to_the_share_of_joblib(saved, monkeypatch):
    # joblib tells its workers their share through OMP_NUM_THREADS.
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    get_reusable_executor().shutdown(wait=True)  # earlier workers have another share
    read = joblib.delayed(os.getenv)("OMP_NUM_THREADS")
    shares = joblib.Parallel(n_jobs=2, backend="loky")([read] * 2)
    get_reusable_executor().shutdown(wait=True)
    assert shares == [str(max(joblib.cpu_count() // 2, 1))] * 2

    unset = {"TF_NUM_INTRAOP_THREADS": "", "TF_NUM_INTEROP_THREADS": ""}
    script = """
import os
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    del os.environ[name]
"""
    count = """
from pathlib import Path
if Path("/proc/self/task").is_dir():
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
    print(names.count("tf_Compute\\n"))
"""
    answer = run(script + FIT + count, saved, OMP_NUM_THREADS="3", **unset).split()
    assert answer[1:3] == ["3", "3"]
    if sys.platform.startswith("linux") and TENSORFLOW_NAMES_THREADS:
        assert answer[3:] == ["3"]  # threads that exist


@pytest.mark.case("F21")
def test_fit_prints_nothing(saved):
    script = """
        import os
        import pickle
        import sys
        os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
        models, train, *_ = pickle.load(open(sys.argv[1], "rb"))
        attrec, *_, sasrec, sse_pt = models
        for changed in (
            {"loss": "bce", "norm": "post"},
            {"loss": "sampled_softmax", "positions": "sinusoidal", "batch_size": 1},
        ):
            sasrec.set_params(**changed).fit(train)
        sse_pt.fit(train)
        for changed in (
            {"aggregation": "sum"},
            {"aggregation": "max"},
            {"aggregation": "min"},
            {"loss": "bpr"},
            {"alpha": 0.1},
        ):
            attrec.set_params(**changed).fit(train)
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(saved)],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_pickles_do_not_name_tensorflow(saved):
    (model, *_), *_ = pickle.loads(saved.read_bytes())
    content = pickle.dumps(model)
    assert b"tensorflow" not in content
    assert b"keras" not in content
    assert all(type(value) is np.ndarray for value in model.weights_.values())
    assert_array_equal(pickle.loads(content).predict([1, 2]), model.predict([1, 2]))
