"""Chat templates with variables and with a clock, against the tokenizer's own `apply_chat_template`."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

import workbench as wb
from workbench import cli
from workbench.cli.options import parsed_variables
from workbench.model.clock import directives
from workbench.model.loading import load_again
from workbench.model.rendering import remarks, render, render_conversation
from workbench.model.template import DAY, TemplateVariableError, checked_variables, template_variables
from workbench.study.cells import unedited_cell
from workbench.study.fitting import fitted
from workbench.study.plan import Plan
from workbench.vocabulary import Pole

QWEN3 = (
    "{%- if tools %}{{- tools }}{%- endif %}{%- set ns = namespace(last=messages|length - 1) %}"
    "{%- for message in messages %}{%- set content = message.content %}"
    "{{- '<|' + message.role + '|>' + content + '<|end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
LLAMA32 = (
    "{{- bos_token }}\n{%- if custom_tools is defined %}{%- set tools = custom_tools %}{%- endif %}\n"
    "{%- if not date_string is defined %}\n    {%- if strftime_now is defined %}\n"
    '        {%- set date_string = strftime_now("%d %b %Y") %}\n    {%- else %}\n'
    '        {%- set date_string = "26 Jul 2024" %}\n    {%- endif %}\n{%- endif %}\n'
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n"
    "    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = '' %}\n{%- endif %}\n"
    '{{- "<|system|>Today Date: " + date_string + "\\n\\n" + system_message }}\n'
    "{%- for message in messages %}{{- '<|' + message['role'] + '|>' + message['content'] | trim }}{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}\n"
)
GPT_OSS = (
    "{%- macro head() -%}{{ 'You are ' + (model_identity or 'a model') + ' on ' + strftime_now('%Y-%m-%d') }}"
    "{%- endmacro -%}  {%- if reasoning_effort is not defined %}{%- set reasoning_effort = 'medium' %}{%- endif %}"
    "{{- head() + ', ' + reasoning_effort + ': ' + messages[0].content + messages[-1].content }}"
)
CLOCKED = (
    "  {% if true %}{{ strftime_now(format='%A, %-d %B %Y, 100%%d %H:%M %p') }}{% endif %}\n{{ messages[0].content }}\n"
)
PROMPT = wb.Prompt("What is 21 + 13?", "You are very kind.")


@pytest.fixture
def tokenizer(model: wb.Model) -> PreTrainedTokenizerFast:
    """A copy of the embedded model's, whose chat template a test may change."""
    own: Any = model.tokenizer
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(own.backend_tokenizer.to_str()),
        bos_token="<|begin|>",
        eos_token="<|end|>",
        chat_template=QWEN3,
    )


