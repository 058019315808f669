"""A neuron's card and a question's answers, as parts of the page."""

import math
from typing import Any

import pandas as pd
from dash import dcc, html

from workbench.explore.card import NeuronCard
from workbench.explore.figures import activation_strip, patching_bars, tokens_map
from workbench.explore.steering import BASE, Answer, Answers
from workbench.monitoring.monitoring import Monitoring

_STILL = {"displayModeBar": False, "responsive": True}
_HEADINGS = {"decrease": "Decreased", BASE: "Unedited", "increase": "Increased"}


def card_parts(card: NeuronCard, appearance: str) -> list[Any]:
    """A card: what the neuron is, its activations, what it reads and what it writes."""
    pole, effect = card.pole or "none", card.effect
    n = f"{effect['n_high']:.0f} + {effect['n_low']:.0f} prompts"
    facts = {
        "Cohen's d": (
            signed(effect["cohens_d"], ".2f"),
            f"95 % {_between(effect['d_low'], effect['d_high'], '.2f')}, {n}",
        ),
        "Mean difference s": (signed(effect["mean_difference"], ".3g"), "high − low, activation units"),
        "Place in its layer": (f"{card.rank_s} by |s|, {card.rank_d} by |d|", f"of {card.width:,}; 1 is the largest"),
        "Write norm": (f"{card.write_norm:.3g}", "length of its row of W_out"),
    }
    return [
        html.H3(f"Layer {card.layer}, neuron {card.neuron}"),
        html.P(card.reason, className=f"verdict {pole}"),
        html.Dl(
            [html.Div([html.Dt(name), html.Dd([value, html.Small(more)])]) for name, (value, more) in facts.items()]
        ),
        html.P(f"Interval: {card.method}.", className="hint"),
        html.H4("How active it is"),
        *_activations(card, appearance),
        html.H4("What it writes"),
        *_tokens(card),
    ]


def _activations(card: NeuronCard, appearance: str) -> list[Any]:
    if card.activations.empty:
        return [_missing(card, "activations")]
    means = ", ".join(
        f"{row.pole} {minus(row.mean, '.3g')} ± {row.sd:.2g} (n {row.n})" for row in card.by_pole.itertuples()
    )
    drawn = activation_strip(card, appearance=appearance)
    return [
        dcc.Graph(figure=drawn, config=_STILL, className="strip"),  # type: ignore[arg-type]
        html.P(f"Mean ± SD: {means}.", className="hint"),
    ]


def _tokens(card: NeuronCard) -> list[Any]:
    if card.tokens.empty:
        return [_missing(card, "tokens")]
    lists = []
    for side, word in (("promoted", "Promotes"), ("suppressed", "Suppresses")):
        rows = card.tokens[card.tokens["side"] == side]
        items = [html.Li([html.Code(str(row.token)), html.Span(signed(row.logit, ".2f"))]) for row in rows.itertuples()]
        lists.append(html.Div([html.H5(word, className="end"), html.Ol(items)]))
    return [
        html.Div(lists, className="tokens"),
        html.P(
            "Centred logits per unit of activation, straight through the final norm (at scale 1) and the unembedding, "
            "past every later layer; a negative activation does the opposite.",
            className="hint",
        ),
    ]


def prompt_parts(card: NeuronCard) -> list[Any]:
    """The prompts on which a neuron is most and least active."""
    if card.prompts.empty:
        return [_missing(card, "prompts")]
    lists = []
    for end, word in (("most", "Most active"), ("least", "Least active")):
        items = [
            html.Li(
                [
                    html.Span(
                        [html.B(str(row.pole)), f" {minus(row.activation, '.3g')}"], className=f"pole {row.pole}"
                    ),
                    html.P(str(row.question)),
                    html.P(str(row.description) or "no persona", className="persona"),
                ]
            )
            for row in card.prompts[card.prompts["end"] == end].itertuples()
        ]
        lists.append(html.Div([html.H4(word, className="end"), html.Ol(items)]))
    return [html.Div(lists, className="prompts")]


def _missing(card: NeuronCard, part: str) -> html.P:
    return html.P(card.missing.get(part, "Nothing is known."), className="missing")


