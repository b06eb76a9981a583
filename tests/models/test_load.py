from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from rca_kit.errors import BadInput
from rca_kit.models import Answers, load_model
from rca_kit.models.answers import BadAnswer, call, to_answers


@pytest.fixture
def fitted():
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    return LogisticRegression().fit(x, (x.a + rng.normal(size=200) > 0).astype(int)), x


def test_joblib_only_when_trusted(tmp_path, fitted):
    model, x = fitted
    joblib.dump(model, tmp_path / "m.joblib")
    with pytest.raises(BadInput, match="trusted"):
        load_model({"joblib": "m.joblib"}, folder=tmp_path)
    by_entry = load_model({"joblib": "m.joblib", "trusted": True}, folder=tmp_path)
    for loaded in (by_entry, load_model(str(tmp_path / "m.joblib"), True)):
        # columns in another order, another kind of frame: the same scores
        got = call(loaded, pl.from_pandas(x[["b", "a"]]), 200).values
        assert np.allclose(got, model.predict_proba(x)[:, 1])


def test_trusted_must_be_true_and_not_merely_there(tmp_path, fitted):
    joblib.dump(fitted[0], tmp_path / "m.joblib")
    for value in ("false", "no", 0, None):
        with pytest.raises(BadInput, match="trusted"):
            load_model({"joblib": "m.joblib", "trusted": value}, folder=tmp_path)


def test_missing_columns_are_named(fitted):
    from rca_kit.models.python import Estimator

    with pytest.raises(BadInput, match="b"):
        Estimator(fitted[0])(pl.DataFrame({"a": [1.0]}))


def test_multiclass_estimators_answer_with_classes():
    from rca_kit.models.python import Estimator

    x = pd.DataFrame({"a": [0.0, 1.0, 2.0] * 5})
    tree = DecisionTreeClassifier().fit(x, ["u", "v", "w"] * 5)
    assert call(Estimator(tree), x, 15).values.tolist() == ["u", "v", "w"] * 5


MODULE = """
import numpy as np
def score(frame): return frame["x"].to_numpy() * 2
def load_v3(): return score
class Model:
    def predict(self, frame): return np.asarray(frame["x"]) * 3
def features(frame): return frame.with_columns(frame["x"] / 1000)
constant = 3
"""


@pytest.fixture
def module(tmp_path):
    name = "rk_case_models"
    (tmp_path / f"{name}.py").write_text(MODULE)
    yield name
    sys.modules.pop(name, None)
    importlib.invalidate_caches()


def test_python_beside_the_case(tmp_path, module):
    before = list(sys.path)
    frame = pl.DataFrame({"x": [1.0, 2.0]})
    assert call(load_model({"python": f"{module}:score"}, folder=tmp_path), frame, 2).values.tolist() == [2, 4]
    assert call(load_model({"python": f"{module}:load_v3"}, folder=tmp_path), frame, 2).values.tolist() == [2, 4]
    assert call(load_model({"python": f"{module}:Model"}, folder=tmp_path), frame.to_pandas(), 2).values.tolist() == [3, 6]
    piped = load_model({"python": f"{module}:score", "preprocess": f"{module}:features"}, folder=tmp_path)
    assert call(piped, frame, 2).values.tolist() == pytest.approx([0.002, 0.004])
    assert piped.features(frame)["x"].to_list() == [0.001, 0.002]
    assert sys.path == before


@pytest.mark.parametrize(("spec", "says"), [
    ({"python": "rk_case_models:scroe"}, "did you mean `score`"),
    ({"python": "no_such_module_rk:f"}, "cannot be imported"),
    ({"python": "rk_case_models"}, "module:function"),
    ({"python": "rk_case_models:constant"}, "no model"),
    ({"pyton": "a:b"}, "did you mean `python`"),
    ({}, "one kind"),
    ({"python": "a:b", "onnx": "x"}, "one kind"),
    ({"onnx": "nowhere.onnx"}, "not found"),
    ({"python": "a:b", "timeout": 3}, "timeout"),
])
def test_errors_say_what_to_do(tmp_path, module, spec, says):
    with pytest.raises(BadInput, match=says):
        load_model(spec, folder=tmp_path)


