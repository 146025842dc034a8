"""The tables. A change here comes with a migration in `migrations/versions`; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("title", Text, nullable=False, default=""),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, index=True),
    # Grows with every message, so that a page can tell whether it has seen the latest state.
    Column("version", Integer, nullable=False, default=0),
    Column("head_id", String(32), nullable=True),
)

# Messages are a tree: an edit or a second answer is a sibling, and nothing is overwritten.
messages = Table(
    "messages",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "conversation_id",
        String(32),
        ForeignKey("conversations.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("parent_id", String(32), nullable=True),
    # How many messages come before it on its branch, so that a turn need not load those it leaves out.
    Column("depth", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("thinking", Text, nullable=False, default=""),
    Column("status", String(16), nullable=False),
    Column("model", Text),
    Column("params", JSON(none_as_null=True)),
    Column("finish_reason", String(16)),
    Column("usage", JSON(none_as_null=True)),
    Column("context", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("seconds", Float),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # Which running process writes this reply; see `database.Owner`.
    Column("owner", Text),
    Index("ix_messages_parent_id", "parent_id"),
    Index("ix_messages_status", "status"),
)
