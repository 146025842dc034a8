"""The turn that is not asked for yet: what it would send, so that the gauge can tell it while a person types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from falconry.chat.context_window import Fitted, Prompter, fit, sendable
from falconry.chat.turn import previous_start
from falconry.messages import DEFAULT_SYSTEM_MESSAGE, Attachment, SamplingParams, StoredMessage
from falconry.storage.conversations import Conversations
from falconry.storage.values import storable


@dataclass(frozen=True, slots=True)
class NextTurn:
    """See the module. Without a conversation it is the first turn of one to come.

    Attributes:
        system: None for the default one, "" for none.
        attachments: ids of files beside the draft.
    """

    conversation_id: str | None
    draft: str
    model: str
    params: SamplingParams
    system: str | None
    attachments: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Begun:
    """What is looked up before a model is loaded for it: the newest message, and the files beside the draft."""

    head: StoredMessage | None
    files: tuple[Attachment, ...]


async def begin(store: Conversations, turn: NextTurn) -> Begun:
    """Raises ConversationNotFound, NotFound."""
    head_id = (await store.get(turn.conversation_id)).head_id if turn.conversation_id else None
    return Begun(
        await store.message(head_id) if head_id else None,
        tuple(await store.attachments.find(turn.attachments)) if turn.attachments else (),
    )


async def fit_next(store: Conversations, prompter: Prompter, turn: NextTurn, begun: Begun) -> Fitted:
    """The messages that the turn would send. Raises ContextWindowExceeded with both numbers where it cannot fit."""
    head = begun.head
    length = await prompter.engine.context_length()
    start_id = previous_start(head, turn.model, length)
    path = await store.transcript(head.id, until=start_id) if head else []
    if turn.draft.strip() or begun.files or not sendable(path):
        path.append(_drafted(turn, begun))
    return await fit(
        prompter,
        system_message(turn.system),
        path,
        context_length=length,
        max_tokens=turn.params.max_tokens,
        start_id=start_id,
    )


def system_message(system: str | None) -> str:
    """The system message to send; the default one for None."""
    return DEFAULT_SYSTEM_MESSAGE if system is None else storable(system)


def _drafted(turn: NextTurn, begun: Begun) -> StoredMessage:
    """A message that is not sent yet, as it would be."""
    depth = begun.head.depth + 1 if begun.head else 0
    return StoredMessage(
        id="",
        conversation_id=turn.conversation_id or "",
        parent_id=None,
        role="user",
        content=storable(turn.draft),
        created_at=datetime.now(UTC),
        depth=depth,
        attachments=begun.files,
    )
