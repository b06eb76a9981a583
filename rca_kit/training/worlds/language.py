"""Words: a support assistant and content moderation."""

from __future__ import annotations

from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

CHAT = World(
    name="chat", service="support-assistant", task="text",
    columns=(
        Cat("language", ("en", "de", "es", "it", "nl"), (.5, .18, .16, .1, .06), .2, segment=True),
        Cat("plan", ("free", "team", "enterprise"), (.5, .32, .18), .2, segment=True),
        Cat("entry", ("widget", "email", "mobile", "slack"), (.46, .22, .2, .12), .2, segment=True, daily=.3),
        Cat("intent", ("billing", "login", "howto", "bug", "cancel"), (.25, .2, .3, .17, .08), .5, "router", null=.004),
        Num("prompt_tokens", "lognormal", 4.0, .6, -.4, digits=0),
        Num("retrieval_score", "unit", .6, .8, 1.0, "kb-index", null=.01),
        Num("docs_found", "count", 1.3, .4, .4, "kb-index", null=.01),
        Num("turn", "count", .5, .6, -.3),
        Num("sentiment", "normal", 0, 1, .4, "sentiment_api", null=.01),
        Num("customer_tier_score", "normal", 50, 15, .15, "crm", null=.01, digits=1),
    ),
    names=Names("received", "conversation_id", "confidence", "auto_answered", "helpful", "", "llm_version", "fault", "elapsed_ms"),
    stages=(Stage("retrieve_ms", 90, "kb-index"), Stage("generate_ms", 850, "llm-server"), Stage("guard_ms", 35, "guardrail")),
    kpis=(Kpi("resolved", "higher", .75, .4), Kpi("escalated", "lower", .08, .35)),
    server="llm-server", store="kb-index", cache="prompt-cache", pipeline="kb-sync", labeler="csat-export", gateway="chat-api",
    vendors=("sentiment_api", "crm"), version="asst-2.3", next_version="asst-2.4", base=.68, signal=1.5, unseen=.6, threshold=.6,
    label_lag_hours=2, platform="entry", errors=("timeout", "rate_limited", "content_filter", "upstream_5xx"), text=True, gpu=True,
    extra=("wait_s", "kb_age_days", "prior_tickets", "seats", "urgency"),
)

MODERATION = World(
    name="moderation", service="post-moderation", task="multiclass",
    columns=(
        Cat("lang", ("en", "ar", "hi", "pt", "tr", "vi"), (.4, .15, .15, .14, .1, .06), .3, segment=True),
        Cat("post type", ("text", "image", "video", "link"), (.5, .25, .13, .12), .5, segment=True),
        Cat("client", ("Android", "iOS", "Web"), (.5, .3, .2), .2, segment=True, daily=.2),
        Cat("shard", ("s0", "s1", "s2", "s3"), (.25, .25, .25, .25), 0, segment=True, feature=False),
        Num("tox.lexicon", "unit", -2, 1.1, .9, "lexicon-svc", null=.005),
        Num("url.risk", "unit", -1.8, 1.2, .8, "urlscan", null=.01),
        Num("img.skin", "unit", -1.5, 1, .7, "vision-svc", null=.03),
        Num("img.violence", "unit", -2, 1, .6, "vision-svc", null=.03),
        Num("author.age_d", "lognormal", 5, 1.3, -.5, "store", null=.006, digits=0),
        Num("author.reports", "count", -.2, .9, .6, "store", null=.006),
        Num("chars", "lognormal", 4.4, .9, .2, digits=0),
        Num("caps", "unit", -2, .8, .3),
    ),
    names=Names("posted", "post id", "top_prob", "action", "review", "reviewed", "clf", "exception", "t_ms"),
    stages=(Stage("vision.ms", 70, "vision-svc"), Stage("text.ms", 20, "lexicon-svc"), Stage("fuse.ms", 9, "fusion")),
    kpis=(Kpi("appealed", "lower", .03, .2), Kpi("reported_again", "lower", .02, .15)),
    server="fusion", store="author-store", cache="author-cache", pipeline="author-stats", labeler="review-queue-export", gateway="ingest",
    vendors=("urlscan",), version="f-20", next_version="f-21", classes=("ok", "spam", "abuse", "adult"), class_probs=(.7, .15, .09, .06),
    signal=1.7, label_lag_hours=3, zone="shard", platform="client", errors=("DecodeError", "Timeout", "OutOfMemory"), gpu=True,
    extra=("emoji", "mentions", "hashtag_n", "repost_depth", "dup_score", "night", "followers"),
)
