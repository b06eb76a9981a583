"""The words by which columns of each role are called, without accents: English, then languages of Europe and the Americas."""

from __future__ import annotations

from rca_kit.case.names import Vocabulary, words

COUNTS = words("aantal anzahl nombre nb cantidad sayisi liczba pocet antal antall maara conteggio quantidade")
# what a number tells of something, be that an e-mail or a key: no identifier of it
QUANTITIES = COUNTS | words("total sum count counts rate ratio share score age days hours len length size mean avg per presses")
PAST = COUNTS | words("vorig vorige eerder afgelopen laatste gemiddeld gemiddelde sinds letzte letzter letzten seit vorher "
                      "durchschnitt precedent precedents precedente precedenti dernier derniers derniere moyenne taux depuis "
                      "anterior anteriores ultimo ultimos ultimi promedio tasa tasso storico onceki gecmis ortalama orani "
                      "poprzedni poprzednie ostatni ostatnie srednia predchozi posledni prumer tidigare senaste snitt "
                      "tidligere seneste siste edellinen viime keskiarvo avg mean prev previous last past hist history "
                      "historical count cnt num n total sum ratio rate median std max min 7d 14d 28d 30d 90d 1h 24h days hours "
                      "lifetime ever since ago prior trailing rolling frequency freq")
"""Words of aggregates over the past: such a column is an input, never what happened now."""

