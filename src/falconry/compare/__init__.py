"""The same questions to several models side by side: asking, judging, and what the judgements say."""
