"""How clues and entries of the change log become hypotheses, and what the ledger makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.changes import Fit, fits, time_ratio
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import (
    NAMELESS,
    OTHER,
    Hypothesis,
    Scene,
    akin,
    foreign,
    hypotheses,
    owners_of,
    suppliers,
)
from rca_kit.loop.s4_suspects.ledger import LAPSE, TOO_MODEST, charges, evidence, probabilities
from rca_kit.loop.s4_suspects.next_test import chain, title

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def change(key: str, component: str, text: str = "limit edited") -> ChangeRecord:
    return ChangeRecord(key, MONDAY, "config_change", component, text)


def test_errors_without_a_component_are_laid_at_the_blamed_change_s() -> None:
    clue = Clue("error_types", "component:", "error:timeout", "more time-outs", 0.9)
    fits = [Fit(change("c1", "ranker"), 3.0, 0.0, "silent", {}), Fit(change("c2", ""), 3.0, 0.0, "silent", {})]
    found = hypotheses([clue], fits, Scene("service", 10, ()))
    assert {(h.subject, h.change_id) for h in found[:-1]} == {(NAMELESS, None), ("component:ranker", "c1"), (NAMELESS, "c2")}


@pytest.mark.parametrize(("kind", "subject"), [
    ("calendar", NAMELESS), ("other", NAMELESS), ("config_change", "component:field-ops")])
def test_what_people_do_is_no_component_that_fails(kind: str, subject: str) -> None:
    entry = ChangeRecord("c1", MONDAY, kind, "field-ops", "site refresh")
    clue = Clue("error_types", "component:", "error:limit", "429", 0.9)
    found = hypotheses([clue], fits((entry,), (MONDAY, MONDAY), 600.0, ()), Scene("service", 10, ()))
    assert {h.subject for h in found[:-1] if h.change_id == "c1"} == {subject}



@pytest.mark.parametrize(("harm", "innocent"), [(0.95, True), (0.4, False)])
def test_a_feature_that_drifts_does_not_slow_what_one_stage_slows(harm: float, innocent: bool) -> None:
    slow = Clue("stage_latency", "stage:rates_ms", "slow", "slower", 0.9, harm=harm)
    drift = Clue("drift", "feature:wait", "drift", "went up", 0.6)
    null = Clue("nulls", "feature:age", "nulls", "null", 0.9, harm=0.5)
    marked = {h.subject for h in two(slow, drift, null) if "carried_elsewhere" in h.x}
    assert marked == ({"feature:wait"} if innocent else set())


def test_errors_on_a_range_of_values_are_made_by_the_code_that_reads_them() -> None:
    clue = Clue("error_types", "component:", "error:other", "error 'X' in 20% of requests", 0.9)
    band = Segment({"visits": {"ge": 7.0}})
    for segments, subject in (((band,), "feature:visits"), ((), "component:service"), ((band, band), "component:service")):
        found = hypotheses([clue], [], Scene("service", 10, segments, features=("visits",)))[:-1]
        assert {h.subject for h in found} == {subject}
        assert ("infra" in {h.category for h in found}) is (subject == "component:service")


def test_each_of_more_entries_is_less_likely_the_guilty_one() -> None:
    clue = Clue("null_rate", "feature:amount", "nulls", "nulls", 0.9)
    few, many = ([Fit(change(f"c{i}", "store"), 3.0, 0.0, "silent", {}) for i in range(n)] for n in (1, 9))
    unlogged = [sum(probabilities(h)[i] for i, x in enumerate(h[:-1]) if x.change_id is None)
                for h in (hypotheses([clue], f, Scene("quality", 10, ())) for f in (few, many))]
    one = [max(c.probability for c in charges(hypotheses([clue], f, Scene("quality", 10, ()))) if c.best.change_id == "c0")
           for f in (few, many)]
    assert unlogged[0] < 1
    assert one[0] > one[1]


def test_a_suspect_s_probability_is_that_of_its_category() -> None:
    fit = Fit(change("c1", "store"), 3.0, 0.0, "silent", {})
    two = [Hypothesis(c, "feature:x", fit, (), {"harm": h}) for c, h in (("data", 6.0), ("code", 5.0))]
    found = [*two, OTHER]
    p = probabilities(found)
    (charge,) = charges(found)
    assert charge.best.category == "data"
    assert charge.probability == pytest.approx((p[0] + p[1]) * (p[0] / (p[0] + p[1])) ** TOO_MODEST)
    assert p[0] < charge.probability < p[0] + p[1]
    assert p.sum() == pytest.approx(1.0)
    assert p[-1] >= LAPSE


@pytest.mark.parametrize(("lead", "first"), [(0.0, None), (3.0, "c1")])
def test_of_several_changes_that_fit_none_is_accused_before_the_thing(lead: float, first: str | None) -> None:
    clue = Clue("null_rate", "feature:x", "nulls", "nulls", 0.9)
    fits_ = {c: Fit(change(c, "store"), 3.0, 0.0, "silent", {}) for c in ("c1", "c2")}
    weighed = [(None, 0.2), ("c1", 0.1 + lead), ("c2", 0.1)]
    found = [*(Hypothesis("data", "feature:x", fits_.get(c or ""), (clue,), {"harm": h}) for c, h in weighed), OTHER]
    told = charges(found)
    assert told[0].best.change_id == first
    assert sum(c.probability for c in told) <= 1 - LAPSE
    thing = next(c for c in told if c.best.change_id is None)
    assert (thing.perhaps is None) is (first is not None)
    if first is None:
        assert thing.probability == pytest.approx(probabilities(found)[:-1].sum())
        assert thing.perhaps is not None
        assert thing.perhaps.change_id in fits_
        assert f"perhaps {thing.perhaps.change_id}" in title(thing.best, thing.perhaps)
        assert any(thing.perhaps.change_id in e.says for e in evidence(thing.best, thing.perhaps))


def two(first: Clue, *others: Clue, components: tuple[str, ...] = (), logged: tuple[Fit, ...] = ()) -> list[Hypothesis]:
    return hypotheses([first, *others], list(logged), Scene("quality", 10, (), components=components))


def test_a_category_answers_for_all_that_its_subject_shows() -> None:
    alone = Clue("alone", "feature:x", "alone", "moved alone", 0.9)
    drift = Clue("drift", "feature:x", "drift", "drifted", 0.8)
    by = {h.category: h.x for h in two(alone, drift)[:-1]}
    assert by["external"]["category:unfit"] == 0.9  # one feature alone is not what a change of who comes leaves
    assert "category:unfit" not in by["code"]


def test_a_fault_explains_the_relation_it_broke_and_a_stand_in_the_version_it_is() -> None:
    swapped = Clue("swapped", "feature:x", "swapped", "holds y", 0.95)
    stale = Clue("relation", "feature:x", "stale", "no longer goes with z", 0.9)
    assert {c.signature for h in two(swapped, stale)[:-1] for c in h.clues} == {"swapped"}
    version = Clue("version", "model:fallback", "version", "new", 0.9)
    for stand_in, subjects in ((1.0, {"routing"}), (0.0, {"routing", "model:fallback"})):
        routed = Clue("routing", "routing", "rerouted", "stands in", 0.9, facts={"stand_in": stand_in})
        assert {h.subject for h in two(version, routed)[:-1]} == subjects


def logged(component: str, text: str = "limit edited") -> Fit:
    entry = ChangeRecord("c1", MONDAY, "infra_change", component, text)
    return fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]


@pytest.mark.parametrize(("component", "evidence"), [
    ("ratehub-partner", "change:akin"), ("inventory-db", "change:other_component"), ("", None)])
def test_a_stage_belongs_to_the_component_akin_to_it(component: str, evidence: str | None) -> None:
    slow = Clue("stage_latency", "stage:rates_ms", "slow", "slower", 0.9)
    found = two(slow, components=("ratehub-partner", "inventory-db"), logged=(logged(component),))
    x = next(h.x for h in found if h.change_id == "c1")
    assert {k for k in x if k in ("change:akin", "change:other_component")} == ({evidence} if evidence else set())
    assert {h.category for h in found if "owner:outside" in h.x} == {"upstream"}


@pytest.mark.parametrize(("text", "aside"), [
    ("weekly vacuum", True),
    ("feature docs url updated", True), ("Dashboards migrated", True), ("log level info -> warn", True),
    ("unit tests and typing, no functional change", True), ("header size limits documented and set", False),
    ("guard wording added to the preamble", False), ("new key for device_type", False), ("color space of images: BGR", False),
    ("catalog rewritten", False), ("team offsite", True),
    ("added row-count check, warn only", True), ("refactor, no behaviour change", True), ("Übersetzungen", True),
    ("client deadline shortened", False), ("keys renumbered", False), ("promoted from staging", False),
    ("town hall on Thursday", True), ("two new hires start", True), ("debug logging off", True), ("button colour test", True),
    ("raw events for analysts, weekly export", True), ("invoices as PDF", True), ("penetration test announced", True),
    ("strict typing: missing values become 0", False), ("debug snapshot kept on each call", False),
    ("retry budget set to 0", False),
    ("retention shortened to 7 days", False), ("failover to the backup", False), ("banner on the start page", False),
    ("trade fair in town", False), ("certificate rotation", False), ("colour read as BGR", False),
    ("audit record per call", False),
    ("docs re-embedded", False), ("comments are scored too", False), ("desk move", True), ("model card updated", True),
    ("quota of sandbox project", True), ("sandbox migrated, check credentials", False), ("survey for customers", True),
    ("quarterly audit", True), ("flag archived, evaluated for nobody: no request is touched", True),
    ("rewritten parser of amounts, faster by half, used by all services from now on; release notes in the usual place", False),
    ("100% unit test coverage kept", False), ("view for controlling", True),
    ("orders_archive widened", True), ("old runs archived", True),
])
def test_entries_that_touched_nothing_that_serves_say_so(text: str, aside: bool) -> None:
    assert (logged("edge", text).aside >= 0.5) is aside


@pytest.mark.parametrize(("component", "aside"), [("staging", True), ("ci-runner", True), ("wiki", True), ("citi-gateway", False),
                                                  ("docs-index", False), ("bidder", False)])
def test_entries_about_what_answers_no_request_touched_nothing(component: str, aside: bool) -> None:
    assert (logged(component).aside >= 0.5) is aside


@pytest.mark.parametrize(("strength", "expected"), [(0.9, 0.9), (None, None)])
def test_had_the_world_moved_labels_would_follow_a_feature_still(strength: float | None, expected: float | None) -> None:
    alone = Clue("alone", "feature:x", "alone", "moved alone", 0.9)
    drift = Clue("drift", "feature:x", "drift", "drifted", 0.8)
    concept = [Clue("concept", "population", "concept", "labels differ", strength)] if strength else []
    found = [h for h in two(alone, drift, *concept)[:-1] if h.subject == "feature:x"]
    assert {h.category: h.x.get("estranged:external") for h in found}["external"] == expected
    assert all("estranged:external" not in h.x for h in found if h.category != "external")


def test_a_chain_names_each_link_once() -> None:
    cache = Clue("service_metrics", "component:store", "metric:cache", "cache hits fell", 0.9)
    nulls = Clue("null_rate", "feature:x", "nulls", "x lost values", 0.9)
    alone = Clue("alone", "feature:x", "alone", "x moved while others did not", 0.8)
    fit = logged("store", "new keys")
    h = next(h for h in two(cache, components=("store",), logged=(fit,)) if h.change_id == "c1")
    told = chain(h, "auc", tuple(Outcome(c.check, "", "data", "free", (c,)) for c in (cache, nulls, alone)))
    assert told == ("auc", "x lost values", "cache hits fell", "c1: new keys")


def unlogged(*names: str, signature: str = "unit") -> float:
    clues = [Clue("value_range", f"feature:{n}", signature, f"{n} broke", 0.9) for n in names]
    found = hypotheses(clues, [Fit(change("c1", "gateway"), 0.0, 90.0, "silent", {})], Scene("quality", 10, ()))
    return max((c.probability for c in charges(found) if c.best.change_id is None and c.best.category == "upstream"), default=0.0)


def test_features_that_broke_in_the_same_way_are_one_suspect() -> None:
    clues = [Clue("value_range", f"feature:{n}", "unit", f"{n} broke", 0.9) for n in ("width", "depth")]
    found = hypotheses([*clues, Clue("drift", "feature:hue", "drift", "hue drifted", 0.6)], [], Scene("quality", 10, ()))
    assert {h.subject: h.twins for h in found[:-1]} == {
        "feature:width": ("feature:depth",), "feature:depth": ("feature:width",), "feature:hue": (),
    }
    accused = charges(found)
    assert len([c for c in accused if c.best.subject in ("feature:width", "feature:depth")]) == 1
    wide = next(h for h in found if h.subject == "feature:width" and h.category == "upstream")
    assert "depth changed in the same way" in {e.says for e in evidence(wide)}
    assert unlogged("width", "depth") > unlogged("width")


@pytest.mark.parametrize(("corrupt", "told"), [(frozenset({"label"}), {"model:v2"}), (frozenset(), set())])
def test_what_is_new_beside_lost_labels_did_nothing(corrupt: frozenset[str], told: set[str]) -> None:
    lost = Clue("label_share", "label", "labels_lost", "labels missing", 0.9)
    new = Clue("version", "model:v2", "version", "v2 came", 0.7)
    found = hypotheses([lost, new], [], Scene("labels", 10, (), version="v2", corrupt=corrupt))
    assert {h.subject for h in found if "bystander" in h.x} == told


@pytest.mark.parametrize(("guests", "told"), [(frozenset({"traffic", "population"}), {"traffic"}), (frozenset(), set())])
def test_who_came_spoilt_no_values(guests: frozenset[str], told: set[str]) -> None:
    default = Clue("default_value", "feature:x", "default", "6.09 in 28% of requests", 0.9)
    more = Clue("volume", "traffic", "surge", "more requests", 0.9)
    found = hypotheses([default, more], [], Scene("input", 10, (), guests=guests))
    assert {h.subject for h in found if "bystander" in h.x} == told


@pytest.mark.parametrize("came", [True, False])
def test_a_campaign_that_brought_nobody_is_believed_less(came: bool) -> None:
    entry = ChangeRecord("c1", MONDAY, "campaign", "marketing", "spring offer")
    fit = fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]
    fell = Clue("downstream", "population", "downstream", "KPI fell", 0.8)
    others = (Clue("mix", "population", "mix", "more of them", 0.7),) if came else ()
    x = next(h.x for h in two(fell, *others, logged=(fit,)) if h.change_id == "c1" and h.category == "external")
    assert ("change:no_guests" in x) is not came


@pytest.mark.parametrize(("name", "component", "expected"), [
    ("netMs", "layoutNet", True), ("rates_ms", "ratehub-partner", True), ("svc.scoreMs", "svc-db", False),
    ("api_ms", "api-gw", False),
    ("new_users", "new-relay", False), ("ocrMs", "ocr-farm", True), ("température °C", "meteo-feed", True),
    ("odległość km", "maps-api", True), ("wind_mps", "maps-api", False), ("venta", "meteo-feed", False)])
def test_names_are_akin_by_a_stem_or_a_short_word(name: str, component: str, expected: bool) -> None:
    assert akin(name, component) is expected



@pytest.mark.parametrize(("text", "everywhere", "on_mobile"), [
    ("normalise prices on the device", "change:names_subject", "change:names_subject"),
    ("new layout on the device", "change:names_other_feature", "")])
def test_a_segment_that_an_entry_names_is_a_place_and_no_other_feature(text: str, everywhere: str, on_mobile: str) -> None:
    clue = Clue("unit_factor", "feature:feat_price", "unit", "x 100", 1.0)
    entry = Fit(change("c1", "web", text), 0.0, 0.0, "silent", {})
    for segments, expected in (((), everywhere), ((Segment({"device": "mobile"}),), on_mobile)):
        found = hypotheses([clue], [entry], Scene("quality", 10, segments, features=("feat_price", "device")))
        named = {n for h in found if h.change_id for n in h.x if n.startswith("change:names")}
        assert named == ({expected} if expected else set())


def test_what_speaks_against_says_what_it_usually_is() -> None:
    clue = Clue("drift", "feature:price", "drift", "price drifted", 1.0)
    by = {h.category: evidence(h) for h in hypotheses([clue], [], Scene("quality", 10, ()))[:-1]}
    says = {c: next(e.says for e in found if e.check == "drift") for c, found in by.items()}
    assert says["external"] == "price drifted"
    assert says["code"] == "price drifted (more often an external cause)"


def test_notices_come_late_and_what_systems_record_does_not() -> None:
    late = MONDAY + timedelta(hours=5)
    early = MONDAY - timedelta(minutes=5)
    week = 7 * 24 * 60.0
    notice, deploy = (time_ratio(late, (MONDAY, MONDAY), week, kind)[0] for kind in ("upstream_notice", "code_deploy"))
    assert notice > 0.3 and deploy < notice - 2
    assert time_ratio(early, (MONDAY, MONDAY), week, "code_deploy") > time_ratio(early, (MONDAY, MONDAY), week, "upstream_notice")


def test_suppliers_are_those_that_notices_are_about() -> None:
    def logged_as(kind: str, component: str) -> Fit:
        return Fit(ChangeRecord("c", MONDAY, kind, component, ""), 0.0, 0.0, "silent", {})
    entries = (("upstream_notice", "werkstatt-net"), ("config_change", "werkstatt-net"), ("code_deploy", "shop"))
    fits = [logged_as(*e) for e in entries]
    assert suppliers(fits) == {"werkstatt-net"}
    assert foreign("feature:werkstatt_score", (), suppliers(fits)) and not foreign("feature:werkstatt_score", ())
    assert owners_of("feature:werkstatt_score", ("fraud-scorer", "werkstatt-net")) == ("werkstatt-net",)


def test_a_new_version_is_logged_whether_it_does_harm_or_not() -> None:
    clue = Clue("version", "model:v2", "version", "v2 serves all", 0.9)
    entry = ChangeRecord("c1", MONDAY, "model_deploy", "scorer", "rollout v2", "", "v1", "v2")
    fit = fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]
    x = {h.change_id: h.x for h in hypotheses([clue], [fit], Scene("quality", 10, ()))[:-1] if h.category == "model"}
    assert x["c1"]["version:logged"] == x[None]["version:logged"] == 1.0
    assert "version:logged" not in next(iter(hypotheses([clue], [], Scene("quality", 10, ())))).x


@pytest.mark.parametrize(("error", "component", "accused"), [
    ("supplier_502", "review-queue", False), ("supplier_502", "MediKnow", True), ("bad gateway", "review-queue", True),
])
def test_an_error_that_names_a_supplier_is_none_of_our_own_parts(error: str, component: str, accused: bool) -> None:
    where = {"column": "e", "op": "in", "values": [error]}
    failed = Clue("error_types", "component:", "error:upstream", f"error {error!r}", 0.9, where=where)
    entry = ChangeRecord("c1", MONDAY, "infra_change", component, "one node drained")
    fit = fits((entry,), (MONDAY, MONDAY), 10_000.0, ())[0]
    found = hypotheses([failed], [fit], Scene("service", 30, (), components=("review-queue",)))
    assert any(h.change_id == "c1" for h in found) is accused


def test_who_comes_is_not_blamed_for_a_feature_where_labels_stayed() -> None:
    clues = [Clue("drift", "feature:hue", "drift", "hue drifted", 0.6)]
    chances = []
    for stayed in (False, True):
        accused = charges(hypotheses(clues, [], Scene("quality", 10, (), stayed=stayed)))
        chances.append(sum(c.probability for c in accused if c.best is not None and c.best.category == "external"))
    assert chances[0] > 0.2
    assert chances[1] < chances[0] / 4


@pytest.mark.parametrize(("odds", "both"), [(0.0, True), (-1.0, True), (-3.0, False)])
def test_the_world_stays_a_suspect_while_it_is_open_whose_values_labels_left(odds: float, both: bool) -> None:
    stale = Clue("relation", "feature:x", "stale", "labels follow x half as much", 0.9, facts={"labels": 1.0, "world_odds": odds})
    world = Clue("concept", "population", "concept", "labels differ from what the same features meant", 0.7)
    subjects = {h.subject for h in two(stale, world)[:-1]}
    assert subjects == ({"feature:x", "population"} if both else {"feature:x"})


@pytest.mark.parametrize(("column", "told"), [("kind", {"feature:kind"}), ("shop", {"feature:kind", "traffic"})])
def test_requests_under_another_name_are_not_lost(column: str, told: set[str]) -> None:
    renamed = Clue("categories", "feature:kind", "permuted", "values swapped places", 0.8)
    fewer = Clue("segment_volume", "traffic", "segment_lost", "requests x0.2", 0.9, where={"column": column, "values": ["a"]})
    assert {h.subject for h in two(renamed, fewer)[:-1]} == told


@pytest.mark.parametrize(("column", "features", "told"), [
    ("plate_reader", ("plate_reader", "age"), True), ("plate_reader", ("age",), False), ("region", ("region",), False),
    ("gpu_pool", ("gpu_pool",), False)])
def test_machines_do_not_look_at_what_is_asked(column: str, features: tuple[str, ...], told: bool) -> None:
    failed = Clue("error_types", "component:reader", "error:other", "internal_500", 0.8)
    scene = Scene("service", 10, (Segment({column: "AX-20"}),), features=features)
    by = {h.category: h.x for h in hypotheses([failed], [], scene)[:-1]}
    assert ("asked:infra" in by["infra"]) is told
    assert not any("asked:infra" in x for c, x in by.items() if c != "infra")
