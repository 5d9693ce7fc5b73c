"""Buckets of the time between two interactions, for learned biases of attention.

As in HSTU (Zhai et al. 2024, arXiv:2402.17152), buckets are logarithmic.
"""

__all__ = ["N_BUCKETS", "bucket", "time_buckets"]

# Two buckets per octave, up to 2⁶⁴.
N_BUCKETS = 128
LARGEST_SPAN = 2.0**63


def time_buckets(ops, references, times):
    """Return the bucket of each time span, int32.

    Parameters
    ----------
    ops : module
        `keras_ops.ops` or `numpy_ops`.
    references : tensor of shape (n, m), float64
    times : tensor of shape (n, W), float64

    Returns
    -------
    tensor of shape (n, m, W)
    """
    return bucket(ops, ops.maximum(references[:, :, None] - times[:, None, :], 0.0))


def bucket(ops, spans):
    """Return the bucket of each time span of at least 0 seconds, int32."""
    spans = ops.cast(ops.minimum(spans + 1.0, LARGEST_SPAN), "float32")
    # The exponent of a number and the first bit of its fraction. For 1.0 these bits are
    # 254, so that a span of 0 has bucket 0.
    return ops.high_bits(spans, 22) - 254
