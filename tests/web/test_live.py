"""A growing text, rendered block by block."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falconry.web.live import LiveMarkdown
from falconry.web.markdown import render_blocks

ARTICLE = """# Falcons

A *falcon* has long wings, a **hooked beak** and

1. sharp eyes,
2. strong feet

```python
def dive(height: int) -> float:
\treturn height / 9.81

```

| bird | km/h |
|------|-----:|
| peregrine | 320 |

> and that is
> quick

$$
v = \\sqrt{2 g h}
$$

end
"""


def grow(text: str, step: int = 1) -> LiveMarkdown:
    """Feed a text as a model would, rendering at every step."""
    now = 0.0

    def clock() -> float:
        return now

    live = LiveMarkdown(clock)
    for end in range(step, len(text), step):
        now += 1.0
        live.update(text[:end], force=True)
    live.update(text, force=True)
    return live


@pytest.mark.parametrize("step", [1, 3, 7, 50])
def test_blocks_are_the_same_in_the_end(step: int) -> None:
    assert grow(ARTICLE, step).blocks == list(render_blocks(ARTICLE))


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["a", "*b*", "\n", "\n\n", "- c", "```\n", "> d", "|e|f|\n|-|-|\n", "# g", "---\n", "1. h\n", "   i"]
        )
    )
)
def test_finished_blocks_never_change(pieces: list[str]) -> None:
    text = "".join(pieces)
    live = LiveMarkdown()
    finished: list[str] = []
    for end in range(1, len(text) + 1):
        live.update(text[:end], force=True)
        assert live.finished[: len(finished)] == finished
        finished = list(live.finished)
    shown = "".join(live.blocks)
    for piece in ("a", "c", "d", "g", "h"):
        assert piece not in text or piece in shown or live.seam < len(text)


def test_half_a_line_is_not_misread() -> None:
    live = grow("A heading?\n-")
    assert live.blocks == ["<p>A heading?</p>"]
    assert live.seam == len("A heading?")


def test_text_in_between_begins_with_the_line_end_that_markdown_swallowed() -> None:
    live = grow("a\n\n")
    assert live.seam == 1


def test_code_in_progress_keeps_its_line_ends() -> None:
    text = "```\na\n"
    live = grow(text)
    assert live.live[0].endswith("<code>a\n</code></pre></div>")
    assert live.seam == len(text)


def test_rendering_waits_for_its_time() -> None:
    now = 0.0
    live = LiveMarkdown(lambda: now)
    live.update("a")
    live.update("ab")
    assert (live.blocks, live.seam) == (["<p>a</p>"], 1)
    now = 1.0
    live.update("abc" + " word" * 400)
    assert live.seam > 1000


def test_cost_per_token_does_not_grow_with_the_text() -> None:
    """0.04 CPU s per 1000 tokens by design; the second half of a long text costs no more than the first."""
    text = ARTICLE * 60
    now = 0.0
    live = LiveMarkdown(lambda: now)
    costs = []
    for part in (range(0, len(text) // 2, 4), range(len(text) // 2, len(text), 4)):
        started = time.thread_time()
        for end in part:
            now += 0.02
            live.update(text[:end])
        costs.append(time.thread_time() - started)
    assert costs[1] < 2 * costs[0]
    assert sum(costs) / (len(text) / 4000) < 0.2
