"""scikit-learn's callbacks where they exist (1.9 on), nothing where they do not.

They are experimental there, so this is the one module that names them.
"""

__all__ = ["CallbackSupportMixin", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class _NoContext:
        """Stands for a task nobody listens to."""

        def subcontext(self, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            return self

        def call_on_fit_task_end(self, **kwargs):
            return False

    class CallbackSupportMixin:
        """Callbacks need scikit-learn 1.9."""

        def _init_callback_context(self, **kwargs):
            return _NoContext()

    def with_callbacks(method):
        """Return the method unchanged."""
        return method
