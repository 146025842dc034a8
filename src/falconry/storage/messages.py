"""The messages of one person's conversations: append, read back, and never overwrite.

Every function that goes on with a conversation says which head its caller has seen, and is refused with
`StaleConversation` where the conversation went on elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from falconry.errors import InvalidRequest, ReplyNotFound, StaleConversation
from falconry.messages import StoredMessage
from falconry.storage import tree
from falconry.storage.attachments import attach
from falconry.storage.rows import message_values
from falconry.storage.scope import Scoped
from falconry.storage.tables import conversations, messages
from falconry.storage.values import new_id, storable


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages of a branch, oldest first, and whether it has more of them before and after.

    Attributes:
        on_show: whether the branch is the conversation's one on show.
    """

    messages: list[StoredMessage]
    has_earlier: bool
    has_later: bool
    on_show: bool = True


class Messages(Scoped):
    """The tree of messages in one person's conversations."""

    async def append_turn(
        self,
        conversation_id: str,
        head_id: str | None,
        content: str,
        reply: StoredMessage,
        *,
        attachments: Sequence[str] | None = None,
        edit_of: str | None = None,
    ) -> tuple[StoredMessage, StoredMessage]:
        """Append a user's message and the running reply to it, durably, in one commit.

        Args:
            head_id: the newest message that the sender has seen.
            attachments: ids of the files beside the message; None for those of the message that it is an edit of.
            edit_of: the user's message beside which the new one stands; by default it follows the head.

        Raises:
            StaleConversation: `head_id` is not the head any more.
            ReplyNotFound: there is no message `edit_of` in this conversation; InvalidRequest: it is a reply.
            NotFound: one of the files does not exist.
        """
        now = datetime.now(UTC)

        def run(c: Connection) -> tuple[StoredMessage, StoredMessage]:
            conversation = self._at_head(c, conversation_id, head_id)
            self._refuse_while_running(c, head_id)
            old = _editable(self._message(c, edit_of), conversation_id) if edit_of is not None else None
            parent_id = old.parent_id if old else head_id
            kept = [file.id for file in old.attachments] if old and attachments is None else attachments or ()
            question = StoredMessage(
                id=new_id(),
                conversation_id=conversation_id,
                parent_id=parent_id,
                role="user",
                content=storable(content),
                created_at=now,
                depth=tree.depth_below(c, parent_id),
                attachments=attach(c, self._owner_id, conversation_id, kept),
            )
            if old is not None:
                tree.leave(c, head_id)
            c.execute(insert(messages).values(message_values(question)))
            answer = self._insert_reply(c, reply, question.id)
            if conversation.titled_by == "message" and (question.depth == 0 or not conversation.title):
                title = first_words(question)
                c.execute(update(conversations).where(conversations.c.id == conversation_id).values(title=title))
            return question, answer

        return await self._db.write(run, durable=True)

    async def append_reply(
        self, beside_id: str, parent_id: str, reply: StoredMessage, *, head_id: str | None = None
    ) -> StoredMessage:
        """Append another running reply to a user's message; the earlier ones stay, as siblings.

        Args:
            beside_id: the reply beside which it stands, or the user's message itself; on the branch on show.
            head_id: the newest message that the asker has seen, where that is known.

        Raises StaleConversation where the branch on show is another one by now.
        """

        def run(c: Connection) -> StoredMessage:
            conversation = self._conversation(c, reply.conversation_id, lock=True)
            head = conversation.head_id
            if head_id not in (None, head) or not tree.is_above(c, beside_id, head):
                raise StaleConversation("This conversation went on elsewhere. Reload it; nothing was lost.")
            self._refuse_while_running(c, head)
            if head != parent_id:
                tree.leave(c, head)
            return self._insert_reply(c, reply, parent_id)

        return await self._db.write(run, durable=True)

    def _insert_reply(self, c: Connection, reply: StoredMessage, parent_id: str) -> StoredMessage:
        place = {"parent_id": parent_id, "depth": tree.depth_below(c, parent_id), "owner": self._db.owner.name}
        c.execute(insert(messages).values({**message_values(reply), **place}))
        tree.move_head(c, reply.conversation_id, reply.id)
        tree.touch(c, reply.conversation_id)
        return self._message(c, reply.id)

    async def show(self, conversation_id: str, message_id: str, head_id: str | None) -> str:
        """Put the branch through a message on show, down to the leaf that was on show or written last below it.

        Gives the new head. Raises ReplyNotFound, and StaleConversation where `head_id` is not the head any more.
        """

        def run(c: Connection) -> str:
            self._at_head(c, conversation_id, head_id)
            tree.place(c, conversation_id, message_id)
            if head_id is not None and tree.is_above(c, message_id, head_id):
                return head_id
            self._refuse_while_running(c, head_id)
            leaf = tree.leaf_below(c, message_id)
            tree.leave(c, head_id)
            tree.move_head(c, conversation_id, leaf)
            tree.touch(c, conversation_id, talked=False)
            return leaf

        return await self._db.write(run)

    async def delete_branch(self, message_id: str) -> str | None:
        """Delete a message and all below it; gives the head after that, None where nothing is left.

        Where the branch on show ends there, the version before takes its place, else the one after, else the
        message above.
        """

        def run(c: Connection) -> str | None:
            found = self._message(c, message_id)
            conversation = self._conversation(c, found.conversation_id, lock=True)
            if conversation.comparison_id is not None:
                raise InvalidRequest(
                    "This is one side of a comparison. Delete the whole comparison instead.", code="part_of_comparison"
                )
            head = conversation.head_id
            self._refuse_while_running(c, head)
            if tree.is_above(c, message_id, head):
                siblings = tree.versions(c, found.conversation_id, [found.parent_id])[found.parent_id]
                place = siblings.index(message_id)
                nearest = siblings[place - 1] if place else next(iter(siblings[1:]), None)
                head = tree.leaf_below(c, nearest) if nearest is not None else found.parent_id
                tree.move_head(c, found.conversation_id, head)
            tree.delete_below(c, found.conversation_id, message_id)
            tree.touch(c, found.conversation_id, talked=False)
            return head

        return await self._db.write(run, durable=True)

    async def rate(self, reply_id: str, rating: Literal[1, -1] | None, correction: str | None) -> StoredMessage:
        """Store a person's judgement of a reply. Raises ReplyNotFound, InvalidRequest for a person's message."""
        judged = rating is not None or correction is not None
        values = {
            "rating": rating,
            "correction": storable(correction) if correction is not None else None,
            "rated_at": datetime.now(UTC) if judged else None,
        }

        def run(c: Connection) -> StoredMessage:
            reply = self._message(c, reply_id)
            if reply.role != "assistant":
                raise InvalidRequest("This is not a reply.", code="not_a_reply")
            c.execute(update(messages).where(messages.c.id == reply_id).values(values))
            tree.touch(c, reply.conversation_id, talked=False)
            return self._message(c, reply_id)

        return await self._db.write(run, durable=True)

    # -- reading

    async def message(self, message_id: str) -> StoredMessage:
        return await self._db.read(lambda c: self._message(c, message_id))

    async def path(
        self, conversation_id: str, *, before: str | None = None, limit: int | None = None
    ) -> list[StoredMessage]:
        """The messages of the branch on show, oldest first.

        Args:
            before: only those older than this message.
            limit: only the newest so many of them.
        """

        def run(c: Connection) -> list[StoredMessage]:
            start = self._conversation(c, conversation_id).head_id
            if before is not None:
                mine = (messages.c.id == before) & (messages.c.conversation_id == conversation_id)
                start = c.execute(select(messages.c.parent_id).where(mine)).scalar()
            return tree.ancestors(c, start, limit)

        return await self._db.read(run)

    async def page(
        self, conversation_id: str, *, around: str | None = None, after: str | None = None, limit: int
    ) -> Page:
        """So many messages around a message, or the oldest of those younger than it.

        Of the branch on show where the message is on that, else of the branch through it. Raises ReplyNotFound.
        """
        message_id = around or after or ""

        def run(c: Connection) -> Page:
            head = self._conversation(c, conversation_id).head_id
            _, depth = tree.place(c, conversation_id, message_id)
            on_show = head is not None and tree.is_above(c, message_id, head)
            leaf = head if on_show and head is not None else tree.leaf_below(c, message_id)
            first = max(0, depth - limit // 2) if around else depth + 1
            found = tree.ancestors(c, leaf, depths=(first, first + limit - 1))
            has_later = bool(found) and found[-1].id != leaf
            return Page(found, bool(found) and found[0].parent_id is not None, has_later, on_show)

        return await self._db.read(run)

    async def versions(self, path: Sequence[StoredMessage]) -> dict[str, list[str]]:
        """Of each of these messages of one conversation the ids of all its versions, the oldest first."""
        if not path:
            return {}
        parents = {message.parent_id for message in path}

        def run(c: Connection) -> dict[str, list[str]]:
            children = tree.versions(c, path[0].conversation_id, parents)
            return {message.id: children.get(message.parent_id, [message.id]) for message in path}

        return await self._db.read(run)

    async def transcript(self, last_id: str, *, until: str | None = None) -> list[StoredMessage]:
        """What was said on the branch that ends with a message, oldest first, without numbers and settings.

        With what is in the files beside it.

        Args:
            until: the oldest message that is wanted; None for all of them.
        """

        def run(c: Connection) -> list[StoredMessage]:
            theirs = messages.c.conversation_id == conversations.c.id
            last = select(messages.c.id).join(conversations, theirs).where(messages.c.id == last_id, self._mine)
            return tree.transcript(c, last_id, until) if c.execute(last).first() is not None else []

        return await self._db.read(run)


def first_words(question: StoredMessage) -> str:
    """A conversation's first title: the beginning of its first message, or its files' names; 60 characters at most."""
    said = question.content.strip() or ", ".join(file.name for file in question.attachments)
    line = " ".join(said[:1000].split())
    return line if len(line) <= 60 else line[:59].rstrip() + "…"


def _editable(message: StoredMessage, conversation_id: str) -> StoredMessage:
    if message.conversation_id != conversation_id:
        raise ReplyNotFound("This reply does not exist.")
    if message.role != "user":
        raise InvalidRequest("Only a message of your own can be edited.", code="not_a_question")
    return message
