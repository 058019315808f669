"""The page's callbacks as functions, and whom its server answers."""

import html
import subprocess
import sys
import threading
from urllib.parse import parse_qs

import pytest

pytest.importorskip("dash", reason="the page needs the extra explore")

import plotly.graph_objects as go
from dash import Dash, no_update
from flask.testing import FlaskClient
from plotly.utils import PlotlyJSONEncoder

import workbench as wb
from workbench.explore.address import KEYS, controls_of, query_of
from workbench.explore.callbacks import PageCallbacks
from workbench.explore.explorer import Explorer
from workbench.explore.figures import place_clicked
from workbench.explore.page import explore_page

CHOICE = ("Extraversion", [0, 7], 0.99, 0.8, "dual")
DOSE = (1.0, "generated", 0.0, 0)
QUESTION = "How do you spend your time at the office party?"


@pytest.fixture(scope="module")
def asks(explorer: Explorer) -> PageCallbacks:
    return PageCallbacks(explorer)


@pytest.fixture(scope="module")
def page(explorer: Explorer) -> Dash:
    return explore_page(explorer, name="a study")


@pytest.fixture(scope="module")
def client(page: Dash) -> FlaskClient:
    return page.server.test_client()


def texts(part: object) -> str:
    """Every text in some parts of the page."""
    if isinstance(part, list | tuple):
        return " ".join(texts(each) for each in part)
    if isinstance(part, str | int | float):
        return str(part)
    return texts(getattr(part, "children", None) or [])


def first_chosen(explorer: Explorer) -> tuple[int, int]:
    selection = explorer.chosen(explorer.settings()).selection
    assert selection is not None
    return next(iter(selection.both))


def test_the_map_marks_the_chosen_and_rings_the_picked(asks: PageCallbacks, explorer: Explorer) -> None:
    layer, neuron = first_chosen(explorer)
    drawn, counts, summary, message = asks.draw_map(*CHOICE, "light", layer, neuron)
    assert message == ""
    chosen = explorer.chosen(explorer.settings()).selection
    assert chosen is not None
    marks = {trace.name: len(trace.x) for trace in drawn.data if trace.type != "heatmap"}
    assert marks == {
        f"High neurons ({len(chosen.high)})": len(chosen.high),
        f"Low neurons ({len(chosen.low)})": len(chosen.low),
        "shown below": 1,
    }
    ring, cells = drawn.data[:2]
    cell = cells.text[ring.y[0], list(cells.x).index(ring.x[0])]
    assert place_clicked({"points": [{"text": cell}]}) == (layer, neuron)
    assert f"{len(chosen.high)} High" in texts(summary)
    assert sum(abs(y) for trace in counts.data for y in trace.y) == len(chosen)


def test_a_map_of_no_chosen_neuron_says_why(asks: PageCallbacks) -> None:
    drawn, _, summary, message = asks.draw_map("Extraversion", [0, 7], 0.99, 90, "dual", "dark", 0, 0)
    assert "the d criterion binds" in summary
    assert message == ""
    assert len(drawn.data) == 2


@pytest.mark.parametrize("min_d", [0.8, 90])
def test_a_click_moves_the_ring_alone(asks: PageCallbacks, min_d: float) -> None:
    choice = ("Extraversion", [0, 7], 0.99, min_d, "dual")
    before, after = (asks.draw_map(*choice, "light", *place)[0] for place in ((2, 41), (5, 7)))
    moved = before.to_plotly_json()
    for each in asks.ring(5, 7, *choice).to_plotly_json()["operations"]:
        data, number, name = each["location"]
        moved[data][number][name] = each["params"]["value"]
    assert PlotlyJSONEncoder().encode(moved) == PlotlyJSONEncoder().encode(after.to_plotly_json())
    nowhere = {
        each["location"][-1]: each["params"]["value"]
        for each in asks.ring(5, 9999, *choice).to_plotly_json()["operations"]
    }
    assert nowhere == {"x": [], "y": [], "showlegend": False}


