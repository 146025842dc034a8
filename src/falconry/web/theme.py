"""Gradio's theme in the kestrel's colours: rufous for what can be pressed, warm greys for the rest.

static/shell.css holds the same colours as `--f-…` variables for our own parts.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import Font, LocalFont

RUFOUS = Color(
    name="rufous",
    c50="#fdf6f1",
    c100="#fae8dc",
    c200="#f3cdb4",
    c300="#eaad86",
    c400="#e08d5a",
    c500="#cb6c33",
    c600="#ab5423",
    c700="#8b431d",
    c800="#6d361a",
    c900="#532b17",
    c950="#2e160b",
)
WARM = Color(
    name="warm",
    c50="#fbfaf8",
    c100="#f4f2ee",
    c200="#e7e3dc",
    c300="#d3cdc3",
    c400="#a49c90",
    c500="#7a7368",
    c600="#5b554c",
    c700="#413c36",
    c800="#2a2724",
    c900="#1d1b19",
    c950="#151413",
)
# Chinese text in the system's own font: none is bundled. `Font`, because a plain string would be looked for as a file.
CJK = [Font(name) for name in ("PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC")]


def falconry_theme() -> gr.themes.Base:
    """400 and 700 only: the SemiBold files that Gradio brings along lack most letters."""
    return gr.themes.Base(
        primary_hue=RUFOUS,
        secondary_hue=RUFOUS,
        neutral_hue=WARM,
        radius_size="lg",
        text_size="md",
        font=[LocalFont("Source Sans Pro", weights=(400, 700)), *CJK, Font("sans-serif")],
        font_mono=[LocalFont("IBM Plex Mono", weights=(400, 700)), *CJK, Font("monospace")],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_900",
        block_background_fill="transparent",
        block_border_width="0px",
        block_label_text_weight="400",
        block_title_text_weight="400",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_400",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_200",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_large_text_weight="700",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
    )
