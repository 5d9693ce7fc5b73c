"""DocLinkMixin: link from the HTML representation of an estimator to its docstring."""

__all__ = ["DocLinkMixin"]


class DocLinkMixin:
    """Mixin with the hooks from which scikit-learn builds the link.

    The link leads to the source file of the estimator, which contains its docstring.
    """

    _doc_link_module = "sklearn_attrec"
    _doc_link_template = (
        "https://github.com/sklearn-attrec/sklearn-attrec/blob/main/{path}.py"
    )

    def _doc_link_url_param_generator(self):
        return {"path": type(self).__module__.replace(".", "/")}
