"""House rules: imports, public names, docstrings, annotations, safe code."""

import ast
import configparser
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate
from sklearn.base import BaseEstimator

from sklearn_attrec import __version__
from sklearn_attrec.metrics._scorers import (
    _METRICS,
    make_multi_ranking_scorer,
    make_ranking_scorer,
)
from sklearn_attrec.models import RECOMMENDERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_attrec"
SUBMODULES = [
    "datasets",
    "distributed",
    "exceptions",
    "inspection",
    "metrics",
    "model_selection",
    "persistence",
    "preprocessing",
]

# Modules import from their own directory and from lower levels only.
LEVELS = [
    ["exceptions"],
    ["utils"],
    ["_interactions", "_networks"],
    ["datasets", "metrics", "model_selection", "preprocessing"],
    ["_ranking", "_training", "inspection"],
    ["models"],
    ["persistence"],
    ["cli", "distributed"],
    ["", "__main__"],  # __init__.py
]
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}

# The modules that import TensorFlow when they are imported, which only training does.
TENSORFLOW = {"tensorflow", "keras"}
LOADERS = {
    "sklearn_attrec._networks.attrec_ops",
    "sklearn_attrec._networks.keras_ops",
    "sklearn_attrec._training.batch_random",
    "sklearn_attrec._training.trainer",
}

UNSAFE_NAMES = {"eval", "exec", "compile", "__import__"}
UNSAFE_MODULES = {"marshal", "shelve", "dill", "cloudpickle"}
UNSAFE_CALLS = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "joblib.load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "os.system",
    "os.popen",
}
UNSAFE_METHODS = {(".", "load_model")}  # of Keras; our own is called by its name
UNSAFE_ARGUMENTS = {"shell", "allow_pickle"}


def module_name(path):
    """Turn a file of the package into the dotted name that imports it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}
each_module = pytest.mark.parametrize("module", MODULES)


def directory_of(module):
    """Return the directory of a module, such as 'datasets'; '' for the package."""
    return (module.split(".") + [""])[1]


def is_public(module):
    return not any(part.startswith("_") for part in module.split("."))


def targets(node, module):
    """Return the dotted names that one import statement loads."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = module.split(".")
        if MODULES[module].name != "__init__.py":
            package.pop()
        package = package[: len(package) + 1 - node.level]
        base = ".".join([*package, *base.split(".")]).rstrip(".")
    names = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name in MODULES else base for name in names]


