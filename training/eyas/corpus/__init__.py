"""The corpus of Eyas, generated from the tables in ``data/``.

``grammar`` turns patterns into wordings, ``tables`` reads the data, ``noise`` makes a question look typed, ``intents``
and ``animals`` make exchanges (a question and its answer, or several that belong together), ``unknown`` makes the
questions that Eyas should decline, ``dialogues`` strings exchanges into conversations, ``documents`` writes plain text,
``render`` turns all of it into training samples.
"""

from __future__ import annotations

from training.eyas.corpus.render import Sample, sample, samples

__all__ = ["Sample", "sample", "samples"]