TIME = Vocabulary(
    words("ts timestamp time datetime date dt event_time event_ts event_timestamp request_time request_ts requested_at created "
          "created_at logged_at log_time occurred_at received_at when at event_date request_timestamp served_at scored_at zeit "
          "zeitstempel zeitpunkt datum uhrzeit heure horodatage date_heure date_requete fecha hora fecha_hora marca_temporal "
          "marca_de_tiempo data_ora data_hora momento prediction_time inference_time scoring_time date_time tst tstamp tms "
          "stamp tijdstip tijd datum_tijd moment zaman zaman_damgasi tarih tarih_saat istek_zamani czas data_czas "
          "znacznik_czasu cas datum_cas casove_razitko tidpunkt tidsstampel tidspunkt tidsstempel aika aikaleima instante"),
    words("shown displayed ts timestamp time datetime zeit zeitstempel horodatage heure fecha hora requested created logged "
          "occurred received served scored anfrage tijdstip tijd aanvraag zaman tarih istek czas zapytania cas pozadavku "
          "tidpunkt tidspunkt tidsstampel tidsstempel aikaleima pyynto richiesta ora stamp"),
    words("date at when dt datum data event request"),
    words("geburt geboorte nascita urodzenia narozeni dogum fodsel fodelse syntyma naissance nacimiento nascimento registratie "
          "rejestracji registrace kayit inscription click clicked label labelled labeled feedback outcome settled delivered "
          "delivery completed finished end ended closed resolved updated modified expires expiry birth dob signup registered "
          "registration joined last first due deploy deployed release chargeback paid response responded ready feature "
          "refreshed snapshot partition confirmed reviewed truth arrival arrived dropoff scheduled promised estimated eta "
          "computed ingested loaded processed churned etikettiert bewertet bevestigd beoordeeld afgerond label_ontvangen "
          "bestatigt abgeschlossen onay onaylandi sonuc potwierdzenia potwierdzono zakonczenia potvrzeno uzavreno bekraftad "
          "avslutad bekraeftet afsluttet vahvistettu paattynyt confirme confirmee cloture confirmado cerrado confermato chiuso "
          "fechado"),
)
LABEL_TIME = Vocabulary(
    words("label_time label_ts labelled_at labeled_at label_at label_timestamp truth_time outcome_time feedback_time "
          "chargeback_at settled_at confirmed_at reviewed_at label_received_at delivered_at feedback_at"),
    words("label labelled labeled truth outcome feedback settled chargeback confirmed reviewed verified annotated resolved "
          "delivered etikettiert bewertet etiquetado etiquete arrival arrived seen observed bevestigd beoordeeld waargenomen "
          "aangekomen bestatigt eingetroffen onaylandi dogrulandi potwierdzono potwierdzenia zaobserwowano potvrzeno bekraftad "
          "bekraeftet bekreftet vahvistettu confirme constate confirmado observado confermato osservato lbl"),
    words("completed closed known"),
    words("feature deploy signup last registered birth"),
)
REQUEST_ID = Vocabulary(
    words("request_id req_id requestid rid id uuid trace_id transaction_id txn_id tx_id event_id correlation_id prediction_id "
          "inference_id call_id impression_id query_id trip_id order_id conversation_id message_id anfrage_id requete_id "
          "solicitud_id id_requete id_anfrage id_solicitud rid aanvraag_nr aanvraagnr aanvraagnummer istek_no istek_id "
          "cagri_no numer_zapytania id_zapytania cislo_pozadavku richiesta_id id_richiesta"),
    words("request req trace transaction txn event correlation prediction inference anfrage requete solicitud richiesta "
          "aanvraag istek cagri zapytanie zapytania zgloszenie pozadavek pozadavku begaran foresporgsel pyynto pedido pratica"),
    words("id uuid guid impression query trip order message"),
    words("user customer client account merchant device item product session seller driver kunde cliente"),
)
MODEL_VERSION = Vocabulary(
    words("model_version model_ver modelversion model_id model_name model_release version_modele modell_version modellversion "
          "version_modelo versione_modello modelversie versao_modelo wersja_modelu verze_modelu model_surumu mdl_ver mv llm "
          "deployed_model served_model serving_model model_tag model_revision"),
    words("model modell modele modelo modello mdl ranker classifier clf net scorer scorecard predictor llm estimator regressor "
          "recommender weights checkpoint champion detector modeli modelu modellen mallin malli"),
    words("version ver release revision champion challenger weights checkpoint tag surum surumu versie wersja verze versao "
          "versione versjon versio utgave build"),
    words("machine maschine motor truck app client os sdk browser firmware user schema api device phone car vehicle product "
          "catalog feature make brand handset camera kamera tokenizer library lib score cost ms uygulama applicatie aplikacja "
          "aplikacji aplikace aplicacion aplicativo appli cihaz urzadzenie toestel plan pricing year arac auto samochod "
          "voiture coche vendor maker manufacturer scanner printer sensor meter"),
)
ERROR = Vocabulary(
    words("error error_type error_code error_class error_name err err_type exception exception_type failure failure_reason "
          "failure_type fehler fehlercode fehlertyp fehlerart erreur type_erreur code_erreur tipo_error codigo_error errore "
          "tipo_errore erro tipo_erro status_code http_status http_code response_code http_status_code is_error has_error "
          "failed fail fail_reason errcd errno errmsg error_message err_msg"),
    words("error err exception failure fault fehler erreur errore erro fallo crash fail fout storing hata hatasi blad bledu "
          "chyba chyby fel fejl feil falha guasto echec awaria exc excp"),
    words("status failed http"),
    words("sayisi aantal anzahl liczba pocet antal nombre numero hist prev rate squared abs mae rmse margin payment order "
          "marital employment account loan count cnt pct percent claim residual mean prediction membership subscription "
          "forecast pred predicted detected login logins retries days since"),
    ("fehlerm", "fehlerc", "fehlert", "fehlera", "fehlerk", "fehlerg", "foutm", "foutc", "foutt", "foutr", "foutk", "felkod",
     "felmedd", "feltyp", "fejlk", "fejlm", "fejlt", "feilk", "feilm", "feilt", "virhe"),
)
FAILURE_VALUES = (
    "timeout", "timed", "time out", "deadline", "exceed", "unavailable", "unreachable", "refused", "overflow", "error",
    "fail", "exception", "abort", "no response", "no answer", "throttl", "rate limit", "crash", "disconnect", "out of memory",
    "handshake", "5xx", "500", "502", "503", "504", "upstream", "invalid", "tijdslimiet", "geen antwoord", "fout",
    "onbereikbaar", "zeituberschreitung", "keine antwort", "fehler", "abbruch", "delai", "expire", "indisponible",
    "pas de reponse", "erreur", "agotado", "excedid", "sin respuesta", "caido", "scadut", "nessuna risposta", "esaurit",
    "errore", "esgotad", "sem resposta", "falha", "przekroczon", "brak", "niedostepn", "blad", "vyprsel", "chyb", "nedostupn",
    "zaman asimi", "yanit yok", "hata", "ulasilam", "tidsgrans", "inget svar", "intet svar", "overskred", "fejl",
    "aikakatkais", "ei vastausta", "virhe",
)
"""Beginnings of words that the values of an error column have, whatever its name."""
LATENCY = Vocabulary(
    words("latency latency_ms total_ms total_latency total_latency_ms duration_ms response_time response_time_ms elapsed_ms "
          "elapsed request_ms e2e_ms e2e_latency_ms rt rt_ms took_ms took latence latence_ms latenz latenz_ms latencia "
          "latencia_ms dauer_ms antwortzeit antwortzeit_ms gesamt_ms temps_reponse temps_de_reponse_ms tiempo_respuesta_ms "
          "tempo_risposta_ms ms millis latency_total_ms request_latency_ms server_time_ms processing_time_ms latenza "
          "latenza_ms end_to_end_ms duration duree duracion durata dauer duracao responstijd antwoordtijd reactietijd svarstid "
          "vasteaika czas_odpowiedzi doba_odezvy yanit_suresi cevap_suresi gecikme opoznienie latentie latens zpozdeni viive "
          "tempo_resposta tempo_de_resposta tempo_di_risposta temps_de_reponse tiempo_de_respuesta ltncy duur"),
    words("total latency latence latenz latenza latencia e2e overall gesamt antwortzeit response elapsed"),
    words("request took duration dauer duree duracion durata"),
)
DURATION_UNITS = words("ms msec millis millisecond milliseconds millisekunden latency latence latenz latenza latencia latentie "
                       "latens gecikme opoznienie ltncy milisaniye milisekundy milisekund millisekunder milliseconden")
