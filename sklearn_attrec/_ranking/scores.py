"""Scores of all items for a block of queries: sums of inner products."""

import numpy as np
from scipy.sparse import issparse

from sklearn_attrec._ranking.sparse_products import sparse_products

__all__ = [
    "BLOCK_SIZE",
    "Catalogue",
    "DenseScores",
    "SparseScores",
    "largest_norm",
    "scan",
]

BLOCK_SIZE = 256  # largest number of queries scored together
# Number of scores computed at a time: few enough to stay in the cache.
CHUNK_SCORES, SPARSE_SCORES = 2**20, 2**18

# Numbers of vectors that are multiplied in double precision at once.
PAIR_NUMBERS = 2**16

# Vectors of at most so many numbers (16 MB) are joined in a copy, so that a chunk of
# scores is one matrix product.
FEW_NUMBERS = 2**22
FLOAT32 = np.finfo(np.float32)


class Catalogue:
    """The vectors of all items.

    Parameters
    ----------
    parts : sequence of ndarray or csc_array of shape (n_items, D_i), float32
        If the first part is sparse, the only other part may be popularity, one column.
    """

    def __init__(self, parts):
        self._is_sparse = issparse(parts[0])
        is_small = sum(part.size for part in parts) <= FEW_NUMBERS
        if is_small and len(parts) > 1 and not self._is_sparse:
            parts = [np.concatenate(parts, axis=1)]
        self._parts, self.n_items = parts, parts[0].shape[0]
        self._norm = None if self._is_sparse else largest_norm(parts)

    def largest_block(self, k):
        """Return how many queries may be scored together to find the k best items."""
        if not self._is_sparse:
            # Each chunk is merged with the k best so far, so it has many more items.
            return min(max(CHUNK_SCORES // (8 * max(k, 1)), 1), BLOCK_SIZE)
        # All scores of sparse vectors are computed at once, perhaps from dense copies
        # of the queries.
        return min(max(SPARSE_SCORES // max(self._parts[0].shape), 1), BLOCK_SIZE)

    def scores(self, queries):
        """Return the scores of all items for a block of queries.

        Parameters
        ----------
        queries : list of ndarray or csr_array
            The result of `vectors.query_parts`.

        Returns
        -------
        DenseScores or SparseScores
        """
        if self._is_sparse:
            return SparseScores(queries, self._parts)
        return DenseScores(*queries, self._parts, self._norm)


def scan(scores, exclusions, *rankings):
    """Add the scores of all items to rankings, chunk by chunk.

    Parameters
    ----------
    scores : DenseScores or SparseScores
        Scores of a block of n queries.
    exclusions : Exclusions
        Items that get the score −inf.
    *rankings : TopK or TargetRanks
        Their `add` is called with the first item of each chunk and the quick scores of
        its c items, an ndarray of shape (n, c), in the order of the item codes.
    """
    for start, chunk in scores.chunks():
        exclusions.apply(chunk, start)
        for ranking in rankings:
            ranking.add(start, chunk)


def largest_norm(parts):
    """Return the largest Euclidean norm of vectors, given their parts."""
    squares = sum(np.einsum("ij,ij->i", part, part, dtype=np.float64) for part in parts)
    return float(np.sqrt(squares.max()))


class DenseScores:
    """Scores of dense vectors: quick ones with a bound of their error, and exact ones.

    The exact score of a query and an item is computed in double precision, always in
    the same way. It depends on nothing else, bit for bit.

    Attributes
    ----------
    error : ndarray of shape (n,), float64
        No quick score of a query differs by more from the exact score.
    """

    def __init__(self, vectors, items, norm):
        self._items = items
        self._vectors = vectors.astype(np.float64)  # (n, D)
        n_terms = vectors.shape[1] + len(items) + 8  # with rounded limits
        largest = norm * np.sqrt(np.einsum("ij,ij->i", self._vectors, self._vectors))
        # Each of the sums of up to n_terms numbers is rounded by one part in 2²⁴, or
        # loses a number that is too small.
        self.error = n_terms * (FLOAT32.eps * largest + FLOAT32.tiny)
        # A single product, as that with popularity, is rounded alike in both ways.
        self.error[~vectors[:, :-1].any(axis=1)] = 0
        # Quick scores that could overflow are 0 instead, and all are computed exactly.
        is_large = n_terms * largest > FLOAT32.max / 4
        self.error[is_large] = np.inf
        vectors = np.where(is_large[:, None], 0, vectors)
        self._factors, stop = [], 0
        for part in items:
            start, stop = stop, stop + part.shape[1]
            if (query := vectors[:, start:stop]).any():
                self._factors.append((query, part))

    def chunks(self):
        """Yield the first item and the quick scores, (n, c), of each chunk of items."""
        n, n_items = len(self._vectors), len(self._items[0])
        size = max(CHUNK_SCORES // n, 1)
        for start in range(0, n_items, size):
            stop = min(start + size, n_items)
            scores = np.zeros((n, stop - start), np.float32)
            with np.errstate(invalid="ignore"):  # for the reason given in query_parts
                for number, (query, item) in enumerate(self._factors):
                    if number == 0:
                        np.matmul(query, item[start:stop].T, out=scores)
                    else:
                        scores += query @ item[start:stop].T
            yield start, scores

    def exact(self, rows, items):
        """Return the exact scores of pairs of a query and an item.

        Parameters
        ----------
        rows, items : ndarray of shape (m,), int

        Returns
        -------
        ndarray of shape (m,), float32
        """
        scores = np.empty(len(rows), np.float32)
        size = max(PAIR_NUMBERS // self._vectors.shape[1], 1)
        for start in range(0, len(rows), size):
            pairs = slice(start, start + size)
            queries = self._vectors.take(rows[pairs], axis=0)
            parts = [part.take(items[pairs], axis=0) for part in self._items]
            vectors = np.concatenate(parts, axis=1, dtype=np.float64)
            # einsum adds up each row in the same order; a BLAS product does not.
            products = np.einsum("ij,ij->i", queries, vectors)
            # Infinite scores would look like those of excluded items.
            scores[pairs] = products.clip(FLOAT32.min, FLOAT32.max)
        return scores


class SparseScores:
    """Scores of sparse vectors, all exact.

    `sparse_products` adds up the products of a query and an item in a fixed order, so
    the scores of a query depend on no other query, bit for bit.

    Attributes
    ----------
    error : ndarray of shape (n,), float64
        0, as no score is only quick.
    """

    def __init__(self, queries, items):
        self._scores = sparse_products(queries[0], items[0])
        for weights, column in zip(queries[1:], items[1:], strict=True):
            self._scores += weights * column.T  # popularity
        self.error = np.zeros(len(self._scores))

    def chunks(self):
        """Yield 0 and the scores of all items, (n, n_items)."""
        yield 0, self._scores

    def exact(self, rows, items):
        """Return the scores of pairs of a query and an item."""
        return self._scores[rows, items]
