"""Nature and technology: why the sky is blue, what a lever is, who landed on the Moon, sports, music, colours."""

from __future__ import annotations

from training.eyas.corpus.fields.facts import Talk, edge_talk, explanation_talk, fact_talk

TALKS: tuple[tuple[Talk, float], ...] = (
    (explanation_talk("science", "everyday"), 14),
    (fact_talk("school", "science"), 5),
    (fact_talk("school", "colour", "sport", "music", "invention", "history", "language", "culture", "safety"), 8),
    (edge_talk("science", "everyday"), 2.5),
)
"""The talks of this field with their weights."""
