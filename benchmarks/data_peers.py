"""Run another library on two Parquet files, on its defaults, in its own environment; print the columns it flags as JSON."""

import json
import sys

import pandas as pd


def evidently(before, after):
    """Columns with drift by Evidently's data drift preset."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    result = Report([DataDriftPreset()]).run(current_data=after, reference_data=before)
    flagged = []
    for metric in result.dict()["metrics"]:
        config = metric.get("config", {})
        if "ValueDrift" in str(config.get("type", metric.get("metric_id", ""))):
            value, threshold, method = float(metric["value"]), config.get("threshold"), str(config.get("method", ""))
            bar = 0.05 if threshold is None and "p_value" in method else 0.1 if threshold is None else float(threshold)
            if value < bar if "p_value" in method else value >= bar:
                flagged.append(config["column"])
    return flagged


def nannyml(before, after):
    """Columns with an alert by NannyML's univariate drift calculator, after as one chunk of its size."""
    import nannyml as nml

    chunk = max(len(before) // 10, 100)
    calculator = nml.UnivariateDriftCalculator(column_names=list(before.columns), chunk_size=chunk)
    found = calculator.fit(before).calculate(after).filter(period="analysis").to_df()
    alerts = [c for c in found.columns if c[-1] == "alert"]
    return sorted({c[0] for c in alerts if bool(found[c].any())})


library, *paths = sys.argv[1:]
print(json.dumps({"evidently": evidently, "nannyml": nannyml}[library](*(pd.read_parquet(p) for p in paths))))