def patching_parts(frame: pd.DataFrame, appearance: str) -> list[Any]:
    """The patching effect of a neuron: a figure, and the numbers in a sentence each."""
    names = {"increase": "high into low", "decrease": "low into high"}
    lines = []
    for row in frame.itertuples():
        rank = ""
        if not math.isnan(row.attribution_rank):  # type: ignore[arg-type]
            rank = f"; by attribution place {row.attribution_rank:.0f} of {row.neurons:,.0f}"
        dropped = f", {row.dropped} dropped" if row.dropped else ""
        form = ".2%" if max(abs(row.low), abs(row.high)) > 0.001 else ".4%"  # type: ignore[arg-type]
        effect = f"{signed(row.effect, form)} {_between(row.low, row.high, form)} of the donor's effect"
        n = f"{row.n} {row.pairs} pairs, {row.clusters} descriptions{dropped}"
        lines.append(html.Li([html.B(names[str(row.direction)]), f": {effect}, {n}{rank}"]))
    drawn = patching_bars(frame, appearance=appearance)
    return [dcc.Graph(figure=drawn, config=_STILL), html.Ul(lines)]  # type: ignore[arg-type]


def answer_parts(answers: Answers) -> list[Any]:
    """The unedited answer between the decreased and the increased one."""
    order = [*(a for a in answers.steered if a.direction == "decrease"), answers.base]
    order += [a for a in answers.steered if a.direction == "increase"]
    return [_answer(answer, answers) for answer in order]


def _answer(answer: Answer, answers: Answers) -> html.Section:
    base = answers.base
    score = _score(answer.score, None if answer is base else base.score)
    made = "nothing edited"
    if answer is not base:
        made = f"gamma {answer.gamma:g}, {answers.neurons} neurons, {answer.edited:,} (position, layer) pairs edited"
    chips = [html.Span(score, className="chip")] if score else []
    if answer.wellformed is not None and answer.wellformed < 1:
        chips.append(html.Span(f"{answer.wellformed:.0%} well-formed", className="chip broken"))
    return html.Section(
        [
            html.Div([html.H3(_HEADINGS[answer.direction]), *chips], className="answer-head"),
            html.P(answer.text or "(no text)", className="answer"),
            html.P(made, className="hint"),
        ],
        className=answer.direction,
    )


def watched_parts(found: Monitoring, appearance: str) -> list[Any]:
    """A text's tokens in the colours of their projections, and what these are compared with."""
    drawn = tokens_map(found.frame(), found.trait, appearance=appearance)
    score, part = found.scores()[0], found.summary().iloc[-1]
    told = (
        f"Mean projection {signed(score, '.2f')}, 1 being what the edit adds at gamma 1 and 0 the mean in "
        f"{found.reference.texts} neutral texts. {part['beyond_null']:.0%} of the tokens lie outside the central 90 % "
        f"of {found.draws.shape[1]} random draws of as many other neurons (framed)."
    )
    return [dcc.Graph(figure=drawn, config=_STILL), html.P(told, className="hint")]  # type: ignore[arg-type]


def sweep_parts(answers: Answers) -> html.Table:
    """A row for each dose, decreased and increased beside each other."""
    doses = sorted({answer.gamma for answer in answers.steered})
    by_dose = {(answer.direction, answer.gamma): answer for answer in answers.steered}
    rows = []
    for gamma in doses:
        cells = []
        for way in ("decrease", "increase"):
            answer = by_dose[way, gamma]
            cells += [html.Td(_score(answer.score, answers.base.score), className="number"), html.Td(answer.text)]
        rows.append(html.Tr([html.Th(f"{gamma:g}", scope="row", className="number"), *cells]))
    heads = ("gamma", "score", "Decreased", "score", "Increased")
    return html.Table(
        [html.Thead(html.Tr([html.Th(head, scope="col") for head in heads])), html.Tbody(rows)],
    )


def _score(score: float | None, against: float | None) -> str:
    if score is None:
        return ""
    if against is None:
        return f"{score:.1f} of 5"
    return f"{score:.1f} of 5 ({signed(score - against, '.1f')})"


def signed(value: Any, form: str) -> str:
    """A number with its sign, a minus that is one.

    Example:
        >>> signed(-0.5, ".1f"), signed(0.02, ".1%"), signed(0.0, ".1f")
        ('−0.5', '+2.0%', '0.0')
    """
    text = format(float(value), form)
    return minus(value, form) if text.startswith("-") or not float(value) else f"+{text}"


def minus(value: Any, form: str) -> str:
    """A number whose minus is one."""
    return format(float(value), form).replace("-", "−")


def _between(low: Any, high: Any, form: str) -> str:
    return f"[{signed(low, form)}, {signed(high, form)}]"
