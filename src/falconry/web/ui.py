"""The pages: Gradio is the shell, and what moves is our own.

Model picker, prompt box, buttons and options are Gradio's components; what a script has chosen reaches them by the
press of a hidden button. The message log, the list of conversations and
the gauge are `view`s: empty boxes that a module of static/ fills. No event reaches Python: pages talk to the routes
under /api and /view, whose cost does not grow with the conversation.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from falconry.i18n import LANGUAGES, table
from falconry.messages import SamplingParams
from falconry.services import Services
from falconry.web.assets import base_url
from falconry.web.page_frame import frame, page_of_ours, view

# The locale codes that Gradio knows; early.js maps every other Chinese one to zh-CN.
LOCALES = {"en": "en", "zh": "zh-CN"}
LONGEST_COMPLETION = 1024  # tokens, the end of the slider


def translations() -> gr.I18n:
    """The texts of all languages, in the form that Gradio's own components understand."""
    return gr.I18n(**{LOCALES[language]: dict(table(language, "web")) for language in LANGUAGES})


def build_ui(services: Services) -> gr.Blocks:
    """All pages in one Blocks, since each Blocks that is mounted polls for itself."""
    texts = translations()
    with gr.Blocks(
        title="Falconry", fill_width=True, fill_height=True, analytics_enabled=False, delete_cache=(3600, 86400)
    ) as demo:
        _chat_page(texts)
    with demo.route("Compare", "/compare", show_in_navbar=False):
        _compare_page(texts)
    with demo.route("Completion", "/complete", show_in_navbar=False):
        _completion_page(texts)
    with demo.route("Models", "/models", show_in_navbar=False):
        page_of_ours("models_page.js", elem_id="models")
    with demo.route("Prompt", "/prompt", show_in_navbar=False):
        _prompt_page(texts)
    with demo.route("Account", "/account", show_in_navbar=False):
        page_of_ours("account.js", elem_id="account")
    with demo.route("Administration", "/admin", show_in_navbar=False):
        page_of_ours("admin.js", elem_id="admin")
    return demo


def _call(module: str, function: str) -> str:
    """JavaScript for an event that one of our modules handles."""
    return f"async (...values) => (await import('{base_url()}/{module}')).{function}(...values)"


def _model_picker(texts: gr.I18n, page: Any) -> gr.Dropdown:
    model = gr.Dropdown(
        [], elem_id="model", label=texts("model"), show_label=False, container=False, interactive=True, min_width=120
    )
    sync = gr.Button(elem_id="model-sync", elem_classes="sync")
    gr.on(
        [page.load, model.focus, sync.click],
        fn=None,
        js=_call("models.js", "refresh"),
        outputs=model,
        api_visibility="private",
    )
    model.input(fn=None, js=_call("models.js", "choose"), inputs=model, api_visibility="private")
    return model


def _chat_page(texts: gr.I18n) -> None:
    page = gr.context.Context.root_block
    picker = partial(_model_picker, texts, page)
    with frame(picker, _gauge, _options_toggle, beside=partial(_options_column, texts, page)):
        view("chat.js", elem_id="messages")
        _composer(texts, texts("prompt_placeholder"))


def _prompt_page(texts: gr.I18n) -> None:
    """How a model reads a conversation."""
    page = gr.context.Context.root_block
    with frame(partial(_model_picker, texts, page)):
        view("prompt_page.js", elem_id="prompt-page")


def _gauge() -> None:
    view("gauge.js", elem_id="gauge")


def _options_toggle() -> None:
    view("options_panel.js", elem_id="options-toggle", mount="mountButton")


def _composer(texts: gr.I18n, placeholder: Any) -> None:
    """The prompt box and its buttons; composer.js adds the others."""
    with gr.Column(elem_id="composer"), gr.Column(elem_id="card"):
        gr.Textbox(
            elem_id="prompt",
            label=texts("prompt"),
            placeholder=placeholder,
            show_label=False,
            container=False,
            lines=1,
            max_lines=10,
            autofocus=True,
        )
        with gr.Row(elem_id="composer-buttons"):
            gr.Button(texts("clear"), elem_id="clear", size="sm", min_width=40)
            gr.Button(texts("stop"), elem_id="stop", size="sm", min_width=40)
            gr.Button(texts("submit"), elem_id="submit", variant="primary", size="sm", min_width=40)


def _options_column(texts: gr.I18n, page: Any) -> None:
    """What stands at the right side: persona, system message and sampling params."""
    with gr.Column(elem_id="options"):
        view("options_panel.js", elem_id="options-head")
        with gr.Column(elem_id="options-body"):
            _persona_picker(texts, page)
            _options(texts, page)


def _persona_picker(texts: gr.I18n, page: Any) -> None:
    persona = gr.Dropdown([], elem_id="option-persona", label=texts("persona"), interactive=True)
    sync = gr.Button(elem_id="persona-sync", elem_classes="sync")
    gr.on(
        [page.load, sync.click],
        fn=None,
        js=_call("personas.js", "refresh"),
        outputs=persona,
        api_visibility="private",
    )
    persona.input(fn=None, js=_call("personas.js", "chosen"), inputs=persona, api_visibility="private")
    view("personas.js", elem_id="personas")