def test_a_card_does_not_wait_for_who_runs_the_model(asks: PageCallbacks, explorer: Explorer) -> None:
    before = asks.show_card(*CHOICE, 5, 7, "light")
    read: list[object] = []
    network, lock = explorer.model.runner._wrapped, explorer._given.lock  # type: ignore[attr-defined]
    with lock, network.running():  # as while another thread patches
        thread = threading.Thread(target=lambda: read.extend(asks.show_card(*CHOICE, 5, 7, "light")))
        thread.start()
        thread.join(timeout=30)
    encode = PlotlyJSONEncoder().encode
    assert encode(read) == encode(before)


def test_a_layer_s_points_need_no_webgl_and_name_their_neuron(asks: PageCallbacks, explorer: Explorer) -> None:
    layer, neuron = first_chosen(explorer)
    drawn, message = asks.draw_layer(*CHOICE, layer, neuron, "light")
    assert message == ""
    assert {trace.type for trace in drawn.data} == {"scatter"}
    named = [text for trace in drawn.data if trace.text is not None for text in trace.text]
    assert {place_clicked({"points": [{"text": text}]})[0] for text in named} == {layer}
    assert asks.pick({"points": [{"text": named[0], "curveNumber": 0}]})[-1] == ""


@pytest.mark.parametrize(
    "click", [None, {}, {"points": []}, {"points": [{"text": "layer x"}]}, {"points": [{"x": 1}]}, 7]
)
def test_a_click_on_nothing_is_said(asks: PageCallbacks, click: object) -> None:
    assert asks.pick(click) == [
        no_update,
        no_update,
        "Click a cell or a mark that stands for a neuron; that place stands for none.",
    ]


def test_a_card_shows_all_its_parts(asks: PageCallbacks, explorer: Explorer) -> None:
    layer, neuron = first_chosen(explorer)
    parts, prompts, message = asks.show_card(*CHOICE, layer, neuron, "light")
    shown = texts(parts)
    assert message == ""
    card = explorer.card(explorer.settings(), layer, neuron)
    for part in (
        f"Layer {layer}, neuron {neuron}",
        card.reason,
        "Promotes",
        "Suppresses",
        card.tokens["token"][0],
        "95 %",
    ):
        assert part in shown
    assert card.prompts["question"][0] in texts(prompts)
    strip = next(part.figure for part in parts if getattr(part, "className", "") == "strip")
    assert [len(trace.x) for trace in strip.data] == [30, 30, 30]


def test_patching_is_shown_with_interval_and_n(asks: PageCallbacks, explorer: Explorer) -> None:
    layer, neuron = first_chosen(explorer)
    parts, message = asks.show_patching("Extraversion", layer, neuron, "light")
    assert message == ""
    shown = texts(parts)
    assert "high into low" in shown
    assert "6 held out pairs" in shown
    assert "by attribution place" in shown
    assert isinstance(parts[0].figure, go.Figure)


def test_answers_stand_between_both_directions(asks: PageCallbacks, explorer: Explorer) -> None:
    parts, message = asks.answer(QUESTION, *CHOICE, *DOSE)
    assert message == ""
    assert [part.className for part in parts] == ["decrease", "base", "increase"]
    found = explorer.answers(explorer.settings(temperature=0.0), QUESTION)
    assert found.base.text in texts(parts[1])
    assert found.towards("increase").text in texts(parts[2])
    assert f"{found.towards('increase').edited:,} (position, layer) pairs edited" in texts(parts[2])


def test_no_question_is_no_mistake_until_it_is_asked_for(asks: PageCallbacks) -> None:
    assert asks.answer("", *CHOICE, *DOSE) == [[], ""]
    assert asks.sweep(" ", *CHOICE, *DOSE) == [[], "A question needs a text, but none arrived. Write one."]


def test_a_sweep_is_a_row_a_dose(asks: PageCallbacks) -> None:
    table, message = asks.sweep(QUESTION, *CHOICE, *DOSE)
    assert message == ""
    assert [texts(row.children[0]) for row in table.children[1].children] == ["0.25", "0.5", "0.75", "1", "1.5", "2"]


