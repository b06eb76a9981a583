"""Attention: ad clicks and a home feed."""

from __future__ import annotations

from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

ADS = World(
    name="ads", service="ad-ranker", task="binary",
    columns=(
        Cat("geo", ("US", "GB", "CA", "AU", "IN", "BR", "MX", "PH"), (.3, .12, .08, .06, .18, .12, .08, .06), .3, segment=True),
        Cat("os", ("android", "ios", "windows", "macos"), (.42, .3, .18, .1), .3, segment=True, daily=.2),
        Cat("placement", ("feed", "story", "search", "banner"), (.4, .2, .15, .25), .6, segment=True),
        Cat("sdk", ("5.9", "6.0", "6.1"), (.2, .5, .3), 0, segment=True, feature=False),
        Cat("exchange", ("ex-north", "ex-south", "direct"), (.45, .35, .2), .15, segment=True, feature=False),
        Num("bid_floor", "lognormal", .2, .6, .25, "exchange_feed", digits=4),
        Num("user_ctr_7d", "unit", -3.2, .7, .9, "store", null=.02, digits=5),
        Num("ad_ctr_24h", "unit", -3.4, .6, .8, "store", null=.01, digits=5),
        Num("freq_today", "count", .6, .7, -.45, "store", null=.008),
        Num("topic_affinity", "normal", 0, 1, .6, "embedder", null=.005),
        Num("recency_min", "lognormal", 4.5, 1.3, -.3),
        Cat("creative", ("video", "image", "carousel", "text"), (.3, .4, .2, .1), .35),
        Num("local_hour", "hour", weight=.25),
    ),
    names=Names("event_time", "imp_id", "pctr", "", "clicked", "", "model", "err", "serve_ms"),
    stages=(Stage("candidates_ms", 14, "retrieval"), Stage("embed_ms", 9, "embedder"), Stage("rank_ms", 11, "ranker")),
    kpis=(Kpi("converted", "higher", .05, .06), Kpi("hidden_by_user", "lower", .01, .05)),
    server="ranker", store="online-store", cache="user-cache", pipeline="ctr-aggregator", labeler="click-joiner", gateway="ad-gateway",
    vendors=("exchange_feed",), version="dlrm-41", next_version="dlrm-42", base=.07, signal=1.4, unseen=.5, threshold=.1,
    label_lag_hours=.4, platform="os", errors=("no_bid", "timeout", "oom"), gpu=True,
    extra=("sess_len", "scroll_depth", "adv_quality", "creative_age_h", "cat_match", "price_rank", "user_age_band", "viewability", "slot_ctr"),
)

FEED = World(
    name="feed", service="home-feed", task="ranking",
    columns=(
        Cat("locale", ("en", "es", "pt", "de", "fr", "ja"), (.38, .2, .15, .1, .1, .07), .2, segment=True),
        Cat("surface", ("tv", "phone", "tablet", "browser"), (.25, .45, .1, .2), .3, segment=True, daily=.4),
        Cat("cohort", ("new", "casual", "loyal"), (.2, .45, .35), .4, segment=True),
        Cat("release", ("r118", "r119", "r120"), (.15, .6, .25), 0, segment=True, feature=False),
        Num("co_watch", "normal", 0, 1, .9, "store", null=.015),
        Num("genre_match", "unit", 0, 1, .6, "store", null=.01),
        Num("popularity", "lognormal", 6, 1.5, .5, "trend_api", null=.006, digits=0),
        Num("trend_delta", "normal", 0, .5, .3, "trend_api", null=.006),
        Num("days_since_seen", "lognormal", 1.6, 1, -.4, "store", digits=1),
        Num("duration_min", "lognormal", 3.6, .6, -.2, digits=1),
        Cat("shelf", ("continue", "for_you", "top10", "because"), (.2, .4, .2, .2), .5),
        Num("evening", "hour", weight=.2),
    ),
    names=Names("shown_at", "rec_id", "relevance", "", "played", "", "ranker_version", "error", "total_ms"),
    stages=(Stage("retrieve_ms", 35, "candidate-svc"), Stage("features_ms", 14, "taste-store"), Stage("rank_ms", 22, "feed-ranker")),
    kpis=(Kpi("finished", "higher", .3, .25), Kpi("skipped", "lower", .12, .3)),
    server="feed-ranker", store="taste-store", cache="taste-cache", pipeline="taste-vectors-job", labeler="playback-joiner",
    gateway="edge", vendors=("trend_api",), version="2026w07", next_version="2026w08", base=.22, signal=1.5, unseen=.5, threshold=.3,
    label_lag_hours=1.5, platform="surface",
    extra=("binge_score", "kids_profile_share", "avg_session", "search_last_day", "rating_mean", "freshness_days", "cast_overlap"),
)
