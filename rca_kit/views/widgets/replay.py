"""Replay and shadow explorer: flips and differences of two versions, and the threshold under one's hand."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rca_kit.findings.base import NotApplicable
from rca_kit.findings.replay import Replay
from rca_kit.findings.scope import Segment
from rca_kit.findings.shadow import Effect, Shadow
from rca_kit.loop.s6_simulate.cutting import Cut, cut_at
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.comparison_figures import replay_figure, shadow_figure
from rca_kit.views.figures import simulation_figure
from rca_kit.views.metric_figure import Figure
from rca_kit.views.svg import restored_bars
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Message

STEPS = 200  # positions of the slider over the range of scores
MOST_ROWS = 20


class ReplayExplorer(Explorer):
    """What was simulated: trials, golden set, shadow traffic; and a threshold slider with confusion and KPIs."""

    key, title = "replay", "Does one change remove it?"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.view = ""
        self.threshold: float | None = None

    def views(self) -> list[tuple[str, str]]:
        """Give what there is to look at."""
        simulation = self.session.latest().simulation
        out = [("trials", "Trials")]
        out += [("replay", "Golden set")] if isinstance(simulation.replay, Replay) else []
        out += [("shadow", "Shadow traffic")] if isinstance(simulation.shadow, Shadow) else []
        out += [("threshold", "Threshold")] if self.cut() is not None else []
        return out

    def chosen(self) -> str:
        """Name the view that is looked at."""
        names = [v for v, _ in self.views()]
        return self.view if self.view in names else names[0]

    def cut(self) -> Cut | None:
        """Cut the sampled scores at the slider's threshold."""
        return cut_at(self.session.worked.room, self.threshold)

    def table(self) -> list[dict[str, Any]]:
        """Give the rows behind the view."""
        simulation = self.session.latest().simulation
        chosen = self.chosen()
        if chosen == "threshold":
            cut = self.cut()
            return cut.rows() if cut else []
        found = {"replay": simulation.replay, "shadow": simulation.shadow}.get(chosen) or simulation
        rows: list[dict[str, Any]] = found.rows()
        return rows

    def head(self) -> Markup:
        """Say what was simulated."""
        found = self.session.latest().simulation
        return parts.join([parts.tag("p", found.answer()), parts.pressed(self.views(), self.chosen(), "view", "what to look at")])

    def figure(self) -> Figure | None:
        """Draw effects with their intervals."""
        found = self.session.latest().simulation
        chosen = self.chosen()
        if chosen == "replay":
            return replay_figure(found.replay)
        if chosen == "shadow":
            return shadow_figure(found.shadow)
        return simulation_figure(found) if chosen == "trials" and any(t.restored is not None for t in found.trials) else None

    def picture(self) -> Markup:
        """Draw what each trial takes back, as SVG."""
        found = self.session.latest().simulation
        return restored_bars(found, "replay-still") if any(t.restored is not None for t in found.trials) else Markup("")

    def body(self) -> Markup:
        """Write the view."""
        simulation = self.session.latest().simulation
        chosen = self.chosen()
        if chosen == "replay":
            return _replay(simulation.replay)
        if chosen == "shadow":
            return _shadow(simulation.shadow)
        if chosen == "threshold":
            return self._threshold()
        rows = [
            [
                f"{t.kind}: {words.for_people(t.subject)}",
                t.verdict,
                words.for_people(t.says),
                f"{t.restored:.0%}" if t.restored is not None else "",
                f"{t.interval[0]:.0%} to {t.interval[1]:.0%}" if t.interval else "",
            ]
            for t in simulation.trials
        ]
        heads = [("trial", ""), ("outcome", ""), ("says", "words"), ("takes back", "num"), ("95% interval", "num")]
        needs = parts.tag("ul", *(parts.tag("li", words.for_people(n)) for n in simulation.needs))
        return parts.join(
            [
                parts.table(heads, rows, "Trials") if rows else parts.tag("p", "Nothing was simulated.", class_="mute"),
                parts.join([parts.tag("h3", "What more would need"), needs]) if simulation.needs else "",
            ]
        )

    def _threshold(self) -> Markup:
        cut = self.cut()
        assert cut is not None
        step = (cut.high - cut.low) / STEPS or 1.0
        slider = parts.field(
            f"threshold of the score: {cut.threshold:.4g}",
            "threshold",
            f"{cut.threshold:.6g}",
            key="threshold",
            kind="range",
            min=f"{cut.low:.6g}",
            max=f"{cut.high:.6g}",
            step=f"{step:.6g}",
            data_act="threshold",
            data_live="60",
        )
        used = [
            parts.button(f"as {w}: {v:.4g}", "threshold_to", f"{v:.9g}")
            for w, v in zip(("before", "after"), cut.in_use, strict=True)
            if v is not None
        ]
        names = list(cut.rows()[0])
        rows = [[n.replace("_", " "), *(_number(r[n]) for r in cut.rows())] for n in names[1:]]
        heads = [("", ""), ("before", "num"), ("after", "num")]
        about = "Sampled rows. KPIs are those logged: they tell what followed the decision that was made, not another one."
        return parts.join(
            [
                parts.tag("p", cut.says()),
                parts.tag("div", slider, *used, class_="row"),
                parts.table(heads, rows),
                parts.tag("p", about, class_="small mute"),
            ]
        )

    # --- messages ---

    def on_view(self, message: Message) -> None:
        """Choose what to look at."""
        self.view = str(message["arg"])

    def on_threshold(self, message: Message) -> None:
        """Move the threshold."""
        self.threshold = float(message["value"])

    def on_threshold_to(self, message: Message) -> None:
        """Set the threshold to one that was in use."""
        self.threshold = float(message["arg"])


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else parts.number(value)


