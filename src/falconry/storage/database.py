"""One database, opened once: SQLite in WAL mode by default, Postgres where the URL says so.

SQLAlchemy Core runs in threads of its own, one hop per transaction: SQLite has one writer thread, so two writes of
one process never wait for a lock, and readers beside it. Only the smallest and most frequent write, a reply's text
every 100 ms, is done on the spot (`write_now`): the hop would cost more than the write (docs/design.md has the
numbers).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import IO, TypeVar

from sqlalchemy import Connection, Engine, Executable, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from falconry.errors import StorageError
from falconry.file_lock import try_lock
from falconry.storage.migrate import migrate

T = TypeVar("T")

BUSY_TIMEOUT = 30.0  # seconds that SQLite waits for another process's transaction
READERS = 4


class Database:
    """Runs functions of a connection in a transaction: `await db.write(fn)`, `await db.read(fn)`."""

    def __init__(self, url: str, lock_dir: Path) -> None:
        if url.startswith(("postgres://", "postgresql://")):
            url = "postgresql+psycopg://" + url.split("://", 1)[1]
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, "BEGIN")
            self._instant: Connection | None = None
            self._instant_engine = _sqlite_engine(url, "BEGIN IMMEDIATE", timeout=0.0, checkpoint=False)
        else:
            self._writer = self._reader = create_engine(url, pool_size=8, pool_pre_ping=True)
        self._write_threads = ThreadPoolExecutor(1 if self.is_sqlite else 8, "falconry-write")
        self._read_threads = ThreadPoolExecutor(READERS, "falconry-read")
        self.owner = Owner(lock_dir)

    @classmethod
    async def open(cls, url: str, lock_dir: Path) -> Database:
        """Open and bring the schema up to date. Raises StorageError with what is wrong and what to do."""
        try:
            database = cls(url, lock_dir)
        except ModuleNotFoundError as error:
            raise StorageError(
                "PostgreSQL needs its driver: pip install 'falconry[postgres]'.", code="storage_driver"
            ) from error
        try:
            await database._run(database._write_threads, lambda: migrate(database._writer))
        except BaseException:
            await database.aclose()
            raise
        return database

    async def write(self, function: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run in one read-write transaction and commit.

        A durable one is on disk when this returns, power cut or not (SQLite: synchronous=FULL); the others survive
        the death of the process.
        """

        def run() -> T:
            with self._writer.connect() as connection:
                if self.is_sqlite:
                    # A PRAGMA inside a transaction would be ignored, so it goes to the driver's connection first.
                    level = "FULL" if durable else "NORMAL"
                    connection.connection.cursor().execute(f"PRAGMA synchronous={level}")
                with connection.begin():
                    return function(connection)

        return await self._run(self._write_threads, run)

    def write_now(self, statement: Executable, values: Mapping[str, object]) -> int | None:
        """Commit one small statement without leaving the event loop's thread; None where that would have to wait.

        Gives how many rows it changed.

        Nothing here touches the disk itself: the commit goes into the system's cache, and the write-ahead log is
        copied into the database by the writer thread.
        """
        if not self.is_sqlite:
            return None
        try:
            if self._instant is None:
                self._instant = self._instant_engine.connect()
            with self._instant.begin():
                return self._instant.execute(statement, values).rowcount
        except OperationalError:
            return None  # locked, full, gone: the ordinary way waits, or says what is wrong

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run in one transaction that only reads."""

        def run() -> T:
            with self._reader.connect() as connection, connection.begin():
                return function(connection)

        return await self._run(self._read_threads, run)

    async def _run(self, threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(threads, function)
        try:
            # Shielded: a transaction that has begun ends by itself, whoever stops waiting for it.
            return await asyncio.shield(future)
        except DBAPIError as error:
            raise storage_error(error) from error
        except SQLAlchemyError as error:
            raise StorageError("The database did not do as asked; the log says what.") from error

    async def aclose(self) -> None:
        """Finish what runs, close connections and give up ownership."""

        def close() -> None:
            for threads in (self._write_threads, self._read_threads):
                threads.shutdown(wait=True)
            if self.is_sqlite:
                if self._instant is not None:
                    self._instant.close()
                self._instant_engine.dispose()
            for engine in (self._writer, self._reader):
                engine.dispose()
            self.owner.close()

        await asyncio.to_thread(close)

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Owner:
    """Says which running process writes a reply, so that only the replies of dead ones become "interrupted".

    Every process holds a lock on a file of its own; the kernel lets go of it however the process dies.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.name = f"{socket.gethostname()}/{uuid.uuid4().hex}"
        self._path = self._lock_path(self.name)
        self._file: IO[bytes] | None = open(self._path, "wb", opener=_private)  # noqa: SIM115 - open as long as we are
        try_lock(self._file)

    def _lock_path(self, name: str) -> Path:
        return self._folder / f"{name.rpartition('/')[2]}.lock"

    def is_dead(self, name: str | None) -> bool:
        """Whether the process of that name is surely gone. One on another machine is not ours to judge."""
        if name == self.name:
            return False
        if name is None or not name.startswith(f"{socket.gethostname()}/"):
            return name is None
        path = self._lock_path(name)
        try:
            with path.open("rb+") as file:
                dead = try_lock(file)
        except FileNotFoundError:
            return True
        if dead:
            path.unlink(missing_ok=True)
        return dead

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sqlite_engine(url: str, begin: str, *, timeout: float = BUSY_TIMEOUT, checkpoint: bool = True) -> Engine:
    path = url.partition("///")[2]
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, connect_args={"timeout": timeout, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        if path and os.name == "posix":
            Path(path).chmod(0o600)
        cursor = connection.cursor()
        _use_wal(cursor, timeout)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        if not checkpoint:
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _use_wal(cursor: sqlite3.Cursor, timeout: float) -> None:
    """Of several processes that open a new file at once one changes its mode; SQLite does not wait for it by itself."""
    end = monotonic() + timeout
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() >= end:
                raise
        sleep(0.01)


def storage_error(error: DBAPIError) -> StorageError:
    """Translate what the drivers say into what a person can do."""
    text = str(error.orig).lower()
    if "full" in text or "no space" in text:
        return StorageError(
            "The disk is full. Free some space and try again; what was stored is safe.", code="storage_full"
        )
    if "malformed" in text or "not a database" in text:
        return StorageError(
            "The database file is damaged. It was left untouched: move it away or restore a backup.",
            code="storage_damaged",
        )
    if "readonly" in text or "unable to open" in text or "permission" in text:
        return StorageError(
            "The data folder cannot be written. Check its owner and permissions, or set FALCONRY_DATA_DIR.",
            code="storage_readonly",
        )
    if isinstance(error.orig, sqlite3.OperationalError) and "locked" in text:
        return StorageError("Another program keeps the database locked. Close it and try again.", code="storage_locked")
    return StorageError(f"The database did not do as asked: {type(error.orig).__name__}.", code="storage_error")