def test_shapes_of_answers():
    assert to_answers(np.ones((3, 1)), 3).values.tolist() == [1, 1, 1]
    assert to_answers(np.asarray([[0.3, 0.7]]), 1).values.tolist() == [0.7]
    assert to_answers(pd.Series([1, 2]), 2).values.tolist() == [1, 2]
    assert to_answers(pl.Series(["a", None]), 2).errors.keys() == {1}
    assert to_answers([1, None, float("inf")], 3).errors.keys() == {1, 2}
    assert to_answers(Answers([0.1, None], {1: "why"}), 2).errors == {1: "why"}
    assert to_answers([True, False], 2).values.tolist() == [1, 0]
    for bad in ([1.0], np.ones((3, 2, 2)), "abc", None, 3.0, {"a": [1], "b": [2]}):
        with pytest.raises(BadAnswer):
            to_answers(bad, 3)


def _field(number, wire, payload):
    return bytes([number << 3 | wire]) + payload


def _bytes(number, raw):
    size, head = len(raw), b""
    while size > 127:
        head += bytes([size & 127 | 128])
        size >>= 7
    return _field(number, 2, head + bytes([size]) + raw)


def _int(number, value):
    return _field(number, 0, bytes([value]))


def tiny_onnx(weights):
    """Write sigmoid(x @ w) as an ONNX file by hand: the library that does it is no dependency."""
    def node(op, inputs, output):
        return b"".join(_bytes(1, i.encode()) for i in inputs) + _bytes(2, output.encode()) + _bytes(4, op.encode())

    def value(name, columns):
        dims = _bytes(1, _bytes(2, b"n")) + _bytes(1, _int(1, columns))
        return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _int(1, 1) + _bytes(2, dims)))

    w = _int(1, len(weights)) + _int(1, 1) + _int(2, 1) + _bytes(8, b"w") + _bytes(9, struct.pack(f"<{len(weights)}f", *weights))
    graph = (_bytes(1, node("MatMul", ["x", "w"], "z")) + _bytes(1, node("Sigmoid", ["z"], "score")) + _bytes(2, b"g")
             + _bytes(5, w) + _bytes(11, value("x", len(weights))) + _bytes(12, value("score", 1)))
    return _int(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _int(2, 13))


def test_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "m.onnx").write_bytes(tiny_onnx([1.0, -2.0]))
    frame = pl.DataFrame({"a": [1.0, 0.0], "b": [0.5, 1.0]})
    got = call(load_model({"onnx": "m.onnx"}, folder=tmp_path), frame, 2).values
    assert np.allclose(got, 1 / (1 + np.exp(-np.asarray([0.0, -2.0]))), atol=1e-6)
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match="no ONNX model"):
        load_model({"onnx": "bad.onnx"}, folder=tmp_path)
    with pytest.raises(BadInput, match="output"):
        load_model({"onnx": "m.onnx", "output": "nope"}, folder=tmp_path)


@pytest.mark.filterwarnings("ignore")  # mlflow warns about its own defaults and dependencies
def test_mlflow_on_a_local_store(tmp_path: Path, fitted):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    model, x = fitted
    store = f"sqlite:///{tmp_path / 'store.db'}"
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(store)
        mlflow.set_registry_uri(store)
        experiment = mlflow.create_experiment("e", artifact_location=(tmp_path / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=experiment):
            mlflow.sklearn.log_model(model, name="m", registered_model_name="fraud", serialization_format="cloudpickle",
                                     pip_requirements=["scikit-learn"])
    finally:
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri(before)
    loaded = load_model({"mlflow": "models:/fraud/1", "tracking_uri": "sqlite:///store.db"}, folder=tmp_path)
    assert np.allclose(call(loaded, pl.from_pandas(x), 200).values, model.predict_proba(x)[:, 1])
    assert mlflow.get_tracking_uri() == before
    with pytest.raises(BadInput, match="MLflow"):
        load_model({"mlflow": "models:/fraud/9", "tracking_uri": "sqlite:///store.db"}, folder=tmp_path)