def test_stepping_walks_the_chosen_by_d(asks: PageCallbacks, explorer: Explorer) -> None:
    order = asks._walk(explorer.settings())
    sizes = [abs(float(explorer.effects("Extraversion").at(layer)[1][neuron])) for layer, neuron in order]
    assert sizes == sorted(sizes, reverse=True)
    assert asks.step(1, *CHOICE, *order[0]) == [*order[1], f"2 of {len(order)} chosen, by |d|", ""]
    assert asks.step(-1, *CHOICE, *order[0])[:2] == list(order[-1])
    assert asks.step(1, *CHOICE, 0, -5)[:2] == list(order[0])
    assert asks.start()[1] == order[0]


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        (("Honesty", [0, 7], 0.99, 0.8, "dual"), "The traits here are Extraversion, Openness, but 'Honesty' arrived."),
        (("Openness", "0-7", 0.99, 0.8, "dual"), "The layers are a first and a last one, but '0-7' arrived."),
        (("Openness", [0, 70], 0.99, 0.8, "dual"), "Layers here are 0 to 7, but the range 0 to 70 arrived."),
        (("Openness", [0, 7], None, 0.8, "dual"), "The quantile is a finite number, but None arrived."),
        (("Openness", [0, 7], 0.99, "x", "dual"), "tau_d is a finite number, but 'x' arrived."),
        (("Openness", [0, 7], 0.99, 0.8, {}), "The rule is a word, but {} arrived."),
    ],
)
def test_what_the_browser_sends_is_checked(asks: PageCallbacks, controls: tuple, message: str) -> None:
    assert asks.draw_map(*controls, "light", 0, 0)[-1] == message
    assert asks.show_card(*controls, 0, 0, "light")[-1] == message
    assert asks.answer(QUESTION, *controls, *DOSE)[-1] == message


@pytest.mark.parametrize(
    ("layer", "neuron", "message"),
    [
        (0, 768, "Layer 0 has neurons 0 to 767, but 768 arrived."),
        (0, None, "The neuron is a whole number, but None arrived."),
        ("3", 0, "The layer is a whole number, but '3' arrived."),
        (2.5, 0, "The layer is a whole number, but 2.5 arrived."),
    ],
)
def test_a_wrong_neuron_is_said(asks: PageCallbacks, layer: object, neuron: object, message: str) -> None:
    assert asks.show_card(*CHOICE, layer, neuron, "light") == [[], [], message]
    assert asks.show_patching("Extraversion", layer, neuron, "light") == [[], message]


def test_doses_and_questions_are_bounded(asks: PageCallbacks) -> None:
    assert asks.answer(QUESTION, *CHOICE, 99, "generated", 0.0, 0)[-1].startswith("gamma lies from 0 to 4, but 99.0")
    assert asks.answer("a" * 2001, *CHOICE, *DOSE)[-1].startswith("A question has at most 2,000 characters")
    assert asks.answer(["a"], *CHOICE, *DOSE)[-1].startswith("A question needs a text")


def test_suggestions_follow_the_trait_but_not_over_one_s_own_words(asks: PageCallbacks, explorer: Explorer) -> None:
    first = explorer.questions("Openness")[0]
    options, value = asks.suggest("Openness", explorer.questions("Extraversion")[0])
    assert [option.value for option in options] == explorer.questions("Openness")
    assert value == first
    assert asks.suggest("Openness", "")[1] == first
    assert asks.suggest("Openness", "My own words?")[1] is no_update
    assert asks.suggest("Honesty", "")[0] == []


def test_an_address_shows_what_was_shown(asks: PageCallbacks, explorer: Explorer) -> None:
    values = ["Openness", [2, 5], 0.97, 1.1, "d-only", 1.5, "all", 0.7, 9, 3, 41, "Why? & how = now"]
    query = query_of(values)
    assert asks.restore(f"?{query}") == values
    assert list(parse_qs(query)) == list(KEYS)


