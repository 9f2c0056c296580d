"""The look of Gradio's own components. Colours and spaces are variables of web/style.css, light and dark."""

from __future__ import annotations

import gradio as gr

_COLOURS = {
    "body_background_fill": "paper", "body_text_color": "ink", "body_text_color_subdued": "ink-soft",
    "background_fill_primary": "card", "background_fill_secondary": "paper",
    "border_color_primary": "line", "border_color_accent": "accent", "border_color_accent_subdued": "line",
    "color_accent_soft": "accent-soft", "link_text_color": "accent", "link_text_color_hover": "accent",
    "link_text_color_active": "accent", "link_text_color_visited": "accent", "code_background_fill": "sunk",
    "block_background_fill": "clear", "block_border_color": "clear", "block_info_text_color": "ink-soft",
    "block_label_background_fill": "clear", "block_label_border_color": "clear",
    "block_label_text_color": "ink", "block_title_background_fill": "clear",
    "block_title_border_color": "clear", "block_title_text_color": "ink", "panel_background_fill": "clear",
    "panel_border_color": "clear", "accordion_text_color": "ink", "table_text_color": "ink",
    "checkbox_background_color": "card", "checkbox_background_color_focus": "card",
    "checkbox_background_color_hover": "card", "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "edge", "checkbox_border_color_focus": "accent",
    "checkbox_border_color_hover": "accent", "checkbox_border_color_selected": "accent",
    "checkbox_label_background_fill": "card", "checkbox_label_background_fill_hover": "accent-soft",
    "checkbox_label_background_fill_selected": "accent-soft", "checkbox_label_border_color": "line",
    "checkbox_label_border_color_hover": "accent", "checkbox_label_border_color_selected": "accent",
    "checkbox_label_text_color": "ink", "checkbox_label_text_color_selected": "ink",
    "input_background_fill": "card", "input_background_fill_focus": "card",
    "input_background_fill_hover": "card", "input_border_color": "edge", "input_border_color_focus": "accent",
    "input_border_color_hover": "ink-soft", "input_placeholder_color": "ink-soft",
    "loader_color": "accent", "slider_color": "accent", "stat_background_fill": "accent-soft",
    "table_border_color": "line", "table_even_background_fill": "card", "table_odd_background_fill": "card",
    "button_primary_background_fill": "accent", "button_primary_background_fill_hover": "accent-strong",
    "button_primary_border_color": "accent", "button_primary_border_color_hover": "accent-strong",
    "button_primary_text_color": "accent-ink", "button_primary_text_color_hover": "accent-ink",
    "button_secondary_background_fill": "card", "button_secondary_background_fill_hover": "accent-soft",
    "button_secondary_border_color": "edge", "button_secondary_border_color_hover": "accent",
    "button_secondary_text_color": "ink", "button_secondary_text_color_hover": "ink",
}  # fmt: skip

_PLAIN = {
    "block_border_width": "0px", "block_padding": "0px", "block_shadow": "none", "block_radius": "0px",
    "block_label_border_width": "0px", "block_label_shadow": "none", "block_title_padding": "0",
    "block_title_text_size": "0.875rem", "block_title_text_weight": "600", "block_label_text_weight": "600",
    "block_info_text_size": "0.8125rem", "checkbox_label_shadow": "none",
    "checkbox_label_border_width": "1px",
    "checkbox_label_padding": "0.375rem 0.75rem", "checkbox_label_gap": "0.375rem",
    "input_border_width": "1px", "input_shadow": "none", "input_shadow_focus": "none",
    "input_radius": "8px", "input_padding": "0.5rem 0.75rem", "input_text_size": "0.9375rem",
    "layout_gap": "1.5rem", "form_gap_width": "0px", "shadow_drop": "none", "shadow_drop_lg": "none",
    "button_large_radius": "8px", "button_medium_radius": "8px", "button_small_radius": "8px",
    "button_large_text_weight": "600", "button_medium_text_weight": "600", "button_small_text_weight": "400",
    "button_primary_shadow": "none", "button_secondary_shadow": "none", "button_transition": "all 0.15s ease",
    "body_text_size": "1rem", "prose_text_size": "1rem",
}  # fmt: skip


def theme() -> gr.themes.Base:
    """The studio's theme; its fonts come with Gradio, so no outside host is asked."""
    base = gr.themes.Base(
        font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "PingFang SC", "Microsoft YaHei",
              "Noto Sans CJK SC", "system-ui", "sans-serif"],
        font_mono=[gr.themes.LocalFont("IBM Plex Mono"), "ui-monospace", "monospace"],
    )  # fmt: skip
    colours = {name: f"var(--{variable})" for name, variable in _COLOURS.items()}
    dark = {f"{name}_dark": value for name, value in colours.items()}
    return base.set(
        **{name: value for name, value in (_PLAIN | colours | dark).items() if _known(base, name)}
    )


def _known(base: gr.themes.Base, name: str) -> bool:
    """Gradio's minor versions add and drop variables; a missing one costs a little beauty, not the page."""
    return name in base.set.__code__.co_varnames