def _options(texts: gr.I18n, page: Any) -> None:
    """System message and sampling params, in the order of options.js, which puts them into every request."""
    system = gr.Textbox(elem_id="option-system", label=texts("system"), lines=2, max_lines=12, interactive=True)
    temperature = _temperature(texts, elem_id="option-temperature")
    max_tokens = _number(
        texts("max_new_tokens"),
        texts("max_new_tokens_info"),
        texts("empty_as_many"),
        elem_id="option-max-tokens",
        step=1,
    )
    top_p = _number(texts("top_p"), texts("top_p_info"), texts("by_default"), elem_id="option-top-p", step=0.05)
    top_k = _number(texts("top_k"), texts("top_k_info"), texts("by_default"), elem_id="option-top-k", step=1)
    min_p = _number(texts("min_p"), texts("min_p_info"), texts("by_default"), elem_id="option-min-p", step=0.01)
    penalty = _number(
        texts("repetition_penalty"),
        texts("repetition_penalty_info"),
        texts("by_default"),
        elem_id="option-repetition-penalty",
        step=0.05,
    )
    stop = _text(
        texts("stop_sequences"), texts("stop_sequences_info"), texts("stop_none"), elem_id="option-stop", max_lines=6
    )
    seed = _text(texts("seed"), texts("seed_info"), texts("seed_random"), elem_id="option-seed", max_lines=1)
    schema = _text(
        texts("json_schema"),
        texts("json_schema_info"),
        texts("schema_none"),
        elem_id="option-json-schema",
        max_lines=16,
    )
    with gr.Row(elem_id="options-foot"):
        view("options_panel.js", elem_id="options-note", mount="mountNote")
        reset = gr.Button(texts("reset"), elem_id="reset-options", size="sm", min_width=40)
    sync = gr.Button(elem_id="options-sync", elem_classes="sync")
    fields = [system, temperature, max_tokens, top_p, top_k, min_p, penalty, stop, seed, schema]
    gr.on(
        [page.load, sync.click],
        fn=None,
        js=_call("options.js", "saved"),
        outputs=fields,
        api_visibility="private",
    )
    reset.click(fn=None, js=_call("options.js", "reset"), outputs=fields, api_visibility="private")
    gr.on(
        [field.change for field in fields],
        fn=None,
        js=_call("options.js", "changed"),
        inputs=fields,
        api_visibility="private",
    )


def _number(label: Any, info: Any, empty: Any, *, elem_id: str, step: float) -> gr.Number:
    """A number that may be left out; `empty` says what that means. Its range is checked by options.js, with a word."""
    return gr.Number(
        elem_id=elem_id,
        elem_classes="number",
        label=label,
        info=info,
        placeholder=empty,
        step=step,
        min_width=120,
        interactive=True,
    )


def _text(label: Any, info: Any, empty: Any, *, elem_id: str, max_lines: int) -> gr.Textbox:
    return gr.Textbox(
        elem_id=elem_id,
        label=label,
        info=info,
        placeholder=empty,
        lines=1,
        max_lines=max_lines,
        interactive=True,
    )


def _temperature(texts: gr.I18n, *, elem_id: str) -> gr.Slider:
    return gr.Slider(
        0,
        2,
        SamplingParams().temperature,
        step=0.1,
        elem_id=elem_id,
        label=texts("temperature"),
        info=texts("temperature_info"),
        interactive=True,
    )


def _compare_page(texts: gr.I18n) -> None:
    """Models side by side. What is above the prompt box is compare.js's; the rest is as on the chat page."""
    page = gr.context.Context.root_block
    with frame(_compare_bar, _options_toggle, beside=partial(_options_column, texts, page)):
        view("compare.js", elem_id="compare")
        _composer(texts, texts("compare_placeholder"))


def _compare_bar() -> None:
    view("compare_bar.js", elem_id="compare-bar")


def _completion_page(texts: gr.I18n) -> None:
    page = gr.context.Context.root_block
    with frame(partial(_model_picker, texts, page)), gr.Column(elem_id="completion-page"):
        view("complete.js", elem_id="completion-intro")
        gr.Textbox(
            elem_id="completion-prompt",
            label=texts("prompt"),
            placeholder=texts("completion_placeholder"),
            lines=5,
            max_lines=14,
            autofocus=True,
        )
        max_tokens = gr.Slider(
            1,
            LONGEST_COMPLETION,
            20,
            step=1,
            elem_id="completion-max-tokens",
            label=texts("max_new_tokens"),
            interactive=True,
        )
        with gr.Accordion(texts("advanced_options"), open=False, elem_id="completion-options"):
            temperature = _temperature(texts, elem_id="completion-temperature")
        with gr.Row(elem_id="completion-buttons"):
            gr.Button(texts("stop"), elem_id="completion-stop", size="sm", min_width=40)
            gr.Button(texts("submit"), elem_id="completion-submit", variant="primary", size="sm", min_width=40)
        view("completion_box.js", elem_id="completion-output")
    gr.on(
        [page.load, max_tokens.change, temperature.change],
        fn=None,
        js=_call("complete.js", "changed"),
        inputs=[max_tokens, temperature],
        api_visibility="private",
    )
