"""scikit-learn's callbacks, or replacements that do nothing.

The replacements are used if scikit-learn is older than 1.9.

This is the only module that imports them, because they are experimental.
"""

__all__ = [
    "CallbackSupportMixin",
    "FitTask",
    "NoContext",
    "has_callbacks",
    "with_callbacks",
]


class NoContext:
    """Callback context without callbacks."""

    def subcontext(self, **kwargs):
        return self

    def call_on_fit_task_begin(self, **kwargs):
        return self

    def call_on_fit_task_end(self, **kwargs):
        return False


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replacement of scikit-learn's mixin, without callbacks."""

        def _init_callback_context(self, **kwargs):
            return NoContext()

    def with_callbacks(method):
        """Return the method unchanged."""
        return method


def has_callbacks(estimator):
    """Return whether an estimator has callbacks, its own or those of a search."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


class FitTask:
    """A task of a fit, which is reported to scikit-learn's callbacks.

    Parameters
    ----------
    context : callback context
    estimator : estimator
        The estimator that is fitted.
    X : DataFrame or array-like
        The argument of `fit`.
    y : ndarray of shape (n_rows,) or None
        The item of each row of X; None if no callback needs it.
    """

    def __init__(self, context, estimator, X, y):
        self.context = context
        self.data = {"estimator": estimator, "X": X, "y": y}

    def begin(self):
        """Report the start of the task."""
        self.context.call_on_fit_task_begin(**self.data)

    def end(self, attributes):
        """Report the end of the task; return whether a callback stops the fit.

        `attributes` are the fitted attributes that the estimator does not have yet, or
        a function that returns them. It is called only if a callback needs them.
        """
        return self.context.call_on_fit_task_end(
            **self.data, reconstruction_attributes=attributes
        )

    def begin_subtask(self, name):
        """Begin a task within this task and return it."""
        task = FitTask(self.context.subcontext(task_name=name), **self.data)
        task.begin()
        return task
