"""ONNX models of several kinds, converted and hand-written, against the answers of the models they were made from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from rca_kit.errors import BadInput
from rca_kit.models import load_model
from rca_kit.models.answers import call

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
skl2onnx = pytest.importorskip("skl2onnx")
pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")

OPSET = {"": 18, "ai.onnx.ml": 3}  # what every runtime in range understands


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 3))
    return pl.DataFrame(x, schema=["a", "b", "c"]), (x @ [1.0, -2.0, 0.5] + rng.normal(size=200) > 0).astype(int)


def converted(tmp_path, model, inputs, **options):
    made = skl2onnx.convert_sklearn(model, initial_types=inputs, target_opset=OPSET, **options)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    return {"onnx": "m.onnx"}


def floats(n):
    from skl2onnx.common.data_types import FloatTensorType

    return [("X", FloatTensorType([None, n]))]


def values(spec, tmp_path, frame):
    got = call(load_model(spec, folder=tmp_path), frame, len(frame))
    assert not got.errors
    return np.asarray(got.values)


@pytest.mark.parametrize("zipmap", [True, False], ids=["probabilities as maps", "probabilities as a tensor"])
@pytest.mark.parametrize("kind", ["logistic", "forest"])
def test_a_classifiers_probability(kind, zipmap, rows, tmp_path):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    frame, y = rows
    x = frame.to_numpy().astype(np.float32)
    model = LogisticRegression() if kind == "logistic" else RandomForestClassifier(8, max_depth=4, random_state=1)
    model.fit(x, y)
    spec = converted(tmp_path, model, floats(3), options={id(model): {"zipmap": zipmap}})
    for given in (frame, frame.to_pandas()):
        np.testing.assert_allclose(values(spec, tmp_path, given), model.predict_proba(x)[:, 1], atol=1e-5)


def test_a_regressor_gives_one_number_per_row(rows, tmp_path):
    from sklearn.linear_model import LinearRegression

    frame, _ = rows
    x = frame.to_numpy().astype(np.float32)
    model = LinearRegression().fit(x, x @ [3.0, 1.0, -1.0])
    np.testing.assert_allclose(values(converted(tmp_path, model, floats(3)), tmp_path, frame), model.predict(x), atol=1e-4)


def test_a_classifier_of_words_gives_words_or_the_named_output(rows, tmp_path):
    from sklearn.linear_model import LogisticRegression

    frame, y = rows
    x = frame.to_numpy().astype(np.float32)
    model = LogisticRegression().fit(x, np.where(y == 1, "spam", "ham"))
    spec = converted(tmp_path, model, floats(3), options={id(model): {"zipmap": False}})
    np.testing.assert_allclose(values(spec, tmp_path, frame), model.predict_proba(x)[:, 1], atol=1e-5)
    assert values({**spec, "output": "label"}, tmp_path, frame).tolist() == model.predict(x).tolist()


def test_an_input_per_column_texts_and_numbers_in_any_order(rows, tmp_path):
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame, y = rows
    table = pd.DataFrame({"device": np.where(frame["b"].to_numpy() > 0, "ios", "android"),
                          "amount": frame["a"].to_numpy().astype(np.float32), "unused": 1})
    prepare = ColumnTransformer([("d", OneHotEncoder(handle_unknown="ignore"), ["device"]), ("n", "passthrough", ["amount"])])
    model = make_pipeline(prepare, LogisticRegression()).fit(table, y)
    spec = converted(tmp_path, model, [("amount", FloatTensorType([None, 1])), ("device", StringTensorType([None, 1]))],
                     options={id(model): {"zipmap": False}})
    expected = model.predict_proba(table)[:, 1]
    np.testing.assert_allclose(values(spec, tmp_path, table), expected, atol=1e-5)
    np.testing.assert_allclose(values(spec, tmp_path, pl.from_pandas(table)), expected, atol=1e-5)
    with pytest.raises(BadInput, match="inputs that are no columns"):
        load_model(spec, folder=tmp_path)(table.drop(columns="device"))


def by_hand(tmp_path, nodes, inputs, outputs, constants=()):
    graph = onnx.helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return {"onnx": "m.onnx"}


def test_types_of_a_hand_written_graph_are_met(tmp_path):
    of, info = onnx.TensorProto, onnx.helper.make_tensor_value_info
    spec = by_hand(
        tmp_path,
        [onnx.helper.make_node("Cast", ["count"], ["c"], to=of.DOUBLE),
         onnx.helper.make_node("Cast", ["flag"], ["f"], to=of.DOUBLE),
         onnx.helper.make_node("Sum", ["c", "f", "amount"], ["score"])],
        [info("count", of.INT64, [None]), info("flag", of.BOOL, [None]), info("amount", of.DOUBLE, [None])],
        [info("score", of.DOUBLE, [None])])
    frame = pl.DataFrame({"amount": [0.5, 1.5], "count": [1, 2], "flag": [True, False]})
    assert values(spec, tmp_path, frame).tolist() == [2.5, 3.5]
    with pytest.raises(BadInput, match="column `count`: has missing values"):
        load_model(spec, folder=tmp_path)(frame.with_columns(count=pl.Series([1, None])))


def test_missing_numbers_reach_the_model_as_nan_and_missing_texts_as_empty(tmp_path):
    of, info = onnx.TensorProto, onnx.helper.make_tensor_value_info
    spec = by_hand(
        tmp_path, [onnx.helper.make_node("IsNaN", ["X"], ["n"]), onnx.helper.make_node("Cast", ["n"], ["score"], to=of.FLOAT)],
        [info("X", of.FLOAT, [None, 1])], [info("score", of.FLOAT, [None, 1])])
    assert values(spec, tmp_path, pl.DataFrame({"a": [1.0, None]})).ravel().tolist() == [0.0, 1.0]


def test_columns_that_do_not_fit_are_refused(rows, tmp_path):
    from sklearn.linear_model import LinearRegression

    frame, _ = rows
    x = frame.to_numpy().astype(np.float32)
    spec = converted(tmp_path, LinearRegression().fit(x, x[:, 0]), floats(3))
    model = load_model(spec, folder=tmp_path)
    with pytest.raises(BadInput, match="takes another number of columns"):
        model(frame.select("a", "b"))
    with pytest.raises(BadInput, match="column `a`: holds no numbers"):
        model(frame.with_columns(a=pl.lit("x")))