DURATIONS = words("duration dauer duree duracion durata duracao duur sure suresi czas trvani doba tid tijd zeit temps tiempo "
                  "tempo varaktighet varighed varighet kesto aika elapsed")
WHOLE_REQUEST = words("total totale totaal totalt gesamt toplam celkem celkova celkovy calkowity lacznie laczny razem yhteensa "
                      "overall response antwort reponse respuesta risposta resposta antwoord yanit cevap odpowiedzi odpovedi "
                      "svar vastaus processing verarbeitung traitement elaborazione procesamiento processamento verwerking "
                      "przetwarzania zpracovani isleme behandling request anfrage requete richiesta aanvraag istek")
"""Words of a duration, and those which say that it is the one of the whole request."""
DURATION_HINTS = DURATIONS | words("time took seconds secs us")
NOT_SERVING = words("dwell session age watch watched page gap since interval eta trip travel delivery wait drive ride listen "
                    "play predicted actual playback view viewing airtime video clip song pay payment contract loan term lead "
                    "typing scroll hover keystroke idle")
"""Durations that belong to the world, not to answering the request."""

PREDICTED = (
    "voorspel", "vorhergesag", "prognos", "prognoz", "tahmin", "ongoru", "przewidyw", "przewidzian", "szacowan", "predik",
    "predpov", "predpokl", "odhad", "forutsag", "forutset", "forudsag", "beraknad", "ennuste", "arvioit", "geschat",
    "pronost", "predich", "previst", "predett", "stimat", "estimad",
)
"""Beginnings of words for what a model foresaw: a number or a class."""
SCORE = Vocabulary(
    words("score scores p prob proba probability pred prediction y_hat yhat p_hat phat y_pred y_score y_prob y_proba estimate "
          "forecast output model_output model_score eta predicted confidence propensity predicted_value predicted_probability "
          "pred_score pred_proba prediction_score punteggio puntuacion puntaje pontuacao wahrscheinlichkeit vorhersage "
          "prognose probabilite prevision prediccion probabilidad probabilita previsione previsao p_click pctr pcvr p_fraud "
          "p_churn p_default risk_score fraud_score relevance_score model_confidence top1_confidence"),
    words("score scores prob proba probability hat yhat phat pred predicted prediction forecast estimate estimated propensity "
          "likelihood confidence conf logit logits eta pctr pcvr punteggio puntuacion puntaje pontuacao wahrscheinlichkeit "
          "vorhersage prognose geschatzt schatzung probabilite prevision estime estimation prediccion estimado probabilidad "
          "probabilita previsione stimato previsao konfidenz confiance confianza prevista previsto prevu prevue predit predite "
          "fc fcst fcast fct fcv prd_val scr skor skore puan poang kans kansscore waarschijnlijkheid vertrouwen zekerheid "
          "vertrauen pewnosc ufnosc jistota konfidens varmuus luottamus guven olasilik prawdopodobienstwo pravdepodobnost "
          "sannolikhet sandsynlighed sannsynlighet todennakoisyys fiducia confidenza confianca prb cnf"),
    words("expected erwartet erwartete verwacht verwachte attendu attendue atteso attesa esperado esperada beklenen oczekiwany "
          "oczekiwana ocekavany ocekavana forventet forvantad odotettu wynik ocena p risk risiko risque riesgo rischio risco "
          "relevance rank_score similarity model output margin certainty"),
    words("credit bureau fico review rating user item quality seller merchant ip device host ms latency id version class band "
          "bucket level tier domain reputation email threshold interval vendor supplier leverancier lieferant esik prog "
          "drempel schwelle seuil umbral soglia prag weather temp temperature temperatur temperatuur temperatura wind rain "
          "humidity meteo wetter weer pogoda sicaklik yagis surumu error fout hata"),
    PREDICTED,
)
LABEL = Vocabulary(
    words("label labels y y_true target truth ground_truth groundtruth gt outcome actual actuals true_label label_true "
          "true_class class_true actual_value actual_class ziel zielvariable etikett wahrheit etiqueta objetivo verdad cible "
          "verite etichetta verdade rotulo is_fraud fraud fraudulent chargeback churned is_churn churn defaulted is_default "
          "is_spam spam actual_label true_value observed observed_value human_label gold act obs tgt lbl outc"),
    words("label labels truth target outcome actual gt observed realised realized true tatsachlich tatsachliche wirklich echt "
          "reel reelle reels etiqueta etikett annotated annotation gold human confirmed verified wahr ist vrai verdadero vero "
          "effettivo efectivo groundtruth act obs rlzd tgt lbl outc uitkomst waarheid etiket etykieta stitek utfall facit "
          "fasit udfald tulos reale efetivo efetiva verdadeiro verdadeira desfecho constate effectif gercek gerceklesen fiili "
          "sann sant fakt"),
    words("tapped "
          "fraud fraudulent chargeback churn churned default defaulted spam toxic clicked click converted betrug fraude frode "
          "kundigung gekundigt abandono baja attrition relevant correct y real result ergebnis resultat resultado conversion "
          "bought purchased geklickt gekauft clique achete comprado review reviewed moderator late delayed breach dropped "
          "class classe klasse clase klasa trida sinif esito sonuc vysledek wynik gemeten gemessen mesure medido misurato "
          "zmierzony mitattu uppmatt dogru"),
    words("predicted pred hat score prob proba prior at date version id eta forecast estimated estimate risk threshold weekend "
          "mobile member premium holiday night web app vip active returning logged android ios bot test employee guest new "
          "latency ms confidence type tier estate time_zone"),
    ("werkelijk", "daadwerkelijk", "waargenomen", "gerealiseerd", "rzeczywist", "faktyczn", "prawdziw", "zaobserwowan", "skutecn",
     "pravdiv", "pozorovan", "faktisk", "verklig", "virkelig", "observerad", "observeret", "toteutun", "todellinen", "havaittu",
     "gerceklesen", "effettiv", "osservat", "observad", "tatsachlich", "eingetreten", "beobachtet"),
)
DECISION = Vocabulary(
    words("decision predicted_class predicted_label pred_class pred_label class_pred y_pred prediction action verdict approved "
          "flagged blocked entscheidung urteil decisione decisao predicted pred is_flagged is_blocked is_approved top1 top_1 "
          "predicted_category model_decision alerted predicted_intent output_class"),
    words("decision decided approved approve accepted rejected reject declined denied flagged blocked block alert alerted "
          "verdict predicted prediction pred bewilligt genehmigt abgelehnt gesperrt blockiert entscheidung approuve refuse "
          "bloque aprobado rechazado bloqueado approvato rifiutato bloccato aprovado recusado bloqueada held decisione decisao "
          "dec decn dcsn besluit beslissing oordeel goedgekeurd afgewezen geblokkeerd geweigerd karar karari onaylandi "
          "reddedildi engellendi decyzja werdykt zatwierdzono odrzucono zablokowano rozhodnuti verdikt schvaleno zamitnuto "
          "blokovano beslut godkand avslag avvisad beslutning godkendt afvist paatos hyvaksytty hylatty freigegeben scartato"),
    words("esito smistato toegewezen assegnato przypisano przydzielono atanan zugewiesen flag action served shown chosen top1 "
          "assigned routed call called moderated treated granted offered triggered passed"),
    words("at date id version true actual label truth feature score prob proba confidence ms reason surumu versie wersja verze"),
    PREDICTED,
)
HIGHER = words("delivered donated intact tapped tap followed favorited favourited bookmarked pinned commented replied hired "
               "taken click clicked clicks convert converted conversion purchase purchased bought booked booking ordered "
               "revenue gmv sale sales sold accepted retained resolved upvote watched watch engaged engagement subscribed "
               "completed satisfied csat nps profit repeat kept tip tipped helpful solved success successful installed renewed "
               "saved shared liked like likes played streamed checkout paid geklickt klick gekauft kauf bestellt bestellung "
               "umsatz gebucht zufrieden gelost ertrag clique clic achete achat commande chiffre vente vendu reserve satisfait "
               "comprado compra pedido ingresos venta vendido reservado satisfecho resuelto cliccato acquistato acquisto "
               "ricavo venduto prenotato clicado comprou receita vendas finished finish on_time accepted_offer useful "
               "reordered attended opened fulfilled gestart started voltooid geaccepteerd tevreden opgelost gekocht besteld "
               "betaald geboekt verkocht omzet klik geklikt satis tiklandi tikladi gelir ciro cozuldu odendi donusum zakup "
               "kupiono koupeno nakup prodej trzba spokojen kop kopt bestalld bokad nojd klickad omsattning kobt bestilt "
               "tilfreds klikket omsaetning ostettu tilattu myynti liikevaihto ratkaistu faturamento")
