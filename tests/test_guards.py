"""The tests of guards are effective: each fails if its guard is removed.

Each row of the table names functions that guard against an error, a replacement
without the guard, and a test of another file. The test passes with the guard and must
fail with the replacement.
"""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import bad_input_helpers
import numpy as np
import pytest
import test_bad_input_cases
import test_common
import test_file_faults
import test_negative_sampling
import test_sequences
import test_training

from sklearn_attrec import MarkovRecommender, PopularityRecommender, load_model
from sklearn_attrec._interactions import sequences
from sklearn_attrec._networks import negative_sampling, numpy_ops
from sklearn_attrec._ranking import search, vectors
from sklearn_attrec._ranking.target_ranks import TargetRanks
from sklearn_attrec.models import _attrec
from sklearn_attrec.models._network import BaseNetworkRecommender
from sklearn_attrec.utils import _atomic_file, _tensor_file

ATTREC, MARKOV = bad_input_helpers.attrec(), MarkovRecommender()


class RanksForTheTarget(TargetRanks):
    """Count ties in favour of the target."""

    def __init__(self, scores, rows, targets):
        super().__init__(scores, rows, targets)
        self._high = np.nextafter(self._high, np.float32(np.inf))
        self.ranks += 1


def unstable_argsort(values, kind):
    """Sort equal values in random order."""
    ties = np.random.default_rng(0).permutation(len(values))
    return np.lexsort((ties, values))


def draw_from_all_items(ops, untouched, n_items, users, uniforms):
    """Draw negatives from all items, also from those of the user."""
    return ops.cast(uniforms * n_items, "int64")


def at_least_one_untouched_item(interactions, n_items):
    """Let users who interacted with all items be trained."""
    untouched = negative_sampling.index_untouched(interactions, n_items)
    return untouched._replace(counts=np.maximum(untouched.counts, 1))


@contextlib.contextmanager
def write_in_place(path):
    """Truncate the old file and write over it."""
    with Path(path).open("wb") as file:
        yield file


def with_changes(module, **changes):
    """Copy a module and replace functions in the copy."""
    return SimpleNamespace(**vars(module) | changes)


def do_nothing(*_):
    pass


@contextlib.contextmanager
def as_failure(error):
    """Report an error of one type as a failure of the test."""
    try:
        yield
    except error as caught:
        raise AssertionError from caught


def one_user_with_all_items(X, folder):
    import tensorflow as tf

    with as_failure(tf.errors.InvalidArgumentError):  # an item outside the catalogue
        test_training.test_a_user_who_touched_every_item_may_begin_a_padded_batch()


def weights_that_are_not_finite(X, folder):
    test = test_bad_input_cases.weights_of_no_numbers("V", np.nan)
    with as_failure(UserWarning):  # that no item is left, because scores are NaN
        test(ATTREC, X)


def call(test, *arguments):
    return lambda X, folder: test(*arguments)


def save(test):
    """Call a test with a model to save and an older file at its path."""

    def run(X, folder):
        old = folder / "model.attrec"
        old.write_bytes(test_file_faults.OLD)
        test(load_model(test_file_faults.SMALLEST), old)

    return run


def flush(model, old):
    with pytest.MonkeyPatch.context() as patch:
        test_file_faults.test_new_file_is_on_the_disk_first(model, old, True, patch)


def flip_bits(X, folder):
    test_file_faults.test_no_flipped_bit_is_accepted(
        folder, lambda ordinary, soak: ordinary, do_nothing
    )


SORT, UNSTABLE = [(sequences, "np")], with_changes(np, argsort=unstable_argsort)

# Where the guard is, its replacement, and the test that must fail.
GUARDS = {
    "ties, in score": (
        [(search, "TargetRanks")],
        RanksForTheTarget,
        call(test_common.test_ties_count_against_the_target, PopularityRecommender()),
    ),
    "stable sort, in encode": (
        SORT,
        UNSTABLE,
        call(test_sequences.test_encode_keeps_the_order_of_many_equal_times),
    ),
    "stable sort, in fit": (
        SORT,
        UNSTABLE,
        call(test_common.test_rows_of_equal_time_keep_their_order, MARKOV, 4),
    ),
    "untouched negatives": (
        [(test_negative_sampling, "draw_untouched")],
        draw_from_all_items,
        call(
            test_negative_sampling.test_each_untouched_item_is_reached_by_its_share_of_the_uniforms,
            2,
            numpy_ops,
        ),
    ),
    "one user with all items": (
        [(_attrec, "index_untouched")],
        at_least_one_untouched_item,
        one_user_with_all_items,
    ),
    "all users with all items": (
        [(BaseNetworkRecommender, "_report_missing_negatives")],
        do_nothing,
        call(test_bad_input_cases.all_have_seen_everything, ATTREC),
    ),
    "finite weights": (
        [(vectors, "finite_parts")],
        lambda model, parts: parts,
        weights_that_are_not_finite,
    ),
    "rename, in save_model": (
        [(_tensor_file, "replacing")],
        write_in_place,
        save(test_file_faults.test_a_reader_at_any_line_sees_a_whole_file),
    ),
    "flush of the file, in save_model": (
        [(_atomic_file, "_flush")],
        lambda file, mode: file.flush(),
        save(flush),
    ),
    "flush of the folder, in save_model": (
        [(_atomic_file, "_flush_folder")],
        do_nothing,
        save(flush),
    ),
    "lock, in save_model": (
        [(_atomic_file, "fcntl")],
        with_changes(_atomic_file.fcntl, flock=do_nothing),
        save(test_file_faults.test_files_of_running_writers_are_kept),
    ),
    "hash, in load_model": ([(_tensor_file, "_check_hash")], do_nothing, flip_bits),
}


@pytest.mark.filterwarnings("ignore::sklearn_attrec.exceptions.NoHistoryWarning")
@pytest.mark.parametrize("name", GUARDS)
def test_without_its_guard_the_test_fails(
    name, small_interactions, tmp_path_factory, monkeypatch
):
    places, replacement, test = GUARDS[name]
    test(small_interactions, tmp_path_factory.mktemp("with"))
    for place in places:
        monkeypatch.setattr(*place, replacement)
    # pytest.raises fails with an exception that is not an AssertionError.
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(small_interactions, tmp_path_factory.mktemp("without"))
