"""Pictures: grading fruit on a packing line."""

from __future__ import annotations

from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

GRADER = World(
    name="grader",
    service="line-grader",
    task="multiclass",
    columns=(
        Cat("site", ("Almería", "Murcia", "Rotterdam", "Kraków"), (0.35, 0.25, 0.25, 0.15), 0.15, segment=True, feature=False),
        Cat(
            "camera", ("cam-a", "cam-b", "cam-c", "cam-d", "cam-e"), (0.25, 0.25, 0.2, 0.2, 0.1), 0.1, segment=True, feature=False
        ),
        Cat("firmware", ("4.1", "4.2", "5.0"), (0.35, 0.45, 0.2), 0.05, segment=True, feature=False),
        Cat("variety", ("gala", "fuji", "elstar"), (0.45, 0.35, 0.2), 0.4, segment=True),
        Num("brightness", "normal", 128, 22, 0.4, "camera", digits=1, daily=0.3),
        Num("contrast", "normal", 46, 9, 0.5, "camera", digits=1),
        Num("blur", "lognormal", 0.8, 0.5, -0.5, "camera"),
        Num("hue_mean", "normal", 35, 9, 0.9, "camera", digits=1),
        Num("spot_area", "lognormal", 1.2, 0.9, 1.0, "camera"),
        Num("diameter_mm", "normal", 74, 6, 0.7, "calliper", null=0.01, digits=1),
        Num("weight_g", "normal", 176, 28, 0.6, "scale", null=0.008, digits=1),
        Num("embedding_norm", "normal", 11, 1.5, 0.3, "encoder"),
    ),
    names=Names("captured", "frame", "confidence", "grade", "true_grade", "", "net", "err", "infer_ms"),
    stages=(Stage("decode_ms", 12, "edge-box"), Stage("encode_ms", 28, "encoder"), Stage("head_ms", 5, "grader")),
    kpis=(Kpi("repacked", "lower", 0.04, 0.35), Kpi("customer_claim", "lower", 0.004, 0.05)),
    server="grader",
    store="edge-box",
    cache="model-cache",
    pipeline="calibration-sync",
    labeler="audit-station",
    gateway="line-gateway",
    vendors=("calliper", "scale"),
    version="resnet-9",
    next_version="resnet-10",
    classes=("A", "B", "C", "reject"),
    class_probs=(0.45, 0.3, 0.17, 0.08),
    signal=2.0,
    label_lag_hours=1.0,
    zone="site",
    platform="firmware",
    errors=("frame_drop", "cuda_error", "timeout"),
    gpu=True,
    extra=("stem_score", "gloss", "edge_len", "texture_1", "texture_2", "texture_3", "line_speed", "humidity"),
)
