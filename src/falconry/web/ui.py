"""The pages: Gradio is the shell, and what moves is our own.

Model picker, prompt box, buttons and options are Gradio's components. The message log, the list of conversations and
the gauge are `view`s: empty boxes that a module of static/ fills. No event reaches Python: pages talk to the routes
under /api and /view, whose cost does not grow with the conversation.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from falconry.i18n import LANGUAGES, table
from falconry.messages import SamplingParams
from falconry.services import Services
from falconry.web.assets import base_url

# The locale codes that Gradio knows; early.js maps every other Chinese one to zh-CN.
LOCALES = {"en": "en", "zh": "zh-CN"}
LONGEST_REPLY = 4096  # tokens, the end of the slider
LONGEST_COMPLETION = 1024


def translations() -> gr.I18n:
    """The texts of all languages, in the form that Gradio's own components understand."""
    return gr.I18n(**{LOCALES[language]: dict(table(language, "web")) for language in LANGUAGES})


def view(module: str, *, elem_id: str) -> gr.HTML:
    """An empty box that a module of ours fills: `export function mount(element)`.

    Template and value are constants, for Gradio evaluates them: text of a model or a person must never come near. A
    function and not a subclass, because Gradio writes a .pyi file beside every module that subclasses a component.
    """
    return gr.HTML(
        value="",
        html_template="<div></div>",
        elem_id=elem_id,
        apply_default_css=False,
        padding=False,
        js_on_load=f"import('{base_url()}/{module}').then((module) => module.mount(element))",
    )


def build_ui(services: Services) -> gr.Blocks:
    """All pages in one Blocks, since each Blocks that is mounted polls for itself."""
    texts = translations()
    with gr.Blocks(
        title="Falconry", fill_width=True, fill_height=True, analytics_enabled=False, delete_cache=(3600, 86400)
    ) as demo:
        _chat_page(texts)
    with demo.route("Completion", "/complete", show_in_navbar=False):
        _completion_page(texts)
    with demo.route("Account", "/account", show_in_navbar=False):
        _page_of_ours("account.js", elem_id="account")
    with demo.route("Administration", "/admin", show_in_navbar=False):
        _page_of_ours("admin.js", elem_id="admin")
    return demo


def _call(module: str, function: str) -> str:
    """JavaScript for an event that one of our modules handles."""
    return f"async (...values) => (await import('{base_url()}/{module}')).{function}(...values)"


def _model_picker(texts: gr.I18n, page: Any) -> gr.Dropdown:
    model = gr.Dropdown(
        [], elem_id="model", label=texts("model"), show_label=False, container=False, interactive=True, min_width=120
    )
    gr.on(
        [page.load, model.focus],
        fn=None,
        js=_call("models.js", "refresh"),
        outputs=model,
        api_visibility="private",
    )
    model.change(fn=None, js=_call("models.js", "choose"), inputs=model, api_visibility="private")
    return model


def _chat_page(texts: gr.I18n) -> None:
    page = gr.context.Context.root_block
    gr.Navbar(visible=False)
    with gr.Row(elem_id="app", elem_classes="app"):
        view("sidebar.js", elem_id="side")
        with gr.Column(elem_id="main"):
            with gr.Row(elem_id="topbar"):
                view("topbar.js", elem_id="topbar-menu")
                _model_picker(texts, page)
                view("gauge.js", elem_id="gauge")
            view("chat.js", elem_id="messages")
            with gr.Column(elem_id="composer"):
                with gr.Column(elem_id="card"):
                    gr.Textbox(
                        elem_id="prompt",
                        label=texts("prompt"),
                        placeholder=texts("prompt_placeholder"),
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
                with gr.Accordion(texts("advanced_options"), open=False, elem_id="options"):
                    _options(texts, page)


def _options(texts: gr.I18n, page: Any) -> None:
    """System message and sampling params. options.js keeps them per browser and puts them into every request."""
    defaults = SamplingParams()
    system = gr.Textbox(elem_id="option-system", label=texts("system"), lines=2, max_lines=6, interactive=True)
    with gr.Row():
        temperature = _temperature(texts, elem_id="option-temperature")
        max_tokens = gr.Slider(
            1,
            LONGEST_REPLY,
            defaults.max_tokens,
            step=1,
            elem_id="option-max-tokens",
            label=texts("max_new_tokens"),
            info=texts("max_new_tokens_info"),
            interactive=True,
        )
    with gr.Row():
        stop = gr.Textbox(
            elem_id="option-stop",
            label=texts("stop_sequences"),
            info=texts("stop_sequences_info"),
            lines=1,
            max_lines=4,
            interactive=True,
        )
        seed = gr.Textbox(
            elem_id="option-seed",
            label=texts("seed"),
            info=texts("seed_info"),
            placeholder=texts("seed_random"),
            max_lines=1,
            interactive=True,
        )
    with gr.Row(elem_id="options-foot"):
        view("options.js", elem_id="options-note")
        reset = gr.Button(texts("reset"), elem_id="reset-options", size="sm", min_width=40)
    fields = [system, temperature, max_tokens, stop, seed]
    page.load(fn=None, js=_call("options.js", "saved"), outputs=fields, api_visibility="private")
    reset.click(fn=None, js=_call("options.js", "reset"), outputs=fields, api_visibility="private")
    gr.on(
        [field.change for field in fields],
        fn=None,
        js=_call("options.js", "changed"),
        inputs=fields,
        api_visibility="private",
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


def _page_of_ours(module: str, *, elem_id: str) -> None:
    """A page of which everything beside the sidebar is one module's."""
    gr.Navbar(visible=False)
    with gr.Row(elem_id="app", elem_classes="app"):
        view("sidebar.js", elem_id="side")
        with gr.Column(elem_id="main"):
            with gr.Row(elem_id="topbar"):
                view("topbar.js", elem_id="topbar-menu")
            view(module, elem_id=elem_id)


def _completion_page(texts: gr.I18n) -> None:
    page = gr.context.Context.root_block
    gr.Navbar(visible=False)
    with gr.Row(elem_id="app", elem_classes="app"):
        view("sidebar.js", elem_id="side")
        with gr.Column(elem_id="main"):
            with gr.Row(elem_id="topbar"):
                view("topbar.js", elem_id="topbar-menu")
                _model_picker(texts, page)
            with gr.Column(elem_id="completion-page"):
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
