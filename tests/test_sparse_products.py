"""Inner products of sparse vectors, computed in two ways."""

from unittest.mock import patch

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sklearn_attrec._ranking import sparse_products as module
from sklearn_attrec._ranking.sparse_products import sparse_products


def test_both_ways_give_the_same_bits_for_one_query_and_for_many():
    random = np.random.default_rng(0)
    queries = random.standard_normal((20, 90)).astype(np.float32)
    items = random.standard_normal((70, 90)).astype(np.float32)
    queries[random.random(queries.shape) < 0.8] = 0
    items[random.random(items.shape) < 0.5] = 0
    ways = []
    for fraction in (0, np.inf):
        with patch.object(module, "FEW_PRODUCTS", fraction):
            rows = [queries, *np.split(queries, 20)]
            many, *single = (
                sparse_products(csr_array(part), csr_array(items).tocsc())
                for part in rows
            )
        assert (many.dtype, many.flags.c_contiguous) == (np.float32, True)
        ways += [many, np.concatenate(single)]
    assert_allclose(ways[0], queries @ items.T, rtol=1e-4, atol=1e-5)
    for products in ways[1:]:
        assert_array_equal(products, ways[0])