@pytest.fixture
def thinking(checkpoint: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    """A random checkpoint whose template has a variable and asks for the day."""
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.chat_template = "{{- strftime_now('%d %b %Y') }}" + QWEN3
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def plain(tokenizer: Any, **variables: Any) -> list[int]:
    """What transformers itself makes of the prompt."""
    given = {"add_generation_prompt": True, "return_dict": True, **variables}
    return list(tokenizer.apply_chat_template(PROMPT.messages, **given)["input_ids"])


@pytest.mark.parametrize("value", [True, False])
def test_variables_reach_the_template_by_every_way(
    value: bool, model: wb.Model, tokenizer: PreTrainedTokenizerFast
) -> None:
    asked = {"enable_thinking": value}
    expected = plain(tokenizer, **asked)
    assert (expected == plain(tokenizer)) is value
    own = wb.wrap_model(model.hooked, tokenizer, template=asked)
    other = wb.wrap_model(model.hooked, tokenizer)
    assert (
        render(tokenizer, [PROMPT], asked) == own.tokens(PROMPT) == other.tokens(PROMPT, template=asked) == [expected]
    )
    assert other.tokens(wb.Prompt(PROMPT.user, PROMPT.system, template=asked)) == [expected]
    assert other.tokens(PROMPT) == own.tokens(PROMPT, template={"enable_thinking": True}) == [plain(tokenizer)]
    text = render_conversation(tokenizer, PROMPT.messages, asked)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected
    said = own.generate_tokens(PROMPT, max_new_tokens=3)
    assert said == other.generate_tokens(PROMPT, max_new_tokens=3, template=asked)
    assert own.generate(PROMPT, max_new_tokens=3) == other.generate(PROMPT, max_new_tokens=3, template=asked)
    contrast = wb.Contrast("calm", (PROMPT, wb.Prompt("Hello")), (PROMPT, wb.Prompt("Hi")))
    captured = [
        wb.capture(own, contrast),
        wb.capture(other, contrast, template=asked),
        wb.capture(other, contrast.with_template(asked)),
    ]
    for tally in captured[1:]:
        assert tally.moments[Pole.HIGH].mean.equal(captured[0].moments[Pole.HIGH].mean)
    assert own.template == asked
    assert other.template == {}


def test_a_variable_that_the_template_does_not_read_is_refused(
    model: wb.Model, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert template_variables(tokenizer) == ("enable_thinking",)
    with pytest.raises(ValueError, match=r"no variable 'enable_thinkin'; it reads enable_thinking\. Correct the name"):
        wb.wrap_model(model.hooked, tokenizer, template={"enable_thinkin": False})
    for name in ("messages", "tools", "add_generation_prompt", "tokenize", "bos_token"):
        with pytest.raises(ValueError, match=f"'{name}' is set by the workbench itself; it reads enable_thinking"):
            render(tokenizer, [PROMPT], {name: []})
    with pytest.raises(ValueError, match="a finite number, true, false, none, or a list or table of them"):
        checked_variables(tokenizer, {"enable_thinking": object()})
    with pytest.raises(ValueError, match=r"no variable 'enable_thinking'; it reads none that can be set"):
        wb.load_model("testbed", template={"enable_thinking": False})
    with pytest.raises(ValueError, match=r"A raw text takes no template variables, but enable_thinking arrived"):
        wb.Prompt("Hello", chat=False, template={"enable_thinking": False})
    assert checked_variables(tokenizer, {}) == checked_variables(tokenizer, None) == {}
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match=r"need a chat template, but the tokenizer has none; enable_thinking arrived"):
        wb.wrap_model(model.hooked, tokenizer, template={"enable_thinking": False})


def test_a_template_says_which_variables_it_reads(tokenizer: PreTrainedTokenizerFast) -> None:
    for template, expected in (
        (LLAMA32, ("custom_tools", "date_string", "strftime_now")),
        (GPT_OSS, ("model_identity", "reasoning_effort", "strftime_now")),
        (CLOCKED, ("strftime_now",)),
        ("{% generation %}{{ a }}{% endgeneration %}{% for m in messages %}{% break %}{% endfor %}", ("a",)),
        ("{{ no jinja", ()),
    ):
        tokenizer.chat_template = template
        assert template_variables(tokenizer) == expected


class Clock(datetime):
    """A clock that another test run would read: plain transformers asks it."""

    day = date(2031, 1, 5)

    @classmethod
    def now(cls, tz: Any = None) -> "Clock":
        return cls(cls.day.year, cls.day.month, cls.day.day)


@pytest.mark.parametrize("template", [LLAMA32, GPT_OSS, CLOCKED], ids=["Llama 3.2", "gpt-oss", "clock"])
def test_the_day_is_the_same_on_any_day(
    template: str, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the day that templates are told, plain transformers renders the same prompt."""
    tokenizer.chat_template = template
    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    ours = render(tokenizer, [PROMPT])
    assert ours != [plain(tokenizer)]
    monkeypatch.setattr(Clock, "day", DAY)
    assert ours == render(tokenizer, [PROMPT]) == [plain(tokenizer)]
    monkeypatch.setattr(Clock, "day", date(2025, 2, 3))
    assert render(tokenizer, [PROMPT]) == ours
    assert render(tokenizer, [PROMPT], {"strftime_now": "2025-02-03"}) == [plain(tokenizer)]
    assert remarks(tokenizer, {})[-1] == (
        "the chat template asks for the day and is told 2024-07-26 on any day; strftime_now sets another"
    )
    with pytest.raises(TemplateVariableError, match="strftime_now is a day such as 2024-07-26, but 'today' arrived"):
        render(tokenizer, [PROMPT], {"strftime_now": "today"})


def test_a_day_of_the_templates_own_stays(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = LLAMA32
    ours = render(tokenizer, [PROMPT], {"date_string": "1 Jan 2020"})
    assert ours == [plain(tokenizer, date_string="1 Jan 2020")]
    tokenizer.chat_template = LLAMA32.replace("strftime_now is defined", "false")
    assert render(tokenizer, [PROMPT]) == [plain(tokenizer)]
    tokenizer.chat_template = "{{ date_string | default('10 Dec 2023') }} {{ messages[0].content }}"
    assert render(tokenizer, [PROMPT]) == [plain(tokenizer)]


@pytest.mark.parametrize("day", [DAY, date(2025, 1, 5), date(2023, 12, 31)])
def test_the_standing_clock_spells_every_directive_as_strftime(day: date) -> None:
    midnight = datetime(day.year, day.month, day.day)
    assert directives(day) == {key: midnight.strftime(key) for key in directives(day)}


def test_a_changed_variable_is_another_capture(thinking: Path, tmp_path: Path) -> None:
    contrast = wb.Contrast("calm", (PROMPT, wb.Prompt("Hello")), (PROMPT, wb.Prompt("Hi")))
    model = wb.load_model(thinking, template={"enable_thinking": True})
    tally = wb.capture(model, contrast, folder=tmp_path / "kept")
    assert tally.provenance["template"] == '{"enable_thinking": true, "strftime_now": "2024-07-26"}'
    wb.capture(model, contrast, folder=tmp_path / "kept")
    wb.capture(wb.load_model(thinking), contrast, folder=tmp_path / "kept", template={"enable_thinking": True})
    with pytest.raises(ValueError, match=r"template_variables: \{'enable_thinking': True\} there, .*False"):
        wb.capture(model, contrast, folder=tmp_path / "kept", template={"enable_thinking": False})
    assert model.template == {"enable_thinking": True}


def test_a_model_is_loaded_again_with_its_variables(thinking: Path) -> None:
    model = wb.load_model(thinking, template={"enable_thinking": False})
    assert model.recipe is not None
    again = load_again(model.recipe)
    assert again.template == model.template == {"enable_thinking": False}
    assert again.rendering_digest == model.rendering_digest != wb.load_model(thinking).rendering_digest
    with model.templated({"strftime_now": "2025-01-31"}):
        assert load_again(model.recipe).template == {"enable_thinking": False, "strftime_now": "2025-01-31"}
        assert again.rendering_digest != model.rendering_digest
    assert again.rendering_digest == model.rendering_digest
    assert "template variables enable_thinking=false" in model.rendering_remarks


def test_a_template_that_cannot_take_a_value_is_told(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{{ 'effort ' + effort }}{{ messages[0].content }}"
    with pytest.raises(
        ValueError, match=r"The chat template refuses 'What is 21 \+ 13\?' with effort=3: can only conc"
    ):
        render(tokenizer, [PROMPT], {"effort": 3})


def test_a_template_that_opens_thinking_is_told(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = QWEN3.replace("{%- if enable", "{%- if not (enable").replace(
        "is false %}{{- '<think>\n\n</think>\n\n'", "is false) %}{{- '<think>\n'"
    )
    opens = "the chat template opens the answer with <think>, so that thinking comes first"
    assert remarks(tokenizer, {}) == [opens]
    assert opens not in remarks(tokenizer, {"enable_thinking": False})


def test_variables_are_read_from_the_command_line() -> None:
    written = ["a=false", "b=False", "c=3", "d=low", 'e={"x": [1]}', "f=NaN", "g=", "h=2025-01-31", 'i="3"', "j=a=b"]
    values = {"a": False, "b": False, "c": 3, "d": "low", "e": {"x": [1]}}
    assert parsed_variables(written) == values | {"f": "NaN", "g": "", "h": "2025-01-31", "i": "3", "j": "a=b"}
    for wrong in (["a"], ["=3"], ["a=1", "a=2"]):
        with pytest.raises(ValueError, match="A template variable"):
            parsed_variables(wrong)


def test_commands_take_variables_and_say_the_day(
    thinking: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*template: str) -> tuple[int, str]:
        pairs = tmp_path / "pairs.jsonl"
        pairs.write_text('{"high": "Hello", "low": "Hi"}\n{"high": "Yes", "low": "No"}\n', encoding="utf-8")
        given = [each for variable in template for each in ("--template", variable)]
        command = ["capture", "--model", str(thinking), "--pairs", str(pairs), "--trait", "calm", "--json"]
        monkeypatch.setattr(sys, "argv", ["workbench", *command, "--out", str(tmp_path / "kept"), *given])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), capsys.readouterr().err

    done, err = run("enable_thinking=false", "strftime_now=2025-01-31")
    assert done == 0
    assert "prompts: template variables enable_thinking=false\n" in err
    assert "prompts: the chat template asks for the day and is told 2025-01-31 on any day" in err
    done, err = run("enable_thinking=true", "strftime_now=2025-01-31")
    assert done == 2
    assert "holds another capture (template_variables" in err
    done, err = run("enable_thinkin=true")
    assert done == 2
    assert err.endswith("no variable 'enable_thinkin'; it reads enable_thinking, strftime_now. Correct the name.\n")
    assert len(err.splitlines()) == 1
    assert run("enable_thinking") == (
        2,
        err.partition("The chat")[0] + ("A template variable is written NAME=VALUE, but 'enable_thinking' arrived.\n"),
    )


def test_a_study_keeps_its_variables_and_a_changed_one_is_another_cell(thinking: Path, tmp_path: Path) -> None:
    variables = {"enable_thinking": False, "strftime_now": "2025-01-31"}
    config = wb.StudyConfig(
        model=str(thinking), template=variables, outcomes=("statements", "perplexity"), scorer="none"
    )
    (tmp_path / "study.toml").write_text(config.toml(explained=True), encoding="utf-8")
    assert wb.StudyConfig.read(tmp_path / "study.toml") == config
    odd = config.model_copy(update={"template": {"a b": 'line\nbreak, "quote", \\, \x7f', "n": [1, 2.5, True]}})
    (tmp_path / "study.toml").write_text(odd.toml(), encoding="utf-8")
    assert wb.StudyConfig.read(tmp_path / "study.toml") == odd
    with pytest.raises(ValueError, match="template variables have values, but enable_thinking has none"):
        wb.StudyConfig(template={"enable_thinking": None})
    model, plan = wb.load_model(thinking), Plan.of(config.model_copy(update={"template": {}}))
    assert fitted(plan, model)[0].config.template == {}
    cell, outcome = unedited_cell(config.traits, scope="generated", split="test"), plan.outcomes[0]
    before = cell.key(model, outcome, {outcome.name: outcome})
    with model.templated(variables):
        assert fitted(plan, model)[0].config.template == variables  # so that the study's file has them
        assert cell.key(model, outcome, {outcome.name: outcome}) != before
    assert cell.key(model, outcome, {outcome.name: outcome}) == before
