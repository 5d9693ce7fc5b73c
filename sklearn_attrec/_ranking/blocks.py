"""Blocks of queries that are ranked together, on several threads."""

from concurrent.futures import ThreadPoolExecutor

from sklearn_attrec.utils._blas_threads import n_blas_threads, one_blas_thread

__all__ = ["map_blocks"]

# Below these numbers of queries and scores, a block is not worth a thread.
FEW_QUERIES, FEW_SCORES = 16, 2**18


def map_blocks(rank, n, catalogue, k):
    """Call a function with each block of n queries.

    Several threads, each with matrix products of its own, are faster than one thread
    whose products are divided by BLAS: all other work is divided, too, and no thread
    waits for another one if the machine is busy. There are as many threads as BLAS may
    use, so limits set with threadpoolctl or joblib apply.

    Parameters
    ----------
    rank : callable
        Called with a slice of the queries.
    n : int
        Number of queries.
    catalogue : Catalogue
    k : int
        Number of best items to find; 0 for none.
    """
    n_threads = n_blas_threads()
    size = max(-(-n // n_threads), FEW_QUERIES, FEW_SCORES // catalogue.n_items)
    size = min(size, catalogue.largest_block(k))
    blocks = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    with one_blas_thread():
        if n_threads == 1 or len(blocks) == 1:
            for block in blocks:
                rank(block)
            return
        with ThreadPoolExecutor(n_threads) as threads:
            try:
                ranked = threads.map(rank, blocks)
            except RuntimeError:  # while Python ends, no thread can be started
                ranked = map(rank, blocks)
            for _ in ranked:
                pass  # raises the error of a block