def _effects(effects: Any, first: str, second: str) -> Markup:
    rows = [
        [
            e.metric,
            parts.number(e.first),
            parts.number(e.second),
            f"{e.estimate:+.4g}",
            f"{e.interval[0]:+.4g} to {e.interval[1]:+.4g}",
            parts.number(e.margin),
            e.state,
        ]
        for e in effects
        if isinstance(e, Effect) and e.estimate is not None and e.interval is not None
    ]
    heads = [
        ("", ""),
        (first, "num"),
        (second, "num"),
        ("difference", "num"),
        ("95% interval", "num"),
        ("margin", "num"),
        ("", ""),
    ]
    return parts.table(heads, rows, f"{second} less {first}")


def _segments(segments: tuple[Segment, ...], singles: tuple[Segment, ...]) -> Markup:
    found = [*segments, *(s for s in singles if s not in segments)][:MOST_ROWS]
    if not found:
        return Markup("")
    rows = [
        [
            words.segment_text(s.where),
            "found" if s in segments else "",
            words.percent(s.share_of_traffic),
            parts.number(s.before),
            parts.number(s.after),
            words.p_value(s.q_value),
        ]
        for s in found
    ]
    heads = [("segment", ""), ("", ""), ("of all", "num"), ("first", "num"), ("second", "num"), ("q", "num")]
    return parts.table(heads, rows, "By segment")


def _replay(found: Replay) -> Markup:
    f = found.flips
    if isinstance(f, NotApplicable):
        flips = parts.tag("p", f"Flips: {f.because}", class_="mute")
    else:
        rows = [
            ["right to wrong", f"{f.right_to_wrong:g}"],
            ["wrong to right", f"{f.wrong_to_right:g}"],
            ["wrong to another wrong", f"{f.wrong_to_wrong:g}"],
            ["samples", f"{f.n:,}"],
        ]
        lost = [[e.id, e.label, e.previous, e.current] for e in f.lost[:8]]
        flips = parts.join(
            [
                parts.table([("decisions that flipped", ""), ("", "num")], rows),
                parts.table(
                    [("sample", ""), ("label", ""), ("previous", ""), ("current", "")], lost, "Lost: right before, wrong now"
                )
                if lost
                else "",
            ]
        )
    return parts.join(
        [
            parts.tag("p", words.told(found.says())),
            _effects(found.metrics, "previous", "current"),
            flips,
            _segments(found.segments, found.singles),
        ]
    )


def _shadow(found: Shadow) -> Markup:
    f = found.flips
    if isinstance(f, NotApplicable):
        flips = f"Flips: {f.because}"
    else:
        own = f", the primary alone changes {words.percent(f.own_share)}" if f.own_share is not None else ""
        flips = f"{f.count:,} of {f.n:,} decisions flip ({words.percent(f.share)}{own}): {f.gained} gained, {f.lost} lost."
    return parts.join(
        [
            parts.tag("p", words.told(found.says())),
            parts.tag("p", flips),
            _effects([*found.checks], "primary", "candidate"),
            _segments(found.segments, found.singles),
        ]
    )
