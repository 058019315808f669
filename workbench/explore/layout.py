"""The page: its parts and controls, before anything is drawn."""

from typing import Any

from dash import dcc, html

from workbench.explore.controls import attribute, graph, labelled, message, number_field, radio, slider
from workbench.explore.explorer import Explorer
from workbench.explore.settings import MAX_GAMMA, MAX_QUESTION, RULES, Settings
from workbench.vocabulary import SCOPES

TITLE = "Explore neurons"
_HIGHEST_D = 4.0


def whole_page(explorer: Explorer, start: Settings, name: str) -> html.Div:
    """Everything that the page holds."""
    return html.Div(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="appearance", data="light"),
            dcc.Store(id="remembered"),
            html.A("Skip to the map", href="#the-map", className="skip"),
            _header(explorer, name),
            html.Div(
                [
                    html.Aside(
                        _choosing(explorer, start), className="side", **attribute("aria-label", "Which neurons")
                    ),
                    html.Main([_map(), _neuron(), _steering(explorer, start), _watching()]),
                ],
                className="columns",
            ),
        ]
    )


def _header(explorer: Explorer, name: str) -> html.Header:
    model = explorer.model
    facts = {
        "Study": name,
        "Model": model.name,
        "Layers": f"{len(explorer.layers)} of {model.n_layers}",
        "Neurons a layer": f"{model.d_mlp:,}",
        "Traits": str(len(explorer.traits)),
        **explorer.facts,
    }
    return html.Header(
        [
            html.H1(TITLE),
            html.P("Which neurons carry a trait, what does each of them do, and what does moving them change?"),
            html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts.items() if value]),
        ]
    )


def _choosing(explorer: Explorer, start: Settings) -> list[Any]:
    layers = explorer.layers
    return [
        radio("trait", "Trait", list(explorer.traits), start.trait),
        labelled(
            "layers",
            "Layers",
            dcc.RangeSlider(
                id="layers",
                min=layers[0],
                max=max(layers[-1], layers[0] + 1),
                step=1,
                value=list(start.layers),
                marks=None,
                allowCross=False,
                updatemode="mouseup",
            ),
            "first and last, both included",
        ),
        labelled(
            "quantile",
            "q of tau_q",
            slider("quantile", min(0.9, start.quantile), max(0.9995, start.quantile), 0.0005, start.quantile),
            "|s| above this quantile of its layer",
        ),
        labelled(
            "min_d",
            "tau_d",
            slider("min_d", 0.0, max(_HIGHEST_D, start.min_d), 0.05, start.min_d),
            "|d| above this, in pooled standard deviations",
        ),
        radio("rule", "Rule", list(RULES), start.rule),
        html.P(id="summary", className="summary", role="status"),
        message("map-message"),
    ]


def _map() -> html.Section:
    return html.Section(
        [
            html.H2("Where the trait is", id="the-map", tabIndex="-1"),
            html.P(
                "Each cell is a neuron: within its layer, from the one most active on the low pole (left) to the one "
                "most active on the high pole (right). Click one to see what it does.",
                className="hint",
            ),
            graph("map", "Map of the effect on every neuron, by layer and rank"),
            html.Details(
                [
                    html.Summary("Neurons chosen in each layer"),
                    graph("counts", "Neurons chosen in each layer"),
                ]
            ),
        ]
    )


def _neuron() -> html.Section:
    return html.Section(
        [
            html.H2("One neuron"),
            html.Div(
                [
                    number_field("layer", "Layer"),
                    number_field("neuron", "Neuron"),
                    html.Button("‹ Previous chosen", id="previous", n_clicks=0, className="quiet"),
                    html.Button("Next chosen ›", id="next", n_clicks=0, className="quiet"),
                    html.Span(id="walked", className="walked", role="status"),
                ],
                className="picking",
            ),
            message("pick-message"),
            html.Div(
                [
                    html.Div(
                        [
                            html.H3("Its layer"),
                            html.P(
                                "The size of each neuron's mean difference against Cohen's d, with both thresholds. "
                                "Click one to see it.",
                                className="hint",
                            ),
                            graph("scatter", "Size of the mean difference against d of one layer's neurons"),
                            html.H3("What it causes alone"),
                            html.P(
                                "Its activation is put from each pair's prompt of one pole into the other's; 100 % "
                                "would be the whole way between the two runs' logits.",
                                className="hint",
                            ),
                            html.Div(id="patching", className="patching"),
                            message("patching-message"),
                            html.H3("What it reads"),
                            html.Div(id="prompts"),
                        ],
                        className="left",
                    ),
                    html.Div([html.Div(id="card", className="card"), message("card-message")], className="right"),
                ],
                className="pair",
            ),
        ]
    )


def _steering(explorer: Explorer, start: Settings) -> html.Section:
    return html.Section(
        [
            html.H2("Steer the model"),
            html.P(
                "One question, answered by the model as it is and with the chosen neurons moved by gamma times their "
                "mean difference. All answers share the same random draws.",
                className="hint",
            ),
            html.Div(
                [
                    html.Div(
                        [
                            html.Label("Question", htmlFor="question"),
                            dcc.Input(
                                id="question",
                                type="text",
                                value="",
                                maxLength=MAX_QUESTION,
                                list="suggested",
                                debounce=True,
                                placeholder="Ask something that the trait would show in",
                            ),
                            html.Datalist(id="suggested"),
                        ],
                        className="control question",
                    ),
                    html.Button("Ask", id="ask", n_clicks=0, className="ask"),
                ],
                className="asking",
            ),
            html.Div(
                [
                    labelled(
                        "gamma",
                        "gamma",
                        slider("gamma", 0.0, MAX_GAMMA, 0.05, start.gamma),
                        "the dose; 1 moves a neuron by its mean difference",
                    ),
                    labelled(
                        "temperature",
                        "Temperature",
                        slider("temperature", 0.0, 2.0, 0.1, start.temperature),
                        "0 takes the likeliest token",
                    ),
                    radio("scope", "Positions edited", list(SCOPES), start.scope),
                    number_field("seed", "Seed"),
                ],
                className="doses",
            ),
            message("answer-message"),
            html.Div(id="answers", className="answers", **attribute("aria-live", "polite")),
            html.Details(
                [
                    html.Summary("The same question at several doses"),
                    html.Button("Sweep gamma", id="sweep", n_clicks=0, className="quiet"),
                    message("sweep-message"),
                    html.Div(id="swept", className="scroll"),
                ]
            ),
        ]
    )


def _watching() -> html.Section:
    return html.Section(
        [
            html.H2("Read a text"),
            html.P(
                "Any text, token by token: how far the chosen neurons are on the way from the low pole to the high one "
                "where the model reads it, beside random other neurons.",
                className="hint",
            ),
            html.Div(
                [
                    html.Div(
                        [
                            html.Label("Text", htmlFor="watched"),
                            dcc.Textarea(id="watched", value="", maxLength=MAX_QUESTION, rows=3),
                        ],
                        className="control question",
                    ),
                    html.Button("Show", id="watch", n_clicks=0, className="ask"),
                ],
                className="asking",
            ),
            message("watch-message"),
            html.Div(id="tokens", **attribute("aria-live", "polite")),
        ]
    )
