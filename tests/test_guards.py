"""Guards are what tests take them for: without one, the test of it fails.

Each row of the table takes a guard away and runs a test that stands elsewhere in the
suite, which passes with the guard and has to fail without it.
"""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import bad_input_helpers
import numpy as np
import pytest
import test_bad_input_cases
import test_common
import test_file_faults
import test_ranking
import test_sampling
import test_sequences
import test_training

from sklearn_attrec import (
    MarkovRecommender,
    PopularityRecommender,
    _attrec,
    _base,
    _sequences,
    load_model,
)
from sklearn_attrec._base import BaseRecommender
from sklearn_attrec._network_base import BaseNetworkRecommender
from sklearn_attrec.utils import _files, _numpy_ops, _tensor_file


def ranks_for_the_target(monkeypatch):
    """Ties count for the target, as where a rank is its place in a sorted list."""

    def ranks_of(scores, targets):
        score = scores[np.arange(len(targets)), targets]
        ranks = 1.0 + (scores > score[:, None]).sum(axis=1)
        return np.where((targets < 0) | (score == -np.inf), np.inf, ranks)

    for module in (_base, test_common, test_ranking):
        monkeypatch.setattr(module, "ranks_of", ranks_of)


def unstable_sort(monkeypatch):
    """What is equal comes in any order."""

    def argsort(values, kind):
        ties = np.random.default_rng(0).permutation(len(values))
        return np.lexsort((ties, values))

    numpy = SimpleNamespace(**vars(np) | {"argsort": argsort})
    monkeypatch.setattr(_sequences, "np", numpy)


def negatives_of_all_items(monkeypatch):
    """Negatives are drawn from the catalogue, what the user touched among them."""

    def draw(ops, untouched, n_items, users, uniforms):
        return ops.cast(uniforms * n_items, "int64")

    monkeypatch.setattr(test_sampling, "draw_untouched", draw)


def windows_of_those_who_saw_everything(monkeypatch):
    """A user without any untouched item is trained all the same."""
    index = _attrec.index_untouched

    def index_untouched(sequences, n_items):
        untouched = index(sequences, n_items)
        return untouched._replace(counts=np.maximum(untouched.counts, 1))

    monkeypatch.setattr(_attrec, "index_untouched", index_untouched)


def fit_without_negatives(monkeypatch):
    """Nobody has an untouched item, and fit goes on."""
    monkeypatch.setattr(BaseNetworkRecommender, "_check_negatives", lambda *_: None)


def any_weights(monkeypatch):
    """Weights are ranked by, whatever they are."""
    monkeypatch.setattr(BaseRecommender, "_checked", lambda _, parts: parts)


def one_saw_everything(interactions):
    import tensorflow as tf

    try:
        test_training.test_a_user_who_touched_every_item_may_begin_a_padded_batch()
    except tf.errors.InvalidArgumentError as error:  # of an item beyond the catalogue
        raise AssertionError from error


def finite_weights(interactions):
    model = bad_input_helpers.attrec()
    check = test_bad_input_cases.weights_of_no_numbers("V", np.nan)
    try:
        check(model, interactions)
    except UserWarning as error:  # that nothing is left, as no item is above NaN
        raise AssertionError from error


def files_written_in_place(monkeypatch):
    """The old file is cut to nothing first, and written over, as most programs do."""

    @contextlib.contextmanager
    def replacing(path):
        with Path(path).open("wb") as file:
            yield file

    monkeypatch.setattr(_tensor_file, "replacing", replacing)


def unflushed_files(monkeypatch):
    """The new name may reach the disk before what it stands for."""
    monkeypatch.setattr(_files, "_flush", lambda file, mode: file.flush())


def unflushed_folders(monkeypatch):
    """The new name may not reach the disk at all."""
    monkeypatch.setattr(_files, "_flush_folder", lambda folder: None)


def unlocked_files(monkeypatch):
    """Who is at a file does not show it."""
    fcntl = SimpleNamespace(**vars(_files.fcntl) | {"flock": lambda *_: None})
    monkeypatch.setattr(_files, "fcntl", fcntl)


def any_data(monkeypatch):
    """Arrays are taken as they are."""
    monkeypatch.setattr(_tensor_file, "_check_hash", lambda *_: None)


def saving(test, **arguments):
    """Make of a test that saves over an old file one that takes nothing."""

    def run(interactions):
        with tempfile.TemporaryDirectory() as folder:
            old = Path(folder) / "model.attrec"
            old.write_bytes(test_file_faults.GOLDEN[0].read_bytes())
            test(load_model(test_file_faults.SMALLEST), old, **arguments)

    return run


def flushing(model, old):
    with pytest.MonkeyPatch.context() as patch:
        test_file_faults.test_what_replaces_is_on_the_disk_first(
            model, old, True, patch
        )


def flipping(model, old):
    test_file_faults.test_no_flipped_bit_is_accepted(
        old.parent, lambda ordinary, soak: ordinary, lambda name, value: None
    )


# pytest.raises fails by an exception that is no AssertionError.
FAILURES = (AssertionError, pytest.fail.Exception)


class Guard(NamedTuple):
    remove: Callable  # takes the guard away, given monkeypatch
    test: Callable  # takes `small_interactions`


GUARDS = {
    "ties, in ranks_of": Guard(
        ranks_for_the_target,
        lambda _: test_ranking.test_equal_scores_rank_each_target_last(),
    ),
    "ties, in score": Guard(
        ranks_for_the_target,
        lambda _: test_common.test_ties_count_against_the_target(
            PopularityRecommender()
        ),
    ),
    "stable sort, in encode": Guard(
        unstable_sort,
        lambda _: test_sequences.test_encode_keeps_the_order_of_many_equal_times(),
    ),
    "stable sort, in fit": Guard(
        unstable_sort,
        lambda _: test_common.test_rows_of_equal_time_keep_their_order(
            MarkovRecommender(), 4
        ),
    ),
    "untouched negatives": Guard(
        negatives_of_all_items,
        lambda _: (
            test_sampling.test_each_untouched_item_is_reached_by_its_share_of_the_uniforms(
                2, _numpy_ops
            )
        ),
    ),
    "one user who saw everything": Guard(
        windows_of_those_who_saw_everything,
        one_saw_everything,
    ),
    "all users saw everything": Guard(
        fit_without_negatives,
        lambda _: test_bad_input_cases.all_have_seen_everything(
            bad_input_helpers.attrec()
        ),
    ),
    "finite weights": Guard(
        any_weights,
        finite_weights,
    ),
    "rename, in save_model": Guard(
        files_written_in_place,
        saving(test_file_faults.test_a_reader_at_any_line_sees_a_whole_file),
    ),
    "flush of the file, in save_model": Guard(unflushed_files, saving(flushing)),
    "flush of the folder, in save_model": Guard(unflushed_folders, saving(flushing)),
    "lock, in save_model": Guard(
        unlocked_files,
        saving(test_file_faults.test_what_a_writer_is_at_is_left_alone),
    ),
    "hash, in load_model": Guard(any_data, saving(flipping)),
}


@pytest.mark.parametrize("name", GUARDS)
def test_without_its_guard_the_test_fails(name, small_interactions, monkeypatch):
    guard = GUARDS[name]
    guard.test(small_interactions)
    guard.remove(monkeypatch)
    with pytest.raises(FAILURES):
        guard.test(small_interactions)