HIGHER_STEMS = (
    "memnun", "satisf", "soddisf", "zadowolon", "spokojen", "tyytyvai", "zufrieden", "tevreden", "risolt", "resolvid",
    "resuelt", "conversi", "conversao", "konversi", "konwersj", "konverz", "klikni", "kliknu", "klikat", "zamowion",
    "sprzeda", "przychod", "rozwiazan", "vyresen", "zaplacon", "zaplacen", "objednan", "comprad", "acquist",
)
LOWER = words("walkaway walkout dismissed dismiss muted unfollowed ignored "
              "lost cancel cancelled canceled cancellation complaint complained complaints refund refunded returned return "
              "churn churned escalated escalation abandoned bounce bounced unsubscribed chargeback toxic reported retry "
              "retried dispute disputed loss handover reopened dislike disliked skip skipped downvote missed late overturned "
              "appeal appealed hidden rerouted rework fallback storniert storno stornierung beschwerde reklamation erstattung "
              "abgebrochen retoure gekundigt eskaliert annule annulation plainte reclamation remboursement rembourse abandonne "
              "cancelado cancelada queja reclamacion reembolso devuelto abandonado annullato reclamo rimborso reso reclamacao "
              "devolvido claim claims repacked waste wasted rejected_by_user escalations rollback failed_delivery hide "
              "unfollow uninstall uninstalled expired stockout scrapped scrap rescheduled undelivered delayed again misrouted "
              "corrected reversal reversed derrochado derrochada desperdiciado gaspille sprecato verschwendet needless "
              "unneeded unnecessary avoidable unplanned downtime outage breakdown stoppage overdue penalty waiting emergency "
              "readmitted readmission relapse spoiled spoilage shortage mispicked unresolved unnotig ausfall stillstand "
              "inutile panne innecesario averia guasto falha wrong wrongly incorrect handoff takeover afgebroken geannuleerd "
              "annulering klacht klachten terugbetaling terugbetaald doorverbonden opgezegd verkeerd onjuist iptal sikayet "
              "iade yanlis hatali skarga skargi zwrot zruseno stiznost vraceno avbruten avbokad klagomal aterbetald annulleret "
              "afbrudt klage klagesag peruttu valitus hyvitys sbagliato errato falsch felaktig forkert konsultanta")
