"""MLflow models by URI: a registry version, a run's artifact, a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput, MissingExtra
from rca_kit.models.answers import to_pandas


@dataclass(frozen=True)
class MlflowModel:
    """A model of MLflow's pyfunc flavour."""

    pyfunc: Any
    name: str

    def __call__(self, frame: Any) -> Any:
        """Score a frame."""
        return self.pyfunc.predict(to_pandas(frame))


def load_mlflow(uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Load a model by URI, like ``models:/fraud/2`` or ``runs:/<run>/model``.

    A scikit-learn model gives probabilities, where pyfunc alone would give classes.

    Parameters
    ----------
    uri : str
        What MLflow calls the model's URI.
    tracking_uri, registry_uri : str, optional
        Where the store is; MLflow's own settings otherwise. They hold for this load only.

    Raises
    ------
    BadInput
        When MLflow cannot find or load it.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves the machine
    try:
        import mlflow
        import mlflow.pyfunc
    except ImportError:
        raise MissingExtra.of("mlflow", "mlflow-skinny") from None
    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri())
    try:
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        if registry_uri or tracking_uri:
            mlflow.set_registry_uri(registry_uri or str(tracking_uri))
        pyfunc = mlflow.pyfunc.load_model(uri)
        flavours = pyfunc.metadata.flavors
        if "sklearn" in flavours:
            from rca_kit.models.python import Estimator

            return Estimator(pyfunc.get_raw_model(), uri)
        return MlflowModel(pyfunc, uri)
    except Exception as error:
        raise BadInput(f"MLflow cannot load the model: {str(error).splitlines()[0]}", found=uri,
                       hint="is MLFLOW_TRACKING_URI (or tracking_uri in the entry) the store that holds it?") from error
    finally:
        if tracking_uri or registry_uri:
            mlflow.set_tracking_uri(before[0])
            mlflow.set_registry_uri(before[1])


def local_uri(uri: str, folder: Path | None) -> str:
    """Make a relative folder or SQLite file beside incident.yaml absolute."""
    if folder is None:
        return uri
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        return f"sqlite:///{(folder / uri.removeprefix('sqlite:///')).resolve()}"
    return str((folder / uri).resolve()) if ":" not in uri and (folder / uri).exists() else uri
