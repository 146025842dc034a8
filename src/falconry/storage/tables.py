"""The tables. A change here comes with a migration in `migrations/versions`; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.schema import SchemaItem


def _owner() -> Column[str]:
    """Whose a row is. NULL: of the person at this machine, who needs no login."""
    return Column("owner_id", String(32), ForeignKey("users.id", ondelete="CASCADE"))


def _searched(table: str) -> list[SchemaItem]:
    """Under which number a row's words stand in the index (falconry.storage.search); NULL: they wait to be read."""
    waits, is_in = text("search_seq IS NULL"), text("search_seq IS NOT NULL")
    return [
        Column("search_seq", BigInteger),
        # Two, so that what waits is never looked for, and put in order, by the wrong one.
        Index(f"ix_{table}_search_seq", "search_seq", sqlite_where=is_in, postgresql_where=is_in),
        Index(f"ix_{table}_search_waiting", "created_at", sqlite_where=waits, postgresql_where=waits),
    ]


class Moment(TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps no time zone and gives back naive times, PostgreSQL the session's own zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    # The name without case and compatibility forms, so that nobody can take a name that looks like another's.
    Column("name_key", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_users_name_key", "name_key", unique=True),
)

# Of tokens and keys only the SHA-256 is stored: they are random, so no more is needed.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("user_id", String(32), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_sessions_token_hash", "token_hash", unique=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("user_id", String(32), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("key_hash", String(64), nullable=False),
    # The first characters, by which its owner recognises it.
    Column("prefix", String(16), nullable=False),
    Column("scopes", Text, nullable=False),  # separated by blanks
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Index("ix_api_keys_key_hash", "key_hash", unique=True),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("title", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    # Grows with every message, so that a page can tell whether it has seen the latest state.
    Column("version", Integer, nullable=False, default=0),
    Column("head_id", String(32), nullable=True),
    _owner(),
    # Who gave it its title: "message" (its first words), "model" or "person". A person's is never changed by itself.
    Column("titled_by", String(16), nullable=False, server_default="message"),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("folder_id", String(32), ForeignKey("folders.id", ondelete="SET NULL"), index=True),
    # When it went to the trash, from which it can be had back for some days.
    Column("deleted_at", Moment),
    # One column of a comparison, which no list of conversations shows, and which one, from 0.
    Column("comparison_id", String(32), ForeignKey("comparisons.id", ondelete="CASCADE"), index=True),
    Column("place", SmallInteger),
    # By what name it is known where it was imported from, so that a second import leaves it out.
    Column("source", Text),
    *_searched("conversations"),
    Index("ix_conversations_owner_id_updated_at", "owner_id", "updated_at"),
)

folders = Table(
    "folders",
    metadata,
    Column("id", String(32), primary_key=True),
    _owner(),
    Column("name", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_folders_owner_id", "owner_id"),
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
    # Until the first token, and how long the thinking took.
    Column("first_seconds", Float),
    Column("thinking_seconds", Float),
    Column("created_at", Moment, nullable=False),
    # Which running process writes this reply; see `database.Owner`.
    Column("owner", Text),
    # The files beside a person's message, in order: lists of id, name, media type, bytes and characters.
    Column("attachments", JSON(none_as_null=True)),
    # The name of the persona that a reply was written as.
    Column("persona", Text),
    # A person's judgement of a reply: 1 good, -1 bad, and what it should have been.
    Column("rating", SmallInteger),
    Column("correction", Text),
    Column("rated_at", Moment),
    # When the branch that ends here was left for another one; who comes back finds the one that was left last.
    Column("left_at", Moment),
    *_searched("messages"),
    Index("ix_messages_parent_id", "parent_id"),
    Index("ix_messages_status", "status"),
)

# Of a file that somebody attached, its text. Without a conversation it has not been sent yet.
attachments = Table(
    "attachments",
    metadata,
    Column("id", String(32), primary_key=True),
    _owner(),
    Column("conversation_id", String(32), ForeignKey("conversations.id", ondelete="CASCADE"), index=True),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),  # bytes of the file
    Column("text", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("picture", LargeBinary),  # the whole file, of a picture only
    Index("ix_attachments_owner_id", "owner_id"),
)

# Personas and prompts of a person's own; those that come with Falconry are files. `content` is described in
# falconry.library.
personas = Table(
    "personas",
    metadata,
    Column("id", String(32), primary_key=True),
    _owner(),
    Column("name", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_personas_owner_id", "owner_id"),
)

prompts = Table(
    "prompts",
    metadata,
    Column("id", String(32), primary_key=True),
    _owner(),
    Column("name", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_prompts_owner_id", "owner_id"),
)

# The same questions to several models: each one's answers are a conversation with this comparison's id.
comparisons = Table(
    "comparisons",
    metadata,
    Column("id", String(32), primary_key=True),
    _owner(),
    Column("title", Text, nullable=False),
    Column("models", JSON, nullable=False),  # by place
    Column("blind", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("revealed_at", Moment),  # when the names of a blind one were shown
    Index("ix_comparisons_owner_id_updated_at", "owner_id", "updated_at"),
)

# One judgement of one question's answers: the models that were best, and the others. All best is a tie.
votes = Table(
    "votes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("comparison_id", String(32), ForeignKey("comparisons.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("turn", Integer, nullable=False),  # which question, from 0
    Column("best", JSON, nullable=False),
    Column("others", JSON, nullable=False),
    Column("blind", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)

# A link by which anybody may read a conversation as it was when it was shared. Only the token's SHA-256 is stored.
shares = Table(
    "shares",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "conversation_id", String(32), ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("token_hash", String(64), nullable=False),
    Column("head_id", String(32), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_shares_token_hash", "token_hash", unique=True),
)
