"""The human body, food and what keeps people healthy in general."""

from __future__ import annotations

from training.eyas.corpus.fields.facts import Talk, edge_talk, explanation_talk, fact_talk

TALKS: tuple[tuple[Talk, float], ...] = (
    (explanation_talk("body_food"), 6),
    (fact_talk("school", "body", "food"), 4),
    (edge_talk("body_food"), 0.9),
)
"""The talks of this field with their weights."""