LOWER_STEMS = (
    "eskal", "escal", "toxic", "toxiq", "toxisk", "toxisch", "toksi", "toksy", "tossic", "anulow", "annull", "cancelad",
    "storn", "reklamac", "reclam", "reklamation", "rezygn", "reembols", "rimbors", "rembours", "aterbetal", "terugbetal",
    "przerwan", "prerusen", "interrott", "interromp", "abgebroch", "abbruch", "afgebrok", "keskeyt", "peruut", "insatisf",
    "insoddisf", "unzufried", "ontevred", "niezadowol", "nespokoj", "memnuniyetsiz", "sikayet", "bledn", "chybn", "blednie",
    "devolucion", "geannul",
)
"""Beginnings of words of business outcomes, for languages that inflect; what is lower is good wins over what is higher."""
AMOUNTS = words("wasted waste derrochado derrochada desperdiciado sprecato verschwendet gaspille verspild omzet ciro gelir "
                "przychod trzba omsattning omsaetning liikevaihto faturamento revenue gmv umsatz chiffre ingresos ricavo "
                "receita profit ertrag spend sales nps csat rating watch dwell tip engagement note bewertung stars")
"""KPI words that may be amounts rather than yes or no."""

NOT_KPI = PAST | words("kanal kanali canal canale kanaal tipo typ tip reden neden motivo raison grund powod duvod orsak "
                       "politikasi polityka index level hour app profil profiel profile noktasi temsilcisi bedrag terminal "
                       "quote rate probability prob score predicted pred policy type reason expected budget bid price "
                       "threshold limit method channel eligible can allowed has enabled flex flexible flexibility terms fee "
                       "fees window deadline option protection insurance guarantee free refundable nonrefundable politique "
                       "politica voorwaarden")
