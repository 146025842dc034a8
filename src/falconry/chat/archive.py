"""What a person has: conversations, folders, branches, ratings. Nothing here generates.

An Archive belongs to one person, and nothing of another's exists for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Literal, Self, Unpack

from falconry.chat.replies import Replies, Reply, Watcher
from falconry.errors import StaleConversation
from falconry.messages import Conversation, StoredMessage
from falconry.storage.conversations import Changes, ConversationPage, Conversations, Cursor
from falconry.storage.folders import Folder
from falconry.storage.messages import Page


class Archive:
    """The conversations of the person at this machine; `of` gives a user's."""

    def __init__(self, store: Conversations) -> None:
        self._store = store
        self._replies = Replies()
        self._owner_id = ""

    def of(self, owner_id: str) -> Self:
        """That of the user with this id, with the same engines and replies in flight."""
        theirs = copy(self)
        theirs._owner_id, theirs._store = owner_id, self._store.of(owner_id)
        return theirs

    # -- conversations

    async def create_conversation(self, title: str = "") -> Conversation:
        conversation = await self._store.create(title)
        self._changed(conversation.id)
        return conversation

    async def conversation(self, conversation_id: str) -> Conversation:
        """Raises ConversationNotFound, also for one that lies in the trash."""
        return await self._store.get(conversation_id)

    async def conversations(self, limit: int = 200) -> list[Conversation]:
        """Those in which somebody talked last, first."""
        return await self._store.newest(limit)

    async def listed(
        self, limit: int, *, before: Cursor | None = None, folder_id: str | None = None, deleted: bool = False
    ) -> ConversationPage:
        """A page of the list: the pinned ones first; with `deleted` a page of the trash."""
        return await self._store.listed(limit, before=before, folder_id=folder_id, deleted=deleted)

    async def change_conversation(self, conversation_id: str, **changes: Unpack[Changes]) -> Conversation:
        """Rename, pin, or put into a folder. Raises ConversationNotFound, NotFound for an unknown folder."""
        conversation = await self._store.change(conversation_id, **changes)
        self._changed(conversation_id)
        return conversation

    async def delete_conversation(self, conversation_id: str, *, forever: bool = False) -> None:
        """Throw a conversation into the trash, or remove it for good. A running reply is stopped; its text is kept."""
        running = self.running(conversation_id)
        if forever:
            await self._store.delete(conversation_id)
        else:
            await self._store.trash(conversation_id)
        # Only now: before, another question could have been asked meanwhile.
        if (reply := self.running(conversation_id) or running) is not None:
            await reply.stopped()
        self._changed(conversation_id)

    async def restore_conversation(self, conversation_id: str) -> Conversation:
        """Have a conversation back from the trash. Raises ConversationNotFound."""
        conversation = await self._store.restore(conversation_id)
        self._changed(conversation_id)
        return conversation

    # -- folders

    async def folders(self) -> list[Folder]:
        return await self._store.folders.all()

    async def create_folder(self, name: str) -> Folder:
        folder = await self._store.folders.create(name)
        self._changed()
        return folder

    async def rename_folder(self, folder_id: str, name: str) -> Folder:
        """Raises NotFound."""
        folder = await self._store.folders.rename(folder_id, name)
        self._changed()
        return folder

    async def delete_folder(self, folder_id: str) -> None:
        """Delete a folder; its conversations stay, without one. Raises NotFound."""
        await self._store.folders.delete(folder_id)
        self._changed()

    # -- messages

    async def messages(
        self, conversation_id: str, *, before: str | None = None, limit: int | None = None
    ) -> list[StoredMessage]:
        """The branch on show, oldest first; the newest `limit` of those older than message `before`."""
        return await self._store.path(conversation_id, before=before, limit=limit)

    async def page(
        self, conversation_id: str, *, around: str | None = None, after: str | None = None, limit: int
    ) -> Page:
        """So many messages around a message, or after it. Raises ReplyNotFound."""
        return await self._store.page(conversation_id, around=around, after=after, limit=limit)

    async def message(self, message_id: str) -> StoredMessage:
        """One message as stored; a running reply with its text so far. Raises ReplyNotFound."""
        return await self._store.message(message_id)

    async def versions(self, path: Sequence[StoredMessage]) -> dict[str, list[str]]:
        """Of each of these messages of one conversation the ids of all its versions, the oldest first."""
        return await self._store.versions(path)

    async def show_branch(self, conversation_id: str, message_id: str, *, head_id: str | None) -> str:
        """Put the branch through a message on show; gives its newest message, the new head.

        Raises ReplyNotFound, and StaleConversation where `head_id` is not the head any more or a reply is running.
        """
        self._refuse_while_running(conversation_id)
        head = await self._store.show(conversation_id, message_id, head_id)
        if head != head_id:
            self._replies.changed(self._owner_id, conversation_id)
        return head

    async def delete_branch(self, message_id: str) -> str | None:
        """Delete a message and all below it; gives the new head. Raises ReplyNotFound, StaleConversation."""
        conversation_id = (await self._store.message(message_id)).conversation_id
        self._refuse_while_running(conversation_id)
        head = await self._store.delete_branch(message_id)
        self._replies.changed(self._owner_id, conversation_id)
        return head

    async def rate(self, reply_id: str, rating: Literal[1, -1] | None, correction: str | None = None) -> StoredMessage:
        """Judge a reply: good, bad, or neither, and what it should have been.

        Raises ReplyNotFound, InvalidRequest for a person's message, StaleConversation for a reply that is running.
        """
        if self.find(reply_id) is not None:
            raise _running()
        rated = await self._store.rate(reply_id, rating, correction)
        self._replies.changed(self._owner_id, rated.conversation_id)
        return rated

    # -- what goes on

    def running(self, conversation_id: str) -> Reply | None:
        """The reply in flight of a conversation."""
        return self._replies.running(self._owner_id, conversation_id)

    def find(self, reply_id: str) -> Reply | None:
        """A reply in flight by its id."""
        return self._replies.find(self._owner_id, reply_id)

    def watch(self, conversation_id: str | None, *, listed: bool = False) -> AbstractContextManager[Watcher]:
        """Wake up when messages or the running reply change.

        Args:
            conversation_id: None for the list of conversations.
            listed: wake up when the list changes, too.
        """
        return self._replies.watch(self._owner_id, conversation_id, listed=listed)

    def list_version(self) -> int:
        """Grows with every change of the list of conversations, while this process runs."""
        return self._replies.list_version(self._owner_id)

    def list_changed(self) -> None:
        """Tell whoever watches the list that something else than this has changed it: an import, say."""
        self._changed()

    def _changed(self, conversation_id: str | None = None) -> None:
        self._replies.changed(self._owner_id, conversation_id, listed=True)

    def _refuse_while_running(self, conversation_id: str) -> None:
        if self.running(conversation_id) is not None:
            raise _running()


def _running() -> StaleConversation:
    return StaleConversation("A reply is still being written. Stop it, or wait for it.", code="reply_running")
