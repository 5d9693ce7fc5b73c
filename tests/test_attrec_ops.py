"""AttRec's operations equal their plain formulas, and so do their gradients."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_attrec._networks import numpy_ops

N, D, L, BATCH = 6, 4, 3, 8


def arrays():
    random = np.random.default_rng(0)
    shapes = {
        "rows": (N, D),
        "signal": (L, D),
        "projection": (D, D),
        "vectors": (BATCH, D),
        "factors": (BATCH, L),
        "bias": (N,),
    }
    made = {k: random.standard_normal(s).astype("f4") for k, s in shapes.items()}
    made["codes"] = random.integers(N - 1, size=(BATCH, L))  # the last row is unused
    made["keep"] = random.integers(2, size=(BATCH, L, D)).astype("f4")
    made["excluded"] = random.random((BATCH, N)) < 0.3
    return made


def plain_logsumexp(tf, queries, keys, bias, excluded):
    scores = queries @ tf.transpose(keys) + bias
    return tf.reduce_logsumexp(tf.where(excluded, -np.inf, scores), axis=1)


# Operation: names of its arguments, and the formula in TensorFlow.
OPERATIONS = {
    "project_rows": (
        ["rows", "codes", "signal", "projection"],
        lambda tf, x, codes, s, W: tf.nn.relu((tf.gather(x, codes) + s) @ W),
    ),
    "project_rows, dropout": (
        ["rows", "codes", "signal", "projection", "keep"],
        lambda tf, x, codes, s, W, k: tf.nn.relu((tf.gather(x, codes) + s) @ W) * k,
    ),
    "weighted_rows": (
        ["factors", "rows", "codes"],
        lambda tf, a, x, codes: tf.einsum("bl,bld->bd", a, tf.gather(x, codes)),
    ),
    "products_with_rows": (
        ["vectors", "rows", "codes"],
        lambda tf, v, x, codes: tf.einsum("bd,bld->bl", v, tf.gather(x, codes)),
    ),
    "logsumexp_products": (
        ["vectors", "rows", "bias", "excluded"],
        plain_logsumexp,
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients_equal_the_formula(name):
    import tensorflow as tf

    from sklearn_attrec._networks.keras_ops import ops

    names, formula = OPERATIONS[name]
    made = arrays()
    name = name.partition(",")[0]
    learned = {"rows", "projection", "vectors", "factors", "bias"}
    variables = {k: tf.Variable(made[k]) for k in dict.fromkeys(names) if k in learned}
    arguments = [variables.get(k, tf.constant(made[k])) for k in names]

    def differentiate(function):
        with tf.GradientTape() as tape:
            # Half of the upstream gradients are 0, as with a hinge loss.
            total = tf.reduce_sum(tf.nn.relu(value := function(*arguments)) ** 2)
        gradients = tape.gradient(total, list(variables.values()))
        return value, *map(tf.convert_to_tensor, gradients)

    found = differentiate(getattr(ops, name))
    expected = differentiate(lambda *given: formula(tf, *given))
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    by_numpy = getattr(numpy_ops, name)(*(made[k] for k in names))
    assert_allclose(by_numpy, expected[0], rtol=1e-4, atol=1e-5)


def test_unique():
    from sklearn_attrec._networks.keras_ops import ops

    values = np.array([[7, 3, 7], [0, 3, 9]])
    for distinct, codes in (numpy_ops.unique(values), ops.unique(values)):
        assert sorted(np.asarray(distinct)) == [0, 3, 7, 9]
        assert (np.asarray(distinct)[np.asarray(codes)] == values).all()
