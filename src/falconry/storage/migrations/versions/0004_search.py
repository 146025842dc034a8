"""An index of all words, and where imported conversations came from.

What is there already waits to be read into the index, and so does whatever changes.
Triggers keep it true whoever writes: what is deleted leaves the index, and what has changed waits in it anew.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SQLITE = (
    # Words come separated and folded (falconry.storage.search_text); where in a text they stand is looked up there.
    "CREATE VIRTUAL TABLE search_index USING fts5(words, tokenize='ascii', detail='none', columnsize=0)",
    (
        "CREATE TRIGGER search_message_gone AFTER DELETE ON messages WHEN old.search_seq > 0 "
        "BEGIN DELETE FROM search_index WHERE rowid = old.search_seq; END"
    ),
    (
        "CREATE TRIGGER search_title_gone AFTER DELETE ON conversations WHEN old.search_seq > 0 "
        "BEGIN DELETE FROM search_index WHERE rowid = old.search_seq; END"
    ),
    (
        "CREATE TRIGGER search_message_ended AFTER UPDATE OF status, content ON messages "
        "WHEN new.status <> 'running' AND (old.status = 'running' OR new.content <> old.content) "
        "AND new.search_seq IS NOT NULL "
        "BEGIN DELETE FROM search_index WHERE rowid = new.search_seq; "
        "UPDATE messages SET search_seq = NULL WHERE id = new.id; END"
    ),
    (
        "CREATE TRIGGER search_title_changed AFTER UPDATE OF title ON conversations "
        "WHEN new.title <> old.title AND new.search_seq IS NOT NULL "
        "BEGIN DELETE FROM search_index WHERE rowid = new.search_seq; "
        "UPDATE conversations SET search_seq = NULL WHERE id = new.id; END"
    ),
    (
        "CREATE TRIGGER search_owner_changed AFTER UPDATE OF owner_id ON conversations "
        "WHEN new.owner_id IS NOT old.owner_id "
        "BEGIN DELETE FROM search_index WHERE rowid IN "
        "(SELECT search_seq FROM messages WHERE conversation_id = new.id AND search_seq > 0); "
        "DELETE FROM search_index WHERE rowid = new.search_seq; "
        "UPDATE messages SET search_seq = NULL WHERE conversation_id = new.id AND search_seq IS NOT NULL; "
        "UPDATE conversations SET search_seq = NULL WHERE id = new.id; END"
    ),
)
_POSTGRESQL = (
    (
        "CREATE TABLE search_index (seq BIGINT CONSTRAINT pk_search_index PRIMARY KEY, words TSVECTOR NOT NULL) "
        # A common word has many rows, of which only the number is wanted: so the words themselves lie elsewhere.
        "WITH (toast_tuple_target = 128)"
    ),
    "ALTER TABLE search_index ALTER COLUMN words SET STORAGE EXTERNAL",
    "CREATE INDEX ix_search_index_words ON search_index USING gin (words) WITH (fastupdate = off)",
    (
        "CREATE FUNCTION search_forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "DELETE FROM search_index WHERE seq = OLD.search_seq; RETURN NULL; END $$"
    ),
    (
        "CREATE FUNCTION search_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "DELETE FROM search_index WHERE seq = OLD.search_seq; NEW.search_seq := NULL; RETURN NEW; END $$"
    ),
    (
        "CREATE FUNCTION search_all_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "DELETE FROM search_index USING messages "
        "WHERE messages.conversation_id = NEW.id AND search_index.seq = messages.search_seq; "
        "UPDATE messages SET search_seq = NULL WHERE conversation_id = NEW.id AND search_seq IS NOT NULL; "
        "DELETE FROM search_index WHERE seq = OLD.search_seq; NEW.search_seq := NULL; RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER search_message_gone AFTER DELETE ON messages FOR EACH ROW "
        "WHEN (OLD.search_seq > 0) EXECUTE FUNCTION search_forget()"
    ),
    (
        "CREATE TRIGGER search_title_gone AFTER DELETE ON conversations FOR EACH ROW "
        "WHEN (OLD.search_seq > 0) EXECUTE FUNCTION search_forget()"
    ),
    (
        "CREATE TRIGGER search_message_ended BEFORE UPDATE OF status, content ON messages FOR EACH ROW "
        "WHEN (NEW.status <> 'running' AND (OLD.status = 'running' OR NEW.content <> OLD.content) "
        "AND OLD.search_seq IS NOT NULL) "
        "EXECUTE FUNCTION search_again()"
    ),
    (
        "CREATE TRIGGER search_title_changed BEFORE UPDATE OF title ON conversations FOR EACH ROW "
        "WHEN (NEW.title <> OLD.title AND OLD.search_seq IS NOT NULL) EXECUTE FUNCTION search_again()"
    ),
    (
        "CREATE TRIGGER search_owner_changed BEFORE UPDATE OF owner_id ON conversations FOR EACH ROW "
        "WHEN (NEW.owner_id IS DISTINCT FROM OLD.owner_id) EXECUTE FUNCTION search_all_again()"
    ),
)


def upgrade() -> None:
    connection = op.get_bind()
    op.execute("ALTER TABLE conversations ADD COLUMN source TEXT")
    for table in ("messages", "conversations"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN search_seq BIGINT")
        op.execute(f"CREATE INDEX ix_{table}_search_seq ON {table} (search_seq) WHERE search_seq IS NOT NULL")
        op.execute(f"CREATE INDEX ix_{table}_search_waiting ON {table} (created_at) WHERE search_seq IS NULL")
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
