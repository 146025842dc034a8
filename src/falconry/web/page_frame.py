"""What all pages have in common: the sidebar at the left, a bar on top, and boxes that our own modules fill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr

from falconry.web.assets import base_url


def view(module: str, *, elem_id: str, mount: str = "mount") -> gr.HTML:
    """An empty box that a module of ours fills: `export function mount(element)`, or the one named.

    Template and value are constants, for Gradio evaluates them: text of a model or a person must never come near. A
    function and not a subclass, because Gradio writes a .pyi file beside every module that subclasses a component.
    """
    return gr.HTML(
        value="",
        html_template="<div></div>",
        elem_id=elem_id,
        apply_default_css=False,
        padding=False,
        js_on_load=f"import('{base_url()}/{module}').then((module) => module.{mount}(element))",
    )


@contextmanager
def frame(*topbar: Callable[[], object], beside: Callable[[], object] | None = None) -> Iterator[None]:
    """A page's frame; what is made inside stands below the bar.

    Args:
        topbar: make what stands in the bar, from left to right.
        beside: makes what stands at the right side.
    """
    gr.Navbar(visible=False)
    with gr.Row(elem_id="app", elem_classes="app"):
        view("sidebar.js", elem_id="side")
        with gr.Column(elem_id="main"):
            with gr.Row(elem_id="topbar"):
                view("topbar.js", elem_id="topbar-menu")
                for make in topbar:
                    make()
            yield
        if beside is not None:
            beside()


def page_of_ours(module: str, *, elem_id: str) -> None:
    """A page of which everything within the frame is one module's."""
    with frame():
        view(module, elem_id=elem_id)
