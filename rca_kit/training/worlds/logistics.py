"""Quantities: delivery times and store demand."""

from __future__ import annotations

from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

ETA = World(
    name="eta", service="delivery-eta", task="regression",
    columns=(
        Cat("city", ("Lisboa", "Porto", "Madrid", "València", "Paris", "Lyon"), (.2, .12, .26, .12, .2, .1), .3, segment=True),
        Cat("vehicle", ("bike", "scooter", "car"), (.4, .4, .2), .4, segment=True, daily=.2),
        Cat("app", ("courier-3.4", "courier-3.5", "courier-3.6"), (.2, .5, .3), 0, segment=True, feature=False),
        Cat("cluster", ("eu-a", "eu-b"), (.55, .45), 0, segment=True, feature=False),
        Num("distance_m", "lognormal", 7.6, .55, .9, digits=0),
        Num("prep_minutes", "lognormal", 2.5, .4, .7, "store", null=.01, digits=1),
        Num("traffic_index", "normal", 1.2, .25, .6, "maps_api", null=.008, daily=.5),
        Num("route_seconds", "lognormal", 6.3, .5, .6, "maps_api", null=.008, digits=0),
        Num("courier_speed", "normal", 16, 4, -.5, "store", null=.012, digits=1),
        Num("items", "count", 1.0, .5, .25),
        Num("open_orders", "count", 1.6, .5, .4, daily=.6),
        Cat("weather", ("dry", "rain", "wind", "snow"), (.66, .22, .1, .02), .4, "weather_api", null=.004),
    ),
    names=Names("ordered_at", "order_id", "eta_min", "", "actual_min", "delivered_at", "model_tag", "error_code", "resp_ms"),
    stages=(Stage("maps_ms", 40, "maps_api"), Stage("lookup_ms", 12, "courier-store"), Stage("predict_ms", 8, "eta-server")),
    kpis=(Kpi("on_time", "higher", .93, .5), Kpi("refunded", "lower", .01, .15)),
    server="eta-server", store="courier-store", cache="geo-cache", pipeline="kitchen-stats-dag", labeler="delivery-events",
    vendors=("maps_api", "weather_api"), version="eta-7", next_version="eta-8", scale=(3.3, .4, .16), signal=1.0, unseen=0,
    label_lag_hours=.8, zone="cluster", platform="app", errors=("maps_timeout", "5xx", "invalid"),
    extra=("restaurant_load", "parking_score", "floor", "stairs", "batch_size", "courier_tenure_d", "temp_c", "wind_ms"),
)

DEMAND = World(
    name="demand", service="store-forecast", task="regression",
    columns=(
        Cat("store_type", ("hyper", "super", "express", "online"), (.2, .4, .3, .1), .5, segment=True),
        Cat("département", ("fruits & légumes", "bakery", "dairy", "frozen", "drinks"), (.25, .2, .22, .13, .2), .5, segment=True),
        Cat("warehouse", ("W1", "W2", "W3", "W4"), (.3, .3, .25, .15), .1, segment=True, feature=False),
        Num("sales_lag7", "lognormal", 3.2, .7, 1.0, "store", null=.01, digits=0),
        Num("sales_mean28", "lognormal", 3.2, .6, .8, "store", null=.005, digits=1),
        Num("price_eur", "lognormal", 1.1, .6, -.5, "erp", digits=2),
        Num("promo_depth", "unit", -2, 1, .5, "erp", digits=3),
        Num("stock_units", "lognormal", 4.2, .8, .2, "erp", null=.006, digits=0),
        Num("temp_forecast", "normal", 14, 7, .3, "meteo", null=.01, digits=1, daily=.4),
        Num("footfall", "lognormal", 6.4, .5, .5, "sensors", null=.02, digits=0, daily=.6),
        Cat("weekday_kind", ("work", "eve", "weekend"), (.57, .14, .29), .4),
    ),
    names=Names("forecast_time", "row_id", "forecast", "", "units_sold", "", "version", "status", "ms"),
    stages=(Stage("gather_ms", 60, "feature-mart"), Stage("predict_ms", 25, "forecaster")),
    kpis=(Kpi("in_stock", "higher", .96, .4), Kpi("wasted", "lower", .03, .25)),
    server="forecaster", store="feature-mart", cache="mart-cache", pipeline="sales-rollup", labeler="till-import", gateway="planning-api",
    vendors=("erp", "meteo"), version="1.18", next_version="1.19", scale=(3.2, .6, .22), signal=1.0, unseen=0,
    label_lag_hours=6, platform="store_type", errors=("timeout", "no_history"), error_rate=.002,
    extra=("shelf_cm", "days_to_expiry", "supplier_score", "competitor_price", "holiday_dist", "catalogue_page", "loyalty_share"),
)