NOT_AMOUNT = words("item seller driver restaurant user customer product merchant co genre")
"""An amount of these is something known before the request: the rating of a driver."""

OUTCOME_PREFIX = words("kpi kpis")
INPUT_PREFIX = words("feat feats feature features input inputs")
"""First words by which a log says itself what a column is: `kpi.refund`, `feat.age`."""

CALENDAR = words("hour hours weekday dow day month week minute date year quarter season stunde wochentag tag monat woche jahr "
                 "heure jour mois semaine hora dia mes semana ora giorno mese settimana")
"""Names of calendar columns: as segments they would only repeat the windows."""

CONTEXT = words("app sdk server host pod node instance az datacenter dc experiment variant arm bucket shard cluster route "
                "endpoint environment env build firmware canary replica zone worker gateway rollout holdout ab treatment "
                "flight rz standort serveur servidor")
"""Names of where and how a request was served, not inputs of the model."""

DESCRIBES = words("is has new first mobile desktop android ios web app member premium vip guest logged weekend holiday night "
                  "evening returning active bot test employee male female flag enabled known verified registered")
"""Words of a yes or no that describes the request or the user, known before the model answers."""

SUCCESS_VALUES = words("ok success successful none no false 0 200 0.0 healthy completed done erfolg ok. exito succes")
POSITIVE_VALUES = words("1 true yes y t positive pos fraud spam churn churned default bad toxic approved approve accept "
                        "accepted click clicked converted flagged flag blocked block alert ja oui si sim vrai wahr verdadero "
                        "vero pass passed relevant good malicious attack defect late up win won match bought purchased granted "
                        "allow betrug fraude frode genehmigt bewilligt approuve aprobado approvato aprovado")
NEGATIVE_VALUES = words("0 false no n f negative neg legit legitimate genuine ham retained stay ok nonfraud normal clean "
                        "declined decline rejected reject denied deny refused ignored none nein non nao faux falsch falso fail "
                        "failed irrelevant benign down lost loss pass_through not_fraud abgelehnt refuse rechazado rifiutato "
                        "recusado non_fraud non-fraud skip skipped no_click noclick unclicked")