def test_an_address_that_says_nothing_sensible_is_the_start(asks: PageCallbacks, explorer: Explorer) -> None:
    start = asks.restore("")
    assert start[:5] == ["Extraversion", [0, 7], 0.99, 0.8, "dual"]
    assert (start[9], start[10]) == asks.start()[1]
    assert start[-1] == explorer.questions("Extraversion")[0]
    junk = "layers=x&q=nan&d=&gamma=1e999&t=--&seed=-1&layer=²&neuron=1.5"
    assert asks.restore(junk) == start
    assert controls_of("neuron=99999999999999", *asks.start())[10] == 9999999999


def test_only_this_machine_s_own_page_is_answered(client: FlaskClient) -> None:
    for host in ("127.0.0.1:8050", "localhost:8050", "127.0.0.1", "[::1]:8050"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "evil.example:8050", "127.0.0.1.evil.example", "[", "10.0.0.1:8050"):
        assert client.get("/", headers={"Host": host}).status_code == 403, host
    here = {"Host": "127.0.0.1:8050"}
    assert client.post("/_dash-update-component", headers=here | {"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/_dash-update-component", headers=here | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/_dash-layout", headers=here | {"Origin": "null"}).status_code == 403
    opened = here | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=opened).status_code == 200
    assert client.get("/_dash-layout", headers=here | {"Origin": "http://127.0.0.1:8050"}).status_code == 200


def test_the_policy_lets_nothing_in_from_elsewhere(client: FlaskClient, page: Dash) -> None:
    answer = client.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert all(f in policy["script-src"] for f in page.csp_hashes())
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_development_tools_are_off(page: Dash, client: FlaskClient) -> None:
    assert not page._dev_tools.ui
    assert not page._dev_tools.hot_reload
    assert client.get("/_reload-hash").get_json()["reloadHash"] is None
    assert not [rule.rule for rule in page.server.url_map.iter_rules() if "mcp" in rule.rule or "ws" in rule.rule]


def test_a_large_request_is_refused(client: FlaskClient) -> None:
    answer = client.post(
        "/_dash-update-component", data=b"{" + b" " * 1_100_000 + b"}", content_type="application/json"
    )
    assert answer.status_code == 413


def test_the_core_needs_neither_dash_nor_widgets() -> None:
    script = (
        "import sys\nsys.modules['dash'] = sys.modules['ipywidgets'] = sys.modules['anywidget'] = None\n"
        "import workbench.explore.explorer, workbench.explore.panel, workbench.cli.exploring\n"
        "from workbench.cli.exploring import explore\n"
        "try:\n    explore('nowhere')\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install 'dpn-workbench[explore]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_an_explorer_without_a_study_has_a_page_too(model: wb.Model, effects: wb.Effects) -> None:
    page = explore_page(Explorer(model, {"Extraversion": effects}))
    assert page.server.test_client().get("/_dash-layout").status_code == 200
    parts, prompts, message = PageCallbacks(Explorer(model, {"Extraversion": effects})).show_card(
        *CHOICE, 0, 0, "light"
    )
    assert message == ""
    assert "were not given" in texts(parts)
    assert "were not given" in texts(prompts)


def test_a_text_is_shown_token_by_token(asks: PageCallbacks, page: Dash) -> None:
    text = "You love the <b>party."
    (shown, caption), message = asks.watch(text, *CHOICE, "light")
    assert message == ""
    bars = shown.figure.data[0]
    assert "".join(map(html.unescape, bars.text)).replace("␣", " ") == text
    assert "neutral texts" in texts(caption)
    [dark, _], _ = asks.watch(text, *CHOICE, "dark")
    assert dark.figure.layout.template != shown.figure.layout.template
    assert asks.watch(" ", *CHOICE, "light") == [[], "A question needs a text, but none arrived. Write one."]
    assert "the d criterion binds" in asks.watch(text, "Extraversion", [0, 7], 0.99, 90, "dual", "light")[1]
    assert any("tokens.children" in name for name in page.callback_map)
