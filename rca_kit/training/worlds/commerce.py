"""Money: card fraud and credit lines."""

from __future__ import annotations

from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

FRAUD = World(
    name="fraud", service="payment-risk", task="binary",
    columns=(
        Cat("market", ("DE", "FR", "PL", "ES", "IT", "SE", "CZ"), (.26, .2, .16, .14, .12, .07, .05), .25, segment=True, feature=False),
        Cat("channel", ("web", "android", "ios", "pos"), (.33, .3, .25, .12), .5, segment=True, daily=.3),
        Cat("client_build", ("8.1.0", "8.2.0", "8.2.1", "8.3.0"), (.1, .25, .4, .25), 0, segment=True, feature=False),
        Cat("az", ("az-1", "az-2", "az-3"), (.4, .35, .25), 0, segment=True, feature=False),
        Num("order_value", "lognormal", 3.7, .8, .7, digits=2, daily=.25),
        Num("tx_last_hour", "count", .1, .7, .6, "store", null=.004),
        Num("account_days", "lognormal", 5.2, 1.1, -.6, "store", null=.006, digits=0),
        Num("ip_reputation", "unit", -1.2, 1.1, .8, "ipscan", null=.01),
        Num("ip_distance_km", "lognormal", 3.0, 1.4, .35, "ipscan", null=.01, digits=1),
        Num("basket_lines", "count", .9, .5, .15),
        Num("hour", "hour", weight=-.25),
        Cat("card_brand", ("visa", "mastercard", "amex", "girocard"), (.45, .36, .05, .14), .35, null=.003),
        Cat("payment_kind", ("saved", "new_card", "wallet"), (.5, .3, .2), .7),
    ),
    names=Names("created_at", "tx_id", "risk_score", "blocked", "is_fraud", "fraud_confirmed_at", "model_version", "error_type", "latency_ms"),
    stages=(Stage("feature_fetch_ms", 18, "feature-store"), Stage("ip_lookup_ms", 25, "ipscan"), Stage("inference_ms", 12, "scorer")),
    kpis=(Kpi("chargeback", "lower", .01, .5), Kpi("checkout_completed", "higher", .9, .45)),
    server="scorer", store="feature-store", cache="redis-risk", pipeline="velocity-aggregates", labeler="chargeback-import",
    vendors=("ipscan",), version="v12", next_version="v13", base=.06, signal=1.9, unseen=.6, threshold=.3,
    label_lag_hours=5, zone="az", platform="channel",
    extra=("orders_30d", "refunds_90d", "mail_age_days", "device_age_days", "addr_changes", "login_fails", "cards_on_file", "avg_ticket"),
)

CREDIT = World(
    name="credit", service="credit-line", task="binary",
    columns=(
        Cat("Region", ("Nord", "Süd", "Ost", "West", "Mitte"), (.24, .26, .14, .26, .1), .2, segment=True, feature=False),
        Cat("product", ("card", "instalment", "overdraft"), (.5, .35, .15), .4, segment=True),
        Cat("acquisition", ("branch", "online", "partner_a", "partner_b"), (.2, .45, .22, .13), .3, segment=True, daily=.2),
        Cat("employment", ("salaried", "self_employed", "retired", "student"), (.6, .18, .14, .08), .5),
        Num("annual_income", "lognormal", 10.5, .5, -.6, digits=0),
        Num("bureau_points", "normal", 620, 80, -.9, "bureau", null=.015, digits=0),
        Num("open_loans", "count", .4, .5, .45, "bureau", null=.015),
        Num("inquiries_6m", "count", .2, .6, .4, "bureau", null=.015),
        Num("requested", "lognormal", 8.2, .7, .4, digits=0),
        Num("tenure_months", "lognormal", 3.3, .9, -.4, "store", null=.01, digits=0),
        Num("utilisation", "unit", -.4, 1.2, .6, "store", null=.01),
        Num("age_years", "normal", 43, 12, -.2, digits=0),
    ),
    names=Names("applied_at", "application_id", "pd", "approved", "defaulted", "", "scorecard", "failure", "duration_ms"),
    stages=(Stage("bureau_ms", 180, "bureau"), Stage("features_ms", 22, "profile-store"), Stage("score_ms", 9, "scorecard-svc")),
    kpis=(Kpi("accepted_offer", "higher", .62, .25), Kpi("complaint", "lower", .02, .12)),
    server="scorecard-svc", store="profile-store", cache="profile-cache", pipeline="nightly-profile-job", labeler="arrears-loader",
    gateway="origination-api", vendors=("bureau",), version="2025.4", next_version="2025.5", base=.14, signal=1.5, unseen=.6,
    threshold=.25, positive_is_low=True, label_lag_hours=14, platform="acquisition",
    errors=("upstream_timeout", "validation", "internal"),
    extra=("salary_regular", "rent_share", "months_at_address", "savings_ratio", "card_count", "dependants", "late_12m"),
)
