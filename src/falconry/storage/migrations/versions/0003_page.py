"""What the pages need: folders, pins and a trash, ratings, attachments, personas, prompts, comparisons and shares."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def _references(table: str, column: str, target: str, *, nullable: bool = True) -> list[SchemaItem]:
    return [
        sa.Column(column, sa.String(32), nullable=nullable),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}", ondelete="CASCADE"),
    ]


def _table(name: str, *columns: SchemaItem) -> None:
    key = sa.PrimaryKeyConstraint("id", name=f"pk_{name}")
    op.create_table(name, sa.Column("id", sa.String(32), nullable=False), *columns, key)


def _named(name: str, content: sa.Column[str]) -> None:
    """A table of things that a person has made and given a name."""
    _table(
        name,
        *_references(name, "owner_id", "users"),
        sa.Column("name", sa.Text, nullable=False),
        content,
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
    )
    op.create_index(f"ix_{name}_owner_id", name, ["owner_id"])


def _reference(table: str, column: str, target: str, then: str) -> None:
    """Add a foreign key's column, by hand for the reason that migration 0002 gives."""
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(32) "
        f"CONSTRAINT fk_{table}_{column}_{target} REFERENCES {target} (id) ON DELETE {then}"
    )
    op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    _table(
        "folders",
        *_references("folders", "owner_id", "users"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_folders_owner_id", "folders", ["owner_id"])
    _named("personas", sa.Column("content", sa.JSON, nullable=False))
    _named("prompts", sa.Column("content", sa.Text, nullable=False))
    _table(
        "comparisons",
        *_references("comparisons", "owner_id", "users"),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("revealed_at", _MOMENT),
    )
    op.create_index("ix_comparisons_owner_id_updated_at", "comparisons", ["owner_id", "updated_at"])
    _table(
        "votes",
        *_references("votes", "comparison_id", "comparisons", nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("best", sa.JSON, nullable=False),
        sa.Column("others", sa.JSON, nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_votes_comparison_id", "votes", ["comparison_id"])
    op.add_column("conversations", sa.Column("titled_by", sa.String(16), nullable=False, server_default="message"))
    op.add_column("conversations", sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()))
    _reference("conversations", "folder_id", "folders", "SET NULL")
    op.add_column("conversations", sa.Column("deleted_at", _MOMENT))
    _reference("conversations", "comparison_id", "comparisons", "CASCADE")
    op.add_column("conversations", sa.Column("place", sa.SmallInteger))
    op.add_column("messages", sa.Column("attachments", sa.JSON))
    op.add_column("messages", sa.Column("persona", sa.Text))
    op.add_column("messages", sa.Column("rating", sa.SmallInteger))
    op.add_column("messages", sa.Column("correction", sa.Text))
    op.add_column("messages", sa.Column("rated_at", _MOMENT))
    op.add_column("messages", sa.Column("left_at", _MOMENT))
    op.add_column("messages", sa.Column("first_seconds", sa.Float))
    op.add_column("messages", sa.Column("thinking_seconds", sa.Float))
    _table(
        "attachments",
        *_references("attachments", "owner_id", "users"),
        *_references("attachments", "conversation_id", "conversations"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_attachments_owner_id", "attachments", ["owner_id"])
    op.create_index("ix_attachments_conversation_id", "attachments", ["conversation_id"])
    _table(
        "shares",
        *_references("shares", "conversation_id", "conversations", nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("head_id", sa.String(32), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_shares_conversation_id", "shares", ["conversation_id"])
    op.create_index("ix_shares_token_hash", "shares", ["token_hash"], unique=True)
