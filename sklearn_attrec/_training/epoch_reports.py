"""Reports of each epoch, to scikit-learn's callbacks and on standard output."""

__all__ = ["EpochReports"]


class EpochReports:
    """Reports each epoch to scikit-learn's callbacks, and prints it if verbose.

    Parameters
    ----------
    estimator : BaseNetworkRecommender
        The estimator that is fitted.
    task : FitTask
        The task of its `fit`.
    state : dict
        The fitted attributes that training does not change.
    """

    def __init__(self, estimator, task, state):
        self.estimator = estimator
        self.task = task
        self.state = state

    def begin_epoch(self):
        """Report the start of an epoch."""
        self.epoch_task = self.task.begin_subtask("epoch")

    def end_epoch(self, run, windows_per_second):
        """Report the end of an epoch; return whether a callback stops the fit."""
        if self.estimator.verbose:
            self._print(run, windows_per_second)
        return self.epoch_task.end(
            lambda: self.state | run.attributes_with(run.weights()) | {"_cache": {}}
        )

    def _print(self, run, windows_per_second):
        progress = run.progress
        line = f"Epoch {progress.epoch}/{run.max_iter}"
        line += f"  loss {progress.loss_curve[-1]:.4f}"
        if progress.validation_scores:
            line += f"  NDCG@{self.estimator.k} {progress.validation_scores[-1]:.4f}"
        print(f"{line}  {windows_per_second:,.0f} windows/s", flush=True)
