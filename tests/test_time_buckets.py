"""Buckets of time spans."""

import math

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


def test_a_span_is_the_time_since_an_item_and_never_negative():
    times = np.array([[10.0, 13.0, 19.0]])
    found = time_buckets(numpy_ops, np.array([[12.0, 19.0]]), times)
    spans = [[[2, 0, 0], [9, 6, 0]]]
    assert_array_equal(found, np.vectorize(reference_bucket)(spans))


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "ns", "10us"])
def test_dates_are_converted_to_seconds(unit):
    days = np.array(["1969-12-31", "1970-01-01", "2038-01-20"], f"datetime64[{unit}]")
    assert in_seconds(days).tolist() == [-86400, 0, 24856 * 86400]


def test_the_gradient_of_a_look_up_is_a_sum_by_place():
    import tensorflow as tf

    ops, table = training_ops(), tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        found = ops.lookup(table, tf.constant([[2, 0], [2, 2]]))
        total = tf.reduce_sum(found * tf.constant([[1.0, 10.0], [100.0, 1000.0]]))
    assert found.numpy().tolist() == [[3, 1], [3, 3]]
    assert tape.gradient(total, table).numpy().tolist() == [10, 0, 1101]
