"""Items that are excluded from the ranking of a block of queries."""

from typing import NamedTuple

import numpy as np

__all__ = ["Exclusions", "Pairs"]


class Pairs(NamedTuple):
    """Pairs of a query of a block and an item."""

    rows: np.ndarray  # (m,) positions in the block
    items: np.ndarray  # (m,) item codes; −1 is no item

    @classmethod
    def of_sequences(cls, sequences):
        """Return the pairs of each sequence and its items."""
        lengths = np.diff(sequences.indptr)
        return cls(np.repeat(np.arange(len(lengths)), lengths), sequences.items)

    def contain(self, rows, items):
        """Return which of other pairs are among these, (m,) bool."""
        # No catalogue has 2³² items.
        own, others = (self.rows << 32) + self.items, (rows << 32) + items
        return np.isin(others, own)

    def places(self, scores, start):
        """Return the rows and columns of the pairs in the scores of a chunk."""
        columns = self.items - start
        is_inside = (columns >= 0) & (columns < scores.shape[1])
        return self.rows[is_inside], columns[is_inside]


class Exclusions(NamedTuple):
    """Items that are excluded from the ranking of a block of queries."""

    for_all: np.ndarray | None = None  # (n_items,) bool, excluded for all queries
    candidates: Pairs | None = None  # all other items are excluded
    per_query: tuple[Pairs, ...] = ()

    def with_items_of(self, sequences):
        """Return these exclusions and the items of one sequence per query."""
        pairs = Pairs.of_sequences(sequences)
        return self._replace(per_query=(*self.per_query, pairs))

    def contain(self, rows, items):
        """Return whether pairs of a query and an item are excluded, (m,) bool.

        There must be no `candidates`.

        Parameters
        ----------
        rows, items : ndarray of shape (m,), int
            Positions in the block, and item codes.
        """
        excluded = np.zeros(len(rows), dtype=bool)
        if self.for_all is not None:
            excluded |= self.for_all[items]
        for pairs in self.per_query:
            excluded |= pairs.contain(rows, items)
        return excluded

    def apply(self, scores, start):
        """Set the scores of excluded items of a chunk to −inf, in place.

        Parameters
        ----------
        scores : ndarray of shape (n, c)
        start : int
            The first item of the chunk.
        """
        if self.for_all is not None:
            scores[:, self.for_all[start : start + scores.shape[1]]] = -np.inf
        if self.candidates is not None:
            places = self.candidates.places(scores, start)
            kept = scores[places]
            scores[:] = -np.inf
            scores[places] = kept
        for pairs in self.per_query:
            scores[pairs.places(scores, start)] = -np.inf
