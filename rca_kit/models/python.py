"""Models in Python: ``pkg.module:function``, scikit-learn estimators, and the step from raw fields to features."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.models.answers import Model, to_pandas


@dataclass(frozen=True)
class Estimator:
    """A fitted scikit-learn estimator or pipeline: probabilities of the second class where it has them, else predictions.

    Any other object with `predict` is given the frame.
    """

    estimator: Any
    name: str = "estimator"

    def __call__(self, frame: Any) -> Any:
        """Score a frame, its columns in the order of the fit."""
        if not hasattr(self.estimator, "get_params"):  # not of scikit-learn: whatever it is, it takes the frame
            return self.estimator.predict(frame)
        named = getattr(self.estimator, "feature_names_in_", None)
        table = to_pandas(frame)
        if named is not None:
            missing = [n for n in named if n not in table.columns]
            if missing:
                raise BadInput(f"{self.name} was fitted on columns that are not here", found=", ".join(map(str, table.columns)),
                               expected=", ".join(missing))
            table = table[list(named)]
        else:
            table = table.to_numpy()
        if hasattr(self.estimator, "predict_proba"):
            classes = getattr(self.estimator, "classes_", None)
            probabilities = self.estimator.predict_proba(table)
            if probabilities.shape[1] == 2 or classes is None:
                return probabilities[:, -1]
            return classes[probabilities.argmax(axis=1)]
        return self.estimator.predict(table)


@dataclass(frozen=True)
class Preprocessed:
    """A model behind a preprocessing step, so that replay can compare features as well as scores."""

    preprocess: Model
    model: Model
    name: str = "model"
    chunk: int | None = None

    def features(self, frame: Any) -> Any:
        """Give the features the model is fed for these raw rows."""
        return self.preprocess(frame)

    def score(self, features: Any) -> Any:
        """Score features that `features` gave."""
        return self.model(features)

    @property
    def parts(self) -> Callable[[Any], Any] | None:
        """Answers as they arrive, where the model behind gives them so."""
        inner = getattr(self.model, "parts", None)
        return None if inner is None else lambda frame: inner(self.preprocess(frame))

    def __call__(self, frame: Any) -> Any:
        """Score raw rows."""
        return self.model(self.preprocess(frame))


def load_python(path: str, folder: Path | None = None) -> Model:
    """Load ``pkg.module:name``: a function from frame to scores, a loader without arguments, a class, or an estimator.

    Parameters
    ----------
    path : str
        Module and name; only this module is imported.
    folder : Path, optional
        Case folder, searched before installed packages when it holds the module.

    Examples
    --------
    >>> load_python("statistics:mean")([1, 2, 3])
    2
    """
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise BadInput("a Python model is named module:function", found=path, expected="pkg.module:function")
    with _searching(folder, module_name):
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise BadInput(f"module {module_name} cannot be imported: {error}", found=path,
                           hint="install the package, or put the module beside incident.yaml") from error
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadInput(f"module {module_name} has no {name}", found=path, hint=did_you_mean(part, dir(found)))
        found = getattr(found, part)
    return as_model(found, path)


def as_model(found: Any, name: str) -> Model:
    """Make a model of a function, a loader, a class or an estimator."""
    if _is_loader(found):
        found = found()
    if hasattr(found, "predict") and not inspect.isfunction(found):
        return Estimator(found, name)
    if not callable(found):
        raise BadInput("this is no model", found=f"{name} is a {type(found).__name__}",
                       expected="a callable from frame to scores, or an object with predict")
    model: Model = found
    return model


def _is_loader(found: Any) -> bool:
    if not (inspect.isfunction(found) or inspect.isclass(found)):
        return False
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    return not any((p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
                   or p.kind is p.VAR_POSITIONAL for p in parameters)


@contextmanager
def _searching(folder: Path | None, module: str) -> Iterator[None]:
    """Look into the case folder first, when the module lies there, and only while importing."""
    first = module.split(".")[0]
    if folder is None or not ((folder / f"{first}.py").exists() or (folder / first).is_dir()):
        yield
        return
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
