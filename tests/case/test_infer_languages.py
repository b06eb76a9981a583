"""Role inference by words of many languages, by what rows tell where words do not, and inputs that only look alike."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from made_logs import Draw, N, opened, times

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.inputs import kpi_direction
from rca_kit.case.names import STRONG_POINTS, tokens
from rca_kit.case.vocabulary import DECISION, ERROR, LABEL, LABEL_TIME, LATENCY, MODEL_VERSION, SCORE

WORDS = {
    "score": (SCORE, "score_pct güven olasılık Tahmini.Değer prawdopodobieństwo pewność przewidywana_cena kansScore VERTROUWEN "
                     "voorspelde.duur pravděpodobnost odhadCeny sannolikhet konfidens prognosVärde todennäköisyys "
                     "ennustettu_aika previsto_min probabilità confiança puntuación vorhergesagterPreis y_hat fcst_mw "
                     "mdl.prob acme_ai.score "
                     "ranker_conf prévision_kW forudsagt_tid"),
    "label": (LABEL, "werkelijkeDuur gerçekleşen_süre etiket rzeczywisty_czas etykieta skutečná_cena stitek faktiskTid "
                     "VERKLIG_TID toteutunut_aika todellinen_hinta valor_real_observado desfecho durata_effettiva "
                     "tatsächlicheDauer lbl_cls "
                     "gt_class act_mw obs_kwh tgt outc acme.truth étiquette_constaté uitkomst utfall"),
    "decision": (DECISION, "beslissing oordeel karar decyzja rozhodnutí beslut beslutning päätös decisione decisão entscheidung "
                           "przewidywana_klasa voorspelde_klasse tahmin_edilen_sınıf verdict model_dec dcsn"),
    "error": (ERROR, "foutmelding foutcode hata hata_kodu Błąd kod_błędu chyba kód_chyby felkod felmeddelande fejlkode "
                     "feilmelding virhekoodi Fehlermeldung message_erreur codice_errore código_erro fallo failReason ERR_CD "
                     "x_vendor.err"),
    "model_version": (MODEL_VERSION, "modelversie wersja_modelu verze_modelu model_sürümü modelVer mdl_ver Modellversion "
                                     "versão_modelo versione_modello modellversion"),
    "label_time": (LABEL_TIME, "label_ts confirmed_at seen_at arrival_ts bevestigd_op potwierdzono_o onaylandı_zaman bekräftad "
                               "vahvistettu_aika confirmado_en confermato_il confirmé_le outcome_at lbl_ts"),
}


@pytest.mark.parametrize("role", WORDS)
def test_words_of_a_role_in_many_languages(role):
    vocabulary, names = WORDS[role]
    weak = [n for n in names.split() if vocabulary.points(n) < STRONG_POINTS]
    assert not weak


def yes_no(name: str) -> ColumnSummary:
    return ColumnSummary(name, "numeric", "Int64", 2, 0.0, 0, 1, (0, 1))


def test_directions_of_business_outcomes_in_many_languages():
    good = ("memnuniyet ≥4", "parkeeractie gestart", "klant_tevreden", "zakup", "klient zadowolony", "objednáno", "köp",
            "ostettu", "acquistato", "comprou", "satisfaction_client", "converted", "conversione", "resolvido", "tilfreds",
            "gekauft")
    bad = ("yanlış aktarım", "şikayet", "iptal", "sessie afgebroken", "klacht", "terugbetaling", "odpowiedź toksyczna", "skarga",
           "eskalacja", "zrušeno", "reklamace", "klagomål", "avbruten", "annulleret", "peruttu", "reclamo", "rimborso",
           "cancelado", "abgebrochen", "wrongTransfer", "ESCALATED", "ontevreden", "memnuniyetsiz")
    assert {n: kpi_direction(yes_no(n)) for n in good} == dict.fromkeys(good, "higher")
    assert {n: kpi_direction(yes_no(n)) for n in bad} == dict.fromkeys(bad, "lower")


def test_words_that_only_look_alike_are_inputs():
    inputs = ("cancelFlex", "cancel_policy", "refundable", "refund_window", "klachten_30d", "returns_prev", "conversation_turns",
              "sales_channel", "free_cancellation", "iptal_90d", "satış_kanalı",
              "tevreden_vorig_jaar", "aantal_klachten", "poprzednie_reklamacje", "stress_index", "toxin")
    assert {n: kpi_direction(yes_no(n)) for n in inputs} == dict.fromkeys(inputs)
    assert LABEL.points("real_estate") < STRONG_POINTS > LABEL.points("act_type")
    assert SCORE.points("confidence_interval_of_vendor") < STRONG_POINTS > SCORE.points("temp_forecast")
    assert SCORE.points("score_threshold") < STRONG_POINTS > ERROR.points("forecast_error")
    assert MODEL_VERSION.points("app_version") < STRONG_POINTS > MODEL_VERSION.points("car_model")
    assert LATENCY.points("lat") == 0.0 and ERROR.points("hata_sayısı") < STRONG_POINTS


def test_letters_without_marks():
    assert tokens("SINIF_Bölge.çağrı") == ("sinif", "bolge", "cagri") and tokens("żródłoDanych") == ("zrodlo", "danych")
    assert tokens("Ørsted_MW") == ("orsted", "mw") and tokens("HOUR_LOCAL") == ("hour", "local")


def test_turkish_router_without_roles(tmp_path):
    d = Draw(31)
    truth = d.rng.choice(["fatura", "arıza", "iptal", "satış"], N)
    right = d.rng.random(N) < 0.8
    guess = np.where(right, truth, d.rng.choice(["fatura", "arıza", "iptal", "satış"], N))
    error = [None if v > 0.01 else "zaman aşımı" for v in d.rng.random(N)]
    oc = opened(tmp_path, {
        "zaman": times(), "çağrı.no": d.ids(), "bölge": d.cat("Ege", "Marmara"), "bekleme": d.num(),
        "güven": np.clip(0.5 * right + 0.5 * d.rng.random(N), 0, 1), "tahmin": guess, "etiket": truth, "hata": error,
        "sürüm": ["n8"] * N, "yanlış aktarım": (~right & (d.rng.random(N) < 0.7)).astype(int),
    })
    r = oc.roles
    assert (r.score, r.decision, r.label, r.error, r.model_version) == ("güven", "tahmin", "etiket", "hata", "sürüm")
    assert r.kpi == {"yanlış aktarım": "lower"} and r.features == ("bölge", "bekleme")


def test_an_unnamed_column_of_failures_is_the_error(tmp_path):
    d = Draw(32)
    said = [None if v > 0.02 else ("tijdslimiet" if v > 0.01 else "geen_antwoord") for v in d.rng.random(N)]
    code = [None if v > 0.1 else "SPRING10" for v in d.rng.random(N)]
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, "opm": said, "voucher": code})
    assert oc.roles.error == "opm" and "opm" not in oc.roles.features


def test_rare_words_that_are_no_failures_are_no_error(tmp_path):
    d = Draw(33)
    voucher = [None if v > 0.1 else ("SPRING10" if v > 0.05 else "WELCOME") for v in d.rng.random(N)]
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, "voucher": voucher})
    assert oc.roles.error is None and "voucher" in oc.roles.segments


def test_epochs_near_the_incident_are_times_of_any_name(tmp_path):
    d = Draw(34)
    late = np.arange(N) > N * 0.9
    stamp = [int(t.timestamp()) for t in times()]
    arrived = [None if gone else s + 7_200 for s, gone in zip(stamp, late, strict=True)]
    y = [None if gone else int(v) for v, gone in zip(d.y, late, strict=True)]
    account = d.rng.integers(1_000_000_000, 2_000_000_000, N)
    since = [int((t - timedelta(days=float(v))).timestamp()) for t, v in zip(times(), d.rng.random(N) * 3_000, strict=True)]
    oc = opened(tmp_path, {"tst": stamp, "prob": d.p, "lbl": y, "mtr": arrived, "acct": account, "member": since})
    r = oc.roles
    assert (r.time, r.score, r.label, r.label_time) == ("tst", "prob", "lbl", "mtr")
    assert "mtr" not in r.features
    assert oc.column("member").kind != "time" and oc.column("acct").kind != "time"


def test_what_arrives_with_the_label_is_no_input(tmp_path):
    d = Draw(35)
    late = np.arange(N) > N * 0.9
    y = [None if gone else int(v) for v, gone in zip(d.y, late, strict=True)]
    reviewer = [None if gone else v for v, gone in zip(d.cat("ann", "bob"), late, strict=True)]
    lost = [None if v > 0.9 else 1.5 * v for v in d.rng.random(N)]
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": y, "who": reviewer, "load": lost})
    assert oc.roles.features == ("load",) and "who" not in oc.roles.segments


def test_stages_add_up_to_the_whole_whatever_they_are_called(tmp_path):
    d = Draw(36)
    a, b, c = d.ms(10), d.ms(30), d.ms(5)
    oc = opened(tmp_path, {
        "ts": times(), "score": d.p, "label": d.y, "grab": a, "infer": b, "plc": c,
        "lat": a + b + c + 60 + np.abs(d.rng.normal(size=N)),
        "weight": np.abs(d.rng.normal(size=N)).round(3), "tokens": (b * 3 + d.rng.normal(size=N)).round(2),
    })
    assert oc.roles.latency_ms == "lat" and oc.roles.stages == ("grab", "infer", "plc")
    assert {"weight", "tokens"} <= set(oc.roles.features)


def test_latitude_is_no_latency(tmp_path):
    d = Draw(37)
    place = {"lat": 45 + d.rng.random(N) * 8, "lon": 4 + d.rng.random(N) * 8}
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, **place})
    assert oc.roles.latency_ms is None and {"lat", "lon"} <= set(oc.roles.features)


def test_a_time_that_is_not_always_there_follows_the_request(tmp_path):
    d = Draw(38)
    clicked = [t + timedelta(seconds=9) if v > 0.03 else None for t, v in zip(times(), d.rng.random(N), strict=True)]
    oc = opened(tmp_path, {"x_logged": clicked, "y_at": times(), "score": d.p, "label": d.y})
    assert oc.roles.time == "y_at"


def test_an_input_called_actual_beside_the_label(tmp_path):
    d = Draw(39)
    estate = d.cat("flat", "house")
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "is_fraud": d.y, "actual_price": d.num(50), "real_estate": estate})
    assert oc.roles.label == "is_fraud" and {"actual_price", "real_estate"} <= set(oc.roles.features)
