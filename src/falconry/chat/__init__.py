"""The living room: one turn from question to stored answer, the context window, and the replies in flight."""
