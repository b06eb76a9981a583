"""What an entry of the change log is about, where that is nothing which serves requests.

Most entries are about something else than the incident, and say so. The words are those of any company, by topic; each is narrow
enough that the entry of a guilty change does not use it in passing: "retry budget", "failover to the backup" and "retention
shortened" are not here.
"""

from __future__ import annotations

import re

WORDS_OF_ONE = 8  # words of which one topic is the subject
RATHER = 0.5
TOPICS: dict[str, tuple[str, ...]] = {
    "claims": (  # what the author of the entry says of its effect
        r"no functional change", r"no (?:behaviou?r )?(?:change|impact)", r"not in use", r"nobody reads",
        r"warn(?:ings?)? only",
        r"dry[- ]run", r"cancelled", r"in another country", r"without (?:any )?impact",
        r"(?:release|roll-?out|deploy\w*|migration|launch|campaign|switch) postponed", r"ahead of time", r"before any traffic",
        r"from (?:spring|summer|autumn|winter|next \w+) on", r"next (?:week|month|quarter|year)", r"change freeze",
        r"sans impact", r"sin impacto", r"ohne (?:auswirkung|wirkung)", r"(?:front-?end|display|label|logging) only",
        r"untouched",
        r"not (?:yet )?(?:consumed|serving|served|delivered|opted in|read|reached)", r"never read",
        r"no (?:user )?(?:traffic|logic)",
        r"nullable", r"\+ ?\d+ optional fields?",
        r"no request (?:\w+ )?(?:is|was) \w+", r"nothing for (?:end )?users", r"(?:purely )?descriptive", r"percentage 0",
        r"answers are discarded", r"not delivered",
        r"(?:were|are) not serving", r"(?:different|other|another) cluster",
        r"(?:runs?|jobs?) (?:were|was|are) on time", r"affects only the", r"for information",
        r"no (?:\w+ )?(?:customer|client|business) impact", r"(?:service|users|customers|clients) (?:is |are )?unaffected",
        r"same endpoints", r"no dependency on", r"not shown", r"(?:reporting|newsletter|ui|offline|analytics|internal) only",
        r"organic reach", r"behaviou?r unchanged", r"for staff", r"ticket closed", r"no winner",
        r"after the (?:alert|incident)", r"of last week", r"0 (?:rejects|errors)", r"on the standby",
        r"(?:review(?:ed)?|value): unchanged",
        r"(?:outputs?|answers|results|behaviou?r|values?|weights|counts?) (?:(?:are|is|stay|stayed|kept) )?"
        r"(?:identical|unchanged|equal|the same|as before)",
        r"(?:same|identical|equal) (?:values?|outputs?|results?|weights|answers|behaviou?r)", r"no-?op", r"report-only",
        r"answers (?:are |were )?dropped", r"flag (?:that |which )?is off", r"off by default", r"not promoted",
        r"small (?:audience|group)", r"neighbou?ring country", r"open for registration", r"analy[sz]ed and closed",
        r"no action (?:needed|required)", r"never (?:been )?reached", r"pools? (?:was|were) never full",
        r"no live (?:traffic|answers|requests)", r"receives? no (?:live )?\w+", r"clients? ignores?", r"not (?:yet )?activated",
        r"(?:api|terms|prices?) unchanged", r"documented, unchanged", r"not used (?:for|in) (?:the )?(?:scoring|scores?|serving)",
        r"other team", r"usual (?:weekly|monthly|quarterly) (?:issue|mail\w*|newsletter|letter)", r"as every (?:week|month)",
        r"nothing (?:to do|to change|required|for us)", r"we do not serve", r"another service", r"no data change",
        r"(?:open|work) as usual", r"retired flags",
        r"no treatment", r"none implemented", r"(?:for )?employees only", r"we have no \w+ there",
    ),
    "people": (
        r"off-?site", r"phishing(?: drill)?", r"retro(?:spective)?", r"pager test", r"handover", r"(?:office|desk) move",
        r"town hall", r"all[- ]hands", r"hackathon", r"team (?:event|lunch|day|building)",
        r"new (?:joiners?|hires?|starters?)", r"recruit\w*", r"rota", r"on-call", r"on leave", r"audit (?:week|day|meeting)s?",
        r"(?:quarterly|annual|yearly) audit", r"planning week", r"survey for customers", r"customer survey", r"board meet\w*",
        r"invitation to", r"webinars?", r"post-?mortem", r"fire drill", r"works council", r"visitor group", r"account manager",
        r"phone numbers?", r"(?:supplier|staff|partner) newsletters?", r"(?:user|staff) training", r"shift plans?",
        r"password policy", r"support contacts?",
    ),
    "papers": (
        r"docs? (?:urls?|pages?|site|only|updates?|fix\w*|generat\w+|build\w*)", r"docstrings?",
        r"(?:api|developer|public) docs", r"documentation",
        r"dokumentation", r"readme", r"model cards?", r"openapi", r"runbooks?", r"comment (?:columns?|fields?)",
        r"comments? (?:on|only)", r"copyright", r"price list", r"licen[cs]e audit", r"docs moved", r"notes posted",
        r"audit log", r"status page (?:redesign\w*|moved|update)", r"billing console", r"portal gets", r"invoic\w+",
        r"contact address", r"contract renew\w+", r"names cleaned up", r"file reformatted",
        r"licen[cs]e (?:renewal|headers?)", r"cost (?:tags?|centres?|centers?)", r"owner changed", r"payroll",
        r"sla (?:reports?|documented)", r"questionnaire", r"(?:for|to|of the) finance", r"finance (?:export|mart|report)",
        r"privacy policy", r"terms of (?:service|use)",
        r"(?:documented and|and) reviewed", r"reviewed with", r"(?:announces|announced) the sunset", r"(?:write-?up|report) in",
    ),
    "looks": (
        r"wording", r"translations?", r"[üu]bersetzung\w*", r"traductions?", r"traducci[oó]n\w*", r"vertaling\w*",
        r"t[łl]umaczeni\w*", r"(?:ajuste|correção) de textos?", r"typos?", r"cosmetic",
        r"(?:button|link|theme|text|chart|brand|header|page) colou?rs?", r"colou?rs? (?:of the \w+|test|scheme|theme|palette)",
        r"fonts?", r"(?:button|ad|mail|banner|subject) copy",
        r"copy (?:change|edit|test)s?", r"empty[-_ ]state", r"survey[-_ ]pop-?up", r"icons?", r"logo",
        r"chat (?:bubble|widget|box)", r"spam filters?", r"(?:budget|cost|billing) (?:labels?|tags?)",
        r"footer", r"(?:admin|beta|cookie|info|help|hide) (?:\w+ )?ba(?:nner|dge)",
        r"(?:onboarding|alert|error) texts?", r"banner (?:text|colou?r|off|hidden)", r"tooltips?", r"stylesheets?",
        r"accessibility", r"(?:messages|texts?) (?:reworded|revised|renewed)", r"help texts?",
        r"dark[-_ ](?:mode|theme)", r"storybook", r"portal ui", r"back-?office", r"illustrations?",
        r"(?:help|about|maintenance|internal|admin) page", r"help articles?", r"subject line",
    ),
    "watching": (
        r"dashboards?", r"log(?:ging)? (?:levels?|retention|format|lines?|fields?)", r"access logs?", r"verbosity",
        r"debug (?:logs?|logging|page|menu|symbols|output|header|endpoint|toolbar)s?", r"tracing(?! of)",
        r"alert (?:rules?|recipients?|receivers?|channels?)", r"scrape", r"user[- ]agent", r"open ?telemetry", r"spans",
        r"(?:structured|json) log(?:s|ging)", r"logging (?:library|lib)", r"(?:disk|backup) alarms? (?:raised|lowered|set|at)",
        r"metrics? (?:port|exported|labels?)", r"health(?:z| endpoint| check)", r"grafana",
        r"log sampling", r"audit retention",
        r"metrics? (?:prefix|names?|exporters?)", r"build id", r"monitoring agents?",
        r"row counts", r"lineage", r"internal metrics", r"trace ids?",
        r"thresholds? of (?:two|three|some|the) alerts?", r"e-?mail list",
    ),
    "tests": (
        r"unit tests?(?! coverage)", r"(?:more|raised?|better) test coverage", r"refactor tests", r"sbom", r"flaky",
        r"typing(?! ?:)", r"lint(?:er|ing)?", r"pen(?:etration)? test",
        r"build (?:agents?|hosts?)", r"demo data", r"(?:staging|sandbox) (?:\w+ )?(?:refresh|resized|copy|only|limits)",
        r"of (?:the )?sandbox", r"ci (?:runners?|images?|cache)", r"\w+ runners", r"headers? for tracing",
        r"on (?:the|a) (?:copy|spare|follower|stand-?by)", r"of the (?:copy|spare|stand-?by)", r"spare (?:node|host|volume|disk)",
        r"(?:exercise|drill) (?:on|of|in) \w+", r"in (?:our|the|their) sandbox",
        r"dead code", r"pentest", r"(?:to|in) staging", r"shadow arm", r"(?:test\w*|run) (?:\w+ )?passed",
        r"a/a (?:check|tests?|started|sanity check)", r"shadow run",
    ),
    "inside": (  # for those who work there, not for requests
        r"access (?:rights )?review", r"for testers", r"made readable", r"backup schedule", r"service accounts",
        r"in staging", r"game day in", r"naming convention",
        r"for (?:the )?(?:analysts?|analytics|staff|admins?|auditors?|controll\w+)",
        r"internal (?:users?|tools?|survey)", r"support tool", r"offline candidate", r"evaluation report", r"registry entry",
        r"data lake", r"archive jobs?", r"audit column", r"index on", r"cold storage", r"column comments",
        r"(?:unused|empty) (?:endpoints?|columns?|flags?)", r"unused (?:tables?|keys?|fields?)", r"stale flags",
        r"(?:to|into) (?:the )?archive", r"owner (?:fields?|tags?)",
        r"not served", r"staff only",
        r"admin (?:screen|panel|console)", r"internal client", r"internal test (?:accounts?|users?)",
        r"backups? moved", r"statistics recomputed",
        r"wi-?fi", r"ledger (?:exports?|reports?)",
        r"backtest\w*", r"vpn", r"bastion", r"(?:nightly|weekly|monthly) (?:backup|report|export)", r"backup window",
        r"(?:nightly|weekly|monthly) vacuum(?:ing)?", r"(?:parquet|old \w+) compaction", r"compaction of old \w+",
        r"retention of raw \w+", r"\w*archived",
        r"\w+_archive", r"archives? (?:to|of)", r"old (?:runs?|artefacts|artifacts|partitions)",
    ),
}  # fmt: skip
_ASIDE = re.compile(r"(?<!\w)(?:" + "|".join(w for words in TOPICS.values() for w in words) + r")(?!\w)")
# the words that an answering service is steered by are no mere wording
_STEERS = re.compile(
    r"(?<!\w)(?:prompts?|preamble|system message|instructions?|guards?|guardrails?|few-shot|persona|traffic[- ]splits?"
    r"|engine)(?!\w)"
)
# components that answer no request
_BESIDE = re.compile(
    r"(?<![a-z])(?:staging|sandbox|ci(?:-(?:runners?|cd|images?|agents?))?(?![-a-z])|wiki|notebooks?|bi|intranet|jira|confluence|grafana|monitoring|bastion|"
    r"(?:data|offline)-lab|admin-(?:ui|panel|console)|mailer|report-db|finance-(?:export|reports?|mart)|bi-\w+|office-\w+)(?![a-z])"
)


def about_nothing(component: str, description: str) -> float:
    """How surely an entry says of itself, or by its component, that it is about nothing which serves: 0 to 1.

    A short entry is about what it names. In a long one a topic may come up in passing ("all tests pass"), and weighs by its part
    of the text.

    Examples
    --------
    >>> about_nothing("ranker", "log level info -> warning")
    1.0
    >>> about_nothing("ranker", "retry budget set to 0")
    0.0
    >>> about_nothing("ranker", "a tower with three times the parameters on all hosts, ready for the work of next quarter")
    0.5
    """
    if _BESIDE.search(component.lower()):
        return 1.0
    text = description.lower()
    said = len(_ASIDE.findall(text))
    if not said or _STEERS.search(text):
        return 0.0
    return round(min(1.0, said * WORDS_OF_ONE / max(len(text.split()), 1)), 1)


def touches_nothing(component: str, description: str) -> bool:
    """Whether an entry is rather about nothing that serves.

    Examples
    --------
    >>> touches_nothing("ranker", "log level info -> warning"), touches_nothing("ranker", "retry budget set to 0")
    (True, False)
    """
    return about_nothing(component, description) >= RATHER
