"""Suspects, samples and settlement of the hand-made example."""

from __future__ import annotations

from rca_kit.findings.samples import Rule, SamplePair, Samples
from rca_kit.findings.settlement import Action, CheckItem, FmeaRow, Guardrail, Mitigation, Settlement, Severity, Why
from rca_kit.findings.suspects import CategoryStatus, CheckResult, Evidence, Suspect, Suspects


def suspects() -> Suspects:
    """Give the example's suspects."""
    first = Suspect(
        1,
        "config",
        "feature:device_type",
        "chg-12",
        0.81,
        (
            Evidence("null_rate", "nulls of device_type rose from 0.5% to 18% at 14:05", 2.1, True),
            Evidence("change_in_time", "chg-12 (feature-store keys) lies 5 minutes before the onset", 1.4, True),
            Evidence("change_in_scope", "chg-12 names device=android, the segment that carries the change", 1.2, True),
            Evidence("service_metrics", "cache hit rate of the feature store was not logged", -0.3, False),
        ),
        "replay the golden set through v3 with the old key format",
        "Feature-store keys changed for reads only",
        "nulls stay after the old key format is restored",
        0.88,
        ("auc", "null_rate:device_type", "cache misses", "chg-12"),
    )
    second = Suspect(
        2,
        "model",
        "model:v3",
        "chg-11",
        0.12,
        (
            Evidence("change_in_time", "v3 was deployed 25 minutes before the onset", 0.8, True),
            Evidence("replay", "the golden set scores the same under v2 and v3", -1.6, False),
        ),
        "shadow v2 beside v3 on live traffic",
        "Fraud model v3",
        "v2 shows the same fall",
    )
    checks = (
        CheckResult("D1", "Null rate per feature", "found", "device_type 0.5% -> 18%", "data"),
        CheckResult("I1", "Latency per stage", "clear", "p95 steady at 121 ms", "infra"),
        CheckResult("U1", "Supplier notices", "not_applicable", "no upstream notices in the change log", "upstream"),
    )
    because = {
        "config": ("supported", "chg-12 fits in time and scope"),
        "model": ("excluded", "the golden set scores the same under v2 and v3"),
        "data": ("excluded", "the nulls are explained by chg-12"),
        "code": ("not_tested", "no stage latencies or library versions in the log"),
        "infra": ("excluded", "latency and errors are steady"),
        "upstream": ("not_tested", "no supplier metrics were given"),
        "external": ("excluded", "mix of traffic did not move"),
    }
    categories = tuple(
        CategoryStatus(c, *because[c]) for c in ("data", "model", "code", "infra", "config", "upstream", "external")
    )
    return Suspects((first, second), checks, categories, "incident", "auc fell below its SLO beyond chance", 0.07)


def samples() -> Samples:
    """Give the example's samples."""
    columns = ("request_id", "ts", "device", "device_type", "amount", "score")
    pairs = tuple(
        SamplePair(
            {
                "request_id": f"r-{i}",
                "ts": f"2026-03-02 14:2{i}",
                "device": "android",
                "device_type": None,
                "amount": f"{40 + i}.00",
                "score": "0.02",
            },
            {
                "request_id": f"r-{i}9",
                "ts": f"2026-03-01 14:2{i}",
                "device": "android",
                "device_type": "phone",
                "amount": f"{40 + i}.50",
                "score": "0.61",
            },
            ("device_type", "score"),
            "fraud that scored low",
            0.12,
        )
        for i in range(3)
    )
    return Samples(
        pairs, (Rule("device_type is missing", 0.91, 0.62),), columns, ("email",), "fraud scored below 0.1 after the onset", 410
    )


def settlement() -> Settlement:
    """Give the example's settlement."""
    return Settlement(
        Severity("SEV2", ("auc is below its SLO 0.84", "31% of requests are affected")),
        (
            Mitigation(
                "rollback",
                "feature-store keys to the old format",
                True,
                "one change, reversible, fits in time and scope",
                "null rate of device_type is back under 2% within 15 minutes",
            ),
            Mitigation(
                "fallback_model",
                "model without device_type for android",
                True,
                "if the roll-back is not possible",
                "auc on android above 0.84",
            ),
        ),
        (
            Guardrail("alert", "null_rate:device_type", "> 0.02 for 10m", "would have fired before the alert", 25.0, 0.0),
            Guardrail(
                "parity_test", "device_type", "online equals offline on 1,000 requests", "keys are written and read in one format"
            ),
        ),
        (
            Why("Why did auc fall?", "device_type was missing in 18% of requests", "null_rate"),
            Why("Why was it missing?", "the feature store was read with new keys, but written with old ones", "chg-12"),
            Why("Why was that not seen before release?", "no contract test covers the key format of reads and writes", ""),
        ),
        (
            CheckItem("Triage", "The alert was recomputed from the log", "done", "auc 0.779"),
            CheckItem("Triage", "Latency and errors looked at", "done", "steady"),
            CheckItem("Did you really find the root cause?", "One targeted change removes it", "done", "repair restores 88%"),
            CheckItem("Did you really find the root cause?", "A guardrail exists", "open"),
            CheckItem("Infrastructure and routing", "Autoscaling steady", "not_applicable", "no service metrics given"),
        ),
        (
            Action("Add a contract test on feature-store keys", "prevent", "", "", "no release without a green test"),
            Action(
                "Alert on null rate above 2% for top features",
                "detect",
                "ML platform",
                "2026-03-16",
                "alert fires in the replay of this incident",
            ),
        ),
        (FmeaRow("key format differs between writer and reader", "feature is null", "no contract test", 8, 3, 7),),
        ("whether other features share the key format", "how many decisions must be revisited"),
        "One targeted change removes 88% of it, it holds for android at all hours, the guardrail is still open.",
    )