def imports(module, tree=None, inside_function=False):
    """Yield (dotted name, whether only a call loads it) for each import."""
    for node in ast.iter_child_nodes(tree or TREES[module]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for target in targets(node, module):
                yield target, inside_function
        else:
            is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from imports(module, node, inside_function or is_function)


# -- Imports -----------------------------------------------------------------------


@each_module
def test_imports_go_down_only(module):
    here = directory_of(module)
    wrong = []
    for target, _ in imports(module):
        there = directory_of(target)
        if target.split(".")[0] != "sklearn_attrec" or here == there:
            continue
        if LEVEL_OF[there] >= LEVEL_OF[here]:
            wrong.append(target)
    assert not wrong, f"{module} may not import {wrong}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - LOADERS))
def test_only_calls_load_tensorflow(module):
    names = [target for target, in_function in imports(module) if not in_function]
    assert not LOADERS & set(names)
    assert not {name.split(".")[0] for name in names} & TENSORFLOW


def test_import_does_not_load_heavy_packages():
    names = [name for name in MODULES if is_public(name)]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(*{'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr


# -- Public names and docstrings --------------------------------------------------


@pytest.mark.parametrize("module", [name for name in MODULES if is_public(name)])
def test_public_names_are_in_all(module):
    """Only what a module defines counts, and in an __init__ what it gathers.

    That __all__ is sorted and names nothing that is missing, ruff sees to.
    """
    public = set()
    for node in TREES[module].body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            public.add(node.name)
        elif isinstance(node, ast.Assign):
            public |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and MODULES[module].stem == "__init__":
            ours = any(t.startswith("sklearn_attrec") for t in targets(node, module))
            public |= {alias.asname or alias.name for alias in node.names if ours}
    public = {name for name in public if not name.startswith("_")}
    listed = getattr(importlib.import_module(module), "__all__", [])
    assert public <= set(listed)


def public_objects():
    """Map the dotted name of each public class, method and function to the object."""
    found = {}
    for module in ["sklearn_attrec", *(f"sklearn_attrec.{s}" for s in SUBMODULES)]:
        if module not in MODULES:
            continue
        imported = importlib.import_module(module)
        for name in getattr(imported, "__all__", []):
            value = getattr(imported, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
            if inspect.isclass(value):
                found |= public_methods(value)
    return dict(sorted(found.items()))


def public_methods(cls):
    """Find the methods and properties the package itself wrote, where it wrote them."""
    found = {}
    for owner in cls.__mro__:
        if not owner.__module__.startswith("sklearn_attrec"):
            continue
        for name, value in vars(owner).items():
            written = inspect.isroutine(value) or isinstance(value, property)
            ours = getattr(value, "__module__", owner.__module__) == owner.__module__
            if written and ours and not name.startswith("_"):
                found[f"{owner.__module__}.{owner.__qualname__}.{name}"] = value
    return found


PUBLIC = public_objects()
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CHECKS = CONFIGURATION["tool"]["numpydoc_validation"]["checks"]


def test_reference_lists_every_public_name():
    listed = re.findall(r"^   (\w+)$", REFERENCE, re.MULTILINE)
    modules = ["sklearn_attrec", *map("sklearn_attrec.{}".format, SUBMODULES)]
    public = {name for m in modules for name in importlib.import_module(m).__all__}
    assert sorted(listed) == sorted(public)


def test_documentation_lists_every_model_metric_and_example():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"| number of models | {len(RECOMMENDERS)} |" in readme
    for scorer in (make_ranking_scorer, make_multi_ranking_scorer):
        named = {name for name in _METRICS if f"'{name}'" in scorer.__doc__}
        assert named == set(_METRICS)
    configuration = (ROOT / "docs" / "conf.py").read_text("utf-8")
    gallery = re.search(
        r"^GALLERY = (\[.*?\])", configuration, re.DOTALL | re.MULTILINE
    )
    examples = {path.name for path in ROOT.glob("examples/[!_]*.py")}
    assert set(ast.literal_eval(gallery[1])) == examples, "add it to GALLERY"


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_numpydoc(name):
    ignored = set(CHECKS)
    value = PUBLIC[name]
    is_class = inspect.isclass(value)
    if name.rpartition(".")[0] not in MODULES:
        ignored.add("EX01")  # the class's example shows its methods
    if is_class and issubclass(value, (Exception, Warning)):
        ignored |= {"EX01", "PR01"}  # nobody but the package makes one
    errors = [error for error in validate(name)["errors"] if error[0] not in ignored]
    assert not errors


ESTIMATORS = [
    value
    for value in PUBLIC.values()
    if inspect.isclass(value) and issubclass(value, BaseEstimator)
]
ADDRESS = "https://github.com/sklearn-attrec/sklearn-attrec/blob/main/"


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_html_representation_links_to_the_docstring(cls):
    (path,) = set(re.findall(rf'href="{ADDRESS}([^"#]+)', cls()._repr_html_()))
    assert f"class {cls.__name__}(" in (ROOT / path).read_text("utf-8")


# Parameters and attributes whose text depends on the model.
OWN_TEXT = {"L", "d", "loss", "n_heads", "n_negatives", "weights_"}


def test_shared_docstrings_are_equal():
    """Entries that several recommenders share differ in their defaults at most."""
    texts = {}
    for cls in RECOMMENDERS.values():
        doc = ClassDoc(cls)
        for entry in doc["Parameters"] + doc["Attributes"]:
            kind = re.sub(r"default=.*", "", entry.type)
            texts.setdefault(entry.name, set()).add((kind, "\n".join(entry.desc)))
    different = {name for name, found in texts.items() if len(found) > 1}
    assert different <= OWN_TEXT


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_each_parameter_is_checked_and_documented_with_its_default(name):
    cls = RECOMMENDERS[name]
    parameters = cls().get_params()
    assert parameters.keys() == cls._parameter_constraints.keys()
    assert len(parameters) <= 26
    documented = {entry.name: entry.type for entry in ClassDoc(cls)["Parameters"]}
    assert list(documented) == list(inspect.signature(cls).parameters)
    for parameter, value in parameters.items():
        default = documented[parameter].partition("default=")[2]
        assert ast.literal_eval(default) == value, parameter


SIGNATURES = {
    name: vars(value).get("__init__") if inspect.isclass(value) else value
    for name, value in PUBLIC.items()
}


@pytest.mark.parametrize("name", [n for n, f in SIGNATURES.items() if callable(f)])
def test_public_signatures_are_annotated(name):
    signature = inspect.signature(SIGNATURES[name])
    missing = {
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty
    }
    if (
        not inspect.isclass(PUBLIC[name])
        and signature.return_annotation is signature.empty
    ):
        missing.add("return")
    assert missing <= {"self", "cls"}


# -- Safe code and text ------------------------------------------------------------


@pytest.mark.case("S18")
@each_module
def test_code_is_safe(module):
    wrong = []
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Assert):
            wrong.append((node.lineno, "assert"))
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if (
            called in UNSAFE_NAMES | UNSAFE_CALLS
            or called.rpartition(".")[1:] in UNSAFE_METHODS
        ):
            wrong.append((node.lineno, called))
        for keyword in node.keywords:
            if keyword.arg in UNSAFE_ARGUMENTS and (
                not isinstance(keyword.value, ast.Constant) or keyword.value.value
            ):
                wrong.append((node.lineno, f"{keyword.arg}="))
    unsafe = [t for t, _ in imports(module) if t.split(".")[0] in UNSAFE_MODULES]
    assert not wrong
    assert not unsafe


def text_files():
    """List the repository's own text files, by folder: no build, cache or venv."""
    folders = ["sklearn_attrec", "tests", "examples", "benchmarks", "packaging", ".ci"]
    paths = [path for path in ROOT.iterdir() if path.suffix != ".log"]
    paths = [path for path in paths if path.name != ".git"]  # a file in a worktree
    for folder in folders:
        paths += (ROOT / folder).rglob("*")
    for path in sorted(paths):
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                yield path, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def test_text_names_no_folder_of_one_machine():
    folders = "|".join(["root", "home", "work", "Users"])
    machine_path = re.compile(rf"(?<![\w.:/}})-])/({folders})\b(?!-)")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if machine_path.search(line)
    ]
    assert not wrong


# -- Dependencies ------------------------------------------------------------------


SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = SETUP["options.extras_require"]
USER_EXTRAS = ("plot", "parquet", "excel", "progress", "dask", "spark", "faiss")


def declared(text):
    """Map each requirement's name to its lower bound."""
    lines = [re.sub(r"\[.*\]|#.*", "", line).strip() for line in text.splitlines()]
    return dict(line.replace("==", ">=").split(">=") for line in lines if line)


def lower_bounds():
    bounds = declared(SETUP["options"]["install_requires"])
    for extra in ("training", *USER_EXTRAS):
        bounds |= declared(EXTRAS[extra])
    # No extra is needed for frames of polars.
    tools = [line for line in EXTRAS["test"].splitlines() if "polars" in line]
    return bounds | declared("\n".join(tools))


@pytest.mark.case("S19")
def test_what_is_imported_is_declared():
    known = {*lower_bounds(), "sklearn_attrec", "sklearn"}  # scikit-learn's module
    wanted = {target.split(".")[0] for name in MODULES for target, _ in imports(name)}
    assert wanted - set(sys.stdlib_module_names) <= known


@pytest.mark.case("S19")
def test_lower_bounds_are_the_versions_that_are_tested():
    tested = (ROOT / ".ci" / "oldest.txt").read_text("utf-8")
    assert lower_bounds() == declared(tested)
    assert EXTRAS["training-cpu"].replace("-cpu", "") == EXTRAS["training"]


def test_metapackage_installs_this_version_with_tensorflow():
    path = ROOT / "packaging" / "sklearn-attrec" / "pyproject.toml"
    project = tomllib.loads(path.read_text("utf-8"))["project"]
    core = SETUP["metadata"]
    assert core["name"] == "sklearn-attrec-core"
    assert project["version"] == __version__
    assert project["dependencies"] == [f"{core['name']}[training]=={__version__}"]
    assert project["optional-dependencies"] == {
        extra: [f"{core['name']}[{extra}]"] for extra in USER_EXTRAS
    }
    assert project["requires-python"] == SETUP["options"]["python_requires"]
    assert project["classifiers"] == core["classifiers"].strip().splitlines()
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    urls = [f"{name} = {url}" for name, url in project["urls"].items()]
    assert urls == core["project_urls"].strip().splitlines()
