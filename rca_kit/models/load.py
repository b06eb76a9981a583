"""Models from the entries under `models:` in incident.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.models.answers import Model

KINDS = ("python", "joblib", "sklearn", "onnx", "mlflow", "http")
COMMON = ("name", "preprocess", "trusted")
OPTIONS: dict[str, tuple[str, ...]] = {
    "python": (), "joblib": (), "sklearn": (), "onnx": ("output",), "mlflow": ("tracking_uri", "registry_uri"),
    "http": ("timeout", "retries", "backoff", "deadline", "batch", "concurrency", "headers", "request", "response", "answer"),
}


def load_model(spec: Mapping[str, Any] | str, trusted: bool = False, folder: Path | str | None = None) -> Model:
    """Load a model as incident.yaml names it.

    Parameters
    ----------
    spec : mapping or str
        One of ``{python: "pkg.module:function"}``, ``{mlflow: "models:/fraud/2"}``, ``{onnx: path}``,
        ``{joblib: path, trusted: true}``, ``{http: url, timeout: 5, ...}``, with `name` and `preprocess` (a Python function from
        raw rows to features) optional. A bare text is told by its look: a URL, ``models:/...``, ``*.onnx``, ``*.joblib``,
        ``module:function``.
    trusted : bool
        Whether pickled files may be opened. Opening one runs whatever code it holds.
    folder : path, optional
        Case folder; relative paths start there.

    Returns
    -------
    callable
        From a frame with the feature columns to one answer per row.

    Raises
    ------
    BadInput
        When the entry is not understood, the file is not there, or a pickle is not trusted.

    Examples
    --------
    >>> load_model({"python": "statistics:mean"})([1, 3])
    2
    """
    where = Path(folder) if folder is not None else None
    entry: dict[str, Any] = {_look(spec): spec} if isinstance(spec, str) else {str(k): v for k, v in spec.items()}
    kinds = [k for k in KINDS if k in entry]
    if len(kinds) != 1:
        unknown = next((k for k in entry if k not in KINDS and k not in COMMON), None)
        raise BadInput("a model entry names one kind of model", found=", ".join(entry) or "nothing",
                       expected="one of " + ", ".join(KINDS), hint=did_you_mean(unknown, KINDS) if unknown else None)
    kind = kinds[0]
    known = (kind, *COMMON, *OPTIONS[kind])
    for key in entry:
        if key not in known:
            raise BadInput(f"option of a {kind} model not known", found=key, expected=", ".join(known),
                           hint=did_you_mean(key, known))
    if not isinstance(entry[kind], str) or not entry[kind]:
        raise BadInput(f"the {kind} model needs a text", found=repr(entry[kind]))
    model = _open(kind, entry, trusted or entry.get("trusted") is True, where)
    if entry.get("preprocess"):
        from rca_kit.models.python import Preprocessed, load_python

        model = Preprocessed(load_python(str(entry["preprocess"]), where), model, str(entry.get("name") or entry[kind]),
                             getattr(model, "chunk", None))
    return model


def _open(kind: str, entry: Mapping[str, Any], trusted: bool, folder: Path | None) -> Model:
    target, name = str(entry[kind]), entry.get("name")
    options = {k: entry[k] for k in OPTIONS[kind] if k in entry}
    path = (folder / target) if folder is not None else Path(target)
    if kind == "python":
        from rca_kit.models.python import load_python

        return load_python(target, folder)
    if kind in ("joblib", "sklearn"):
        return _open_pickle(path, str(name or path.stem), trusted)
    if kind == "onnx":
        from rca_kit.models.onnx import load_onnx

        return load_onnx(path, name, options.get("output"))
    if kind == "mlflow":
        from rca_kit.models.mlflow import load_mlflow, local_uri

        stores = {k: local_uri(str(v), folder) for k, v in options.items()}
        return load_mlflow(local_uri(target, folder), **stores)  # type: ignore[no-any-return]
    from rca_kit.models.http import HttpModel

    try:
        return HttpModel(target, **({"name": name} if name else {}), **options)
    except TypeError as error:
        raise BadInput(f"an option of the endpoint has the wrong type: {error}", found=str(options.keys())) from error


def _open_pickle(path: Path, name: str, trusted: bool) -> Model:
    if not trusted:
        raise BadInput("a pickled model runs any code it holds when opened", file=str(path),
                       hint="write `trusted: true` beside it in incident.yaml if you know where it comes from")
    if not path.is_file():
        raise BadInput("file not found", file=str(path))
    import joblib

    from rca_kit.models.python import as_model

    try:
        return as_model(joblib.load(path), name)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"the model cannot be opened: {error}", file=str(path)) from error


def _look(text: str) -> str:
    """Tell the kind of a model from the look of its address."""
    lower = text.lower()
    if lower.startswith(("http://", "https://")):
        return "http"
    if lower.startswith(("models:/", "runs:/", "mlflow-artifacts:/")):
        return "mlflow"
    if lower.endswith(".onnx"):
        return "onnx"
    if lower.endswith((".joblib", ".pkl", ".pickle")):
        return "joblib"
    return "python"
