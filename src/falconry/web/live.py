"""A growing text as HTML blocks, at a cost per token that does not grow with the text.

Blocks that are finished are rendered once and never looked at again. Only the live tail is parsed, a few times a
second, and what arrives in between is handed out as text to append. References and footnotes across blocks are lost
while the text grows; whoever shows it finished renders it once more as a whole.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from falconry.web.markdown import split_blocks

INTERVAL = 0.3  # seconds between two renderings of the live tail
# A rendering has to be worth its cost: 10 µs for each new character, that is 0.04 CPU s per 1000 tokens at most.
SECONDS_PER_CHARACTER = 10e-6
LINE_END = re.compile(r"\r\n|\r|\n")
# Half a line that would be misread: the "2" of "2. " joins the line above, and a "-" turns it into a heading.
HALF_MARK = re.compile(r"[\r\n][ \t]*(?:\d{1,4}[.)]?|[-=+*#>|`~$:_ ]{1,8})\Z")


class LiveMarkdown:
    """The state of one growing text, shared by everybody who watches it.

    Attributes:
        finished: HTML of the blocks that cannot change any more.
        live: HTML of the block or two that still grow.
        rendered: how long the source was when it was rendered last.
        seam: where the text begins that `finished` and `live` do not show, line ends included; it is to be appended.
        serial: changes whenever `finished` or `live` do.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done = 0  # characters of the source that `finished` covers
        self._last = 0.0
        self._cost = 0.0  # CPU seconds of the last rendering
        self.finished: list[str] = []
        self.live: list[str] = []
        self.rendered = 0
        self.seam = 0
        self.serial = 0

    @property
    def blocks(self) -> list[str]:
        return self.finished + self.live

    def update(self, source: str, *, force: bool = False) -> None:
        """Look at the source, which has only grown since the last time; render its tail when that is due."""
        new = len(source) - self.rendered
        if new <= 0:
            return
        now = self._clock()
        due = now - self._last >= INTERVAL and new * SECONDS_PER_CHARACTER >= self._cost
        if not (force or due or self.rendered == 0):
            return
        started = time.thread_time()
        self._render(source)
        # The first block in a language loads its lexer, which says nothing about the next one.
        self._cost = min(time.thread_time() - started, 1e-3 + 5e-6 * (len(source) - self._done))
        self._last = now

    def _render(self, source: str) -> None:
        whole_length = len(source)
        if mark := HALF_MARK.search(source, max(self._done, len(source) - 40)):
            source = source[: mark.start()]
        tail = source[self._done :]
        blocks = split_blocks(tail)
        ends = [match.end() for match in LINE_END.finditer(tail)]
        # A block is finished when another one begins below it, on a line that is whole: half a line may still turn
        # out to be something else ("``" is text, "```" begins a code block, "```a`" is text again).
        whole = len(ends)
        growing = next((index for index in range(len(blocks) - 1, 0, -1) if blocks[index][0] < whole), 0)
        if growing:
            self.finished += [html for _, html in blocks[:growing]]
            self._done += ends[blocks[growing][0] - 1]
        self.live = [html for _, html in blocks[growing:]]
        self.rendered = whole_length
        self.seam = len(source)
        if not (self.live and self.live[-1].endswith("</pre></div>")):  # code keeps its line ends
            self.seam = max(self._done, len(source.rstrip("\r\n")))
        self.serial += 1
