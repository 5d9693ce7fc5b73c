"""Buckets of time spans."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_attrec._interactions.times import in_seconds
from sklearn_attrec._networks import numpy_ops
from sklearn_attrec._networks.time_buckets import N_BUCKETS, bucket, time_buckets


def training_ops():
    from sklearn_attrec._networks import keras_ops  # imports TensorFlow

    return keras_ops.ops


def reference_bucket(span):
    """Two buckets per doubling of 1 + span."""
    octave = math.floor(math.log2(1 + span))
    return 2 * octave + (1 + span >= 1.5 * 2**octave)


@given(st.lists(st.integers(0, 2**20) | st.floats(0, 1e18), min_size=1))
def test_two_buckets_per_doubling(spans):
    # float32 has 24 bits: larger integers may be rounded up to the next bucket.
    spans = [float(np.float32(1 + span)) - 1 for span in spans]
    spans = [span for span in spans if float(np.float32(1 + span)) - 1 == span]
    expected = [reference_bucket(span) for span in spans]
    found = bucket(numpy_ops, np.array(spans, dtype=np.float64))
    assert found.tolist() == expected
    assert_array_equal(bucket(training_ops(), np.array(spans)), found)
    assert max(expected, default=0) < N_BUCKETS


def test_all_long_spans_have_the_same_bucket():
    spans = np.array([2.0**63, 2.0**64, 1e300])
    for ops in (numpy_ops, training_ops()):
        assert np.unique(bucket(ops, spans)).tolist() == [N_BUCKETS - 2]


def test_a_span_is_the_time_since_an_item_and_never_negative():
    times = np.array([[10.0, 13.0, 19.0]])
    found = time_buckets(numpy_ops, np.array([[12.0, 19.0]]), times)
    spans = [[[2, 0, 0], [9, 6, 0]]]
    assert_array_equal(found, np.vectorize(reference_bucket)(spans))


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "ns", "10us"])
def test_dates_are_converted_to_seconds(unit):
    days = np.array(["1969-12-31", "1970-01-01", "2038-01-20"], f"datetime64[{unit}]")
    assert in_seconds(days).tolist() == [-86400, 0, 24856 * 86400]


@pytest.mark.parametrize("unit", ["Y", "M"])
def test_months_and_years_are_converted_to_the_seconds_of_their_first_day(unit):
    years = np.array(["1969-01", "1970-01", "1972-01"], f"datetime64[{unit}]")
    assert in_seconds(years).tolist() == [-365 * 86400, 0, 2 * 365 * 86400]


def test_the_gradient_of_a_look_up_is_a_sum_by_place():
    import tensorflow as tf

    ops, table = training_ops(), tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        found = ops.lookup(table, tf.constant([[2, 0], [2, 2]]))
        total = tf.reduce_sum(found * tf.constant([[1.0, 10.0], [100.0, 1000.0]]))
    assert found.numpy().tolist() == [[3, 1], [3, 3]]
    assert tape.gradient(total, table).numpy().tolist() == [10, 0, 1101]


MANY_GRADIENTS = """
import numpy as np
import tensorflow as tf
from sklearn_attrec._networks import keras_ops

random = np.random.default_rng(0)
codes = tf.constant(random.integers(128, size=(8, 200, 200), dtype=np.int32))
factors = tf.constant(random.standard_normal(codes.shape), tf.float32)
table, found = tf.Variable(tf.zeros(128)), set()
for _ in range(50):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(keras_ops.ops.lookup(table, codes) * factors)
    found.add(tape.gradient(total, table).numpy().tobytes())
print(len(found))
"""


def test_the_gradient_of_a_look_up_does_not_depend_on_the_threads():
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": "2"}
    command = [sys.executable, "-c", MANY_GRADIENTS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split()[-1:] == ["1"], done.stderr


def test_a_look_up_of_nothing_has_no_gradient():
    import tensorflow as tf

    table = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(training_ops().lookup(table, tf.zeros((0, 3), tf.int32)))
    assert tape.gradient(total, table).numpy().tolist() == [0, 0]
