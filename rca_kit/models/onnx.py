"""ONNX models, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rca_kit.errors import BadInput, MissingExtra

DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
          "tensor(bool)": np.bool_}


@dataclass(frozen=True)
class OnnxModel:
    """A session; inputs are one matrix of all columns, or one tensor per column by name."""

    session: Any
    name: str
    output: str | None = None

    def __call__(self, frame: Any) -> Any:
        """Score a frame."""
        import narwhals as nw

        table = nw.from_native(frame, eager_only=True)
        inputs = self.session.get_inputs()
        if len(inputs) == 1 and inputs[0].name not in table.columns:
            width = inputs[0].shape[1] if len(inputs[0].shape) == 2 else None
            if isinstance(width, int) and width != len(table.columns):
                raise BadInput(f"{self.name} takes another number of columns", found=", ".join(table.columns),
                               expected=f"{width} columns, in the order of training", hint="name them under roles.features")
            feed = {inputs[0].name: _matrix(table, table.columns, inputs[0].type)}
        else:
            missing = [i.name for i in inputs if i.name not in table.columns]
            if missing:
                raise BadInput(f"{self.name} has inputs that are no columns", found=", ".join(table.columns),
                               expected=", ".join(missing))
            feed = {i.name: _column(table, i) for i in inputs}
        outputs = self.session.get_outputs()
        wanted = self.output or _scores_of([o.name for o in outputs])
        answer = self.session.run([wanted], feed)[0]
        if isinstance(answer, list) and answer and isinstance(answer[0], dict):  # the converters' ZipMap: one dict per row
            yes = 1 if 1 in answer[0] else max(answer[0])
            return np.asarray([row[yes] for row in answer])
        return answer


def load_onnx(path: Path, name: str | None = None, output: str | None = None) -> OnnxModel:
    """Open an ONNX file.

    Raises
    ------
    BadInput
        When there is no such file or it is no ONNX model.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra.of("onnx", "onnxruntime") from None
    if not path.is_file():
        raise BadInput("file not found", file=str(path))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a dozen error types without a common root
        raise BadInput(f"this is no ONNX model: {str(error).splitlines()[0]}", file=str(path)) from error
    known = [o.name for o in session.get_outputs()]
    if output and output not in known:
        raise BadInput("the model has no such output", file=str(path), found=output, expected=", ".join(known))
    return OnnxModel(session, name or path.stem, output)


def _scores_of(outputs: list[str]) -> str:
    """Pick the output with the scores: converters put labels first and probabilities last."""
    named = [o for o in outputs if "prob" in o.lower() or "score" in o.lower()]
    return named[0] if named else outputs[-1]


def _matrix(table: Any, columns: list[str], kind: str) -> Any:
    return np.column_stack([_typed(table, c, kind) for c in columns])


def _column(table: Any, expected: Any) -> Any:
    values = _typed(table, expected.name, expected.type)
    return values.reshape(-1, 1) if len(expected.shape) == 2 else values


def _typed(table: Any, column: str, kind: str) -> Any:
    values = table[column].to_numpy()
    if kind == "tensor(string)":
        return np.asarray(["" if v is None or v != v else str(v) for v in values], dtype=object)
    wanted = DTYPES.get(kind, np.float32)
    if not np.issubdtype(wanted, np.floating) and values.dtype.kind == "f" and np.isnan(values).any():
        raise BadInput("has missing values, which this model has no place for", column=column, expected=np.dtype(wanted).name)
    try:
        return values.astype(wanted)
    except (TypeError, ValueError):
        raise BadInput("holds no numbers", column=column, found=str(values.dtype), expected=np.dtype(wanted).name) from None
