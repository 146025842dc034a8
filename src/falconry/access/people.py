"""Everything about people: who they are, how they come in, and what ends their way in.

A password opens a session; a session's token or an API key opens the door at every request. Tokens and keys are
random, are shown once and stored as their SHA-256. What is known of one is believed for half a second, so that what
another process revokes, `falconry users remove` for instance, has an end within a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import unicodedata
from collections.abc import Awaitable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic

from falconry.access.attempts import Attempts, network_of
from falconry.access.open_requests import OpenRequests
from falconry.access.passwords import Passwords
from falconry.access.person import ALL_SCOPES, USER_SCOPES, Person, Role, Scope
from falconry.errors import InvalidRequest, NotAuthenticated, NotFound, StorageError
from falconry.storage.credentials import ApiKey, Credential, Credentials, Kind, Session
from falconry.storage.database import Database
from falconry.storage.users import User, Users, name_key
from falconry.storage.values import new_id

logger = logging.getLogger(__name__)

BELIEVED = 0.5  # seconds
TOUCHED = timedelta(minutes=1)  # between two times that the last use is written down
KEY_PREFIX = "fk-"
SHOWN = 11  # characters of a key by which its owner recognises it
LONGEST_SECRET = 200
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened. The token is shown this once, and never where the object is printed."""

    token: str = field(repr=False)
    session: Session


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. It is shown this once, and never where the object is printed."""

    key: str = field(repr=False)
    stored: ApiKey


class People:
    """See the module. Build it with an open database, and close it before that."""

    def __init__(self, database: Database, *, session_days: float = 30, passwords: Passwords | None = None) -> None:
        self._users = Users(database)
        self._credentials = Credentials(database)
        self._session_time = timedelta(days=session_days)
        self._passwords = passwords or Passwords()
        self._logins = Attempts()
        self._wrong_keys = Attempts()
        self._requests = OpenRequests(self._persons)
        self._believed: dict[tuple[Kind, str], tuple[float, Person]] = {}
        self._any_users = (-inf, False)
        self._touching: dict[str, asyncio.Task[None]] = {}

    # -- users

    async def any_users(self) -> bool:
        """Whether anybody has to log in. Believed for half a second."""
        asked, answer = self._any_users
        now = monotonic()
        if now - asked >= BELIEVED:
            answer = await self._users.any()
            self._any_users = (now, answer)
        return answer

    async def users(self) -> list[User]:
        """All of them, in the order in which they came."""
        return await self._users.all()

    async def user(self, user_id: str) -> User:
        """Raises NotFound."""
        return await self._users.get(user_id)

    async def user_named(self, name: str) -> User:
        """Raises NotFound. Case does not matter."""
        user = await self._users.find(name)
        if user is None:
            raise NotFound(f"There is no user named “{name[:200]}”.", code="no_such_user", name=name[:200])
        return user

    async def add_user(self, name: str, password: str, role: Role = "user") -> User:
        """Add a user. The first one is an admin in any case, and gets the conversations that were here before.

        Raises InvalidRequest for a name that is taken or cannot be one, and for a password that is too short.
        """
        name = _checked_name(name)
        user = await self._users.add(name, role, await self._passwords.hash(password))
        self._forget()
        return user

    async def remove_user(self, user_id: str, *, heir_id: str | None = None) -> None:
        """Remove a user, with sessions, keys and, unless another user gets them, conversations.

        Those of the last user stay, for the person at this machine. Raises InvalidRequest for the only admin.
        """
        await self._users.remove(user_id, heir_id=heir_id)
        self._forget()

    async def conversations_of(self, user_id: str) -> int:
        """How many conversations would go with a user."""
        return await self._users.conversations_of(user_id)

    async def set_password(self, user_id: str, password: str, *, keep_session: str = "") -> None:
        """Change a password and end all of the user's sessions, but for one. Keys stay as they are."""
        await self._users.set_password(user_id, await self._passwords.hash(password), keep_session=keep_session)
        self._forget()

    async def set_role(self, user_id: str, role: Role) -> None:
        """Raises InvalidRequest where no admin would be left."""
        await self._users.set_role(user_id, role)
        self._forget()

    # -- sessions

    async def verify(self, name: str, password: str, address: str) -> User:
        """The user with this name and password.

        Raises:
            NotAuthenticated: there is none; it takes as long for an unknown name as for a wrong password.
            TooManyRequests: more than ten failed within a minute, for this name or from this address.
        """
        keys = (f"name {name_key(name[:LONGEST_NAME])}", f"address {network_of(address)}")
        begun = self._logins.begin(*keys)
        user = await self._users.find(name) if len(name) <= LONGEST_NAME else None
        if not await self._passwords.matches(password, user.password_hash if user else None) or user is None:
            raise NotAuthenticated("Name or password is wrong.", code="login_failed")
        self._logins.succeeded(begun, *keys)
        if self._passwords.is_old(user.password_hash):
            renewed = await self._passwords.hash(password)
            if await self._users.renew_hash(user, renewed):
                user = await self._users.get(user.id)
        return user

    async def open_session(self, user: User) -> NewSession:
        """Open a session for a user that `verify` gave. Raises NotAuthenticated where the password changed since."""
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        session = await self._credentials.add_session(user, _digest(token), now, now + self._session_time)
        return NewSession(token, session)

    async def sessions(self, user_id: str) -> list[Session]:
        """The newest first. `Person.credential` is the id of the session that a person came in with."""
        return await self._credentials.sessions_of(user_id, datetime.now(UTC))

    async def close_session(self, user_id: str, session_id: str) -> None:
        """End a session. One that this user does not have, or that has ended, is no error."""
        await self._credentials.end_sessions(user_id, session_id)
        self._forget()

    async def close_sessions(self, user_id: str) -> int:
        """End all sessions of a user; gives how many there were."""
        count = await self._credentials.end_sessions(user_id)
        self._forget()
        return count

    # -- keys

    async def create_key(
        self, user_id: str, name: str, scopes: Collection[Scope], *, expires_at: datetime | None = None
    ) -> NewKey:
        """Make an API key.

        Raises InvalidRequest: a name of no or too many characters, no scope, one that the user's role does not allow,
        an end that has passed, or too many keys. NotFound: there is no such user.
        """
        user, now = await self._users.get(user_id), datetime.now(UTC)
        if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
            raise InvalidRequest(
                f"A key needs a name of 1 to {LONGEST_NAME} visible characters.", code="bad_key_name", most=LONGEST_NAME
            )
        wrong = sorted(set(scopes) - _scopes_of(user.role))
        if wrong or not scopes:
            raise InvalidRequest(
                f"A key of {user.name} can have these scopes: {', '.join(sorted(_scopes_of(user.role)))}.",
                code="bad_scopes",
                name=user.name,
                scopes=", ".join(sorted(_scopes_of(user.role))),
            )
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest("The key would have ended already.", code="key_ended")
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        stored = ApiKey(new_id(), user.id, name.strip(), key[:SHOWN], frozenset(scopes), now, expires_at)
        await self._credentials.add_key(stored, _digest(key))
        return NewKey(key, stored)

    async def keys(self, user_id: str) -> list[ApiKey]:
        """The newest first; those past their end as well."""
        return await self._credentials.keys_of(user_id)

    async def revoke_key(self, user_id: str, key_id: str) -> None:
        """Raises NotFound where this user has no such key."""
        await self._credentials.revoke_key(user_id, key_id)
        self._forget()

    # -- at the door

    async def person_of_session(self, token: str) -> Person | None:
        """The person behind a session's token; None where it is unknown, has ended or was revoked."""
        return await self._person_of("session", token)

    async def person_of_key(self, key: str) -> Person | None:
        """The person behind an API key; None where it is unknown, has ended or was revoked."""
        return await self._person_of("key", key) if key.startswith(KEY_PREFIX) else None

    def note_wrong_key(self, address: str) -> None:
        """Raises TooManyRequests where more than ten wrong keys came from an address within a minute."""
        self._wrong_keys.begin(network_of(address))

    async def while_valid(self, person: Person, work: Awaitable[None]) -> bool:
        """Await the work of a request, and cancel it soon after its session or key has ended, or can do less.

        Gives False where it was cut short.
        """
        return await self._requests.run(person, work)

    async def aclose(self) -> None:
        """Write down what is left to write."""
        await self._requests.aclose()
        if self._touching:
            await asyncio.wait(self._touching.values())
        self._passwords.close()

    # -- inside

    async def _person_of(self, kind: Kind, secret: str) -> Person | None:
        if len(secret) > LONGEST_SECRET:
            return None
        digest, begun = _digest(secret), monotonic()
        until, person = self._believed.get((kind, digest), (0.0, None))
        if person is not None and begun < until:
            return person
        found = await self._credentials.find(kind, digest, datetime.now(UTC))
        self._believed.pop((kind, digest), None)
        if found is None:
            return None
        self._touch(found)
        person = _to_person(found)
        self._believed[kind, digest] = (begun + BELIEVED, person)
        if len(self._believed) > 1000:
            self._believed = {key: entry for key, entry in self._believed.items() if entry[0] > begun}
        return person

    async def _persons(self, credentials: Collection[str]) -> dict[str, Person]:
        good = await self._credentials.good(credentials, datetime.now(UTC))
        return {credential.id: _to_person(credential) for credential in good}

    def _forget(self) -> None:
        """Somebody changed: believe nothing that was known before."""
        self._believed.clear()
        self._any_users = (-inf, False)
        self._requests.hurry()

    def _touch(self, credential: Credential) -> None:
        """Write the last use down, beside the request that is answered, and not at every use."""
        now = datetime.now(UTC)
        used = credential.last_used_at
        if credential.id in self._touching or (used is not None and now - used < TOUCHED):
            return

        async def write() -> None:
            try:
                await self._credentials.touch(credential, now)
            except StorageError as error:
                logger.warning("The last use of a session or key was not stored: %s", error.code)
            finally:
                del self._touching[credential.id]

        self._touching[credential.id] = asyncio.create_task(write(), name="last use")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _scopes_of(role: Role) -> frozenset[Scope]:
    return ALL_SCOPES if role == "admin" else USER_SCOPES


def _to_person(credential: Credential) -> Person:
    scopes = _scopes_of(credential.role)
    if credential.scopes is not None:
        scopes = frozenset(scope for scope in scopes if scope in credential.scopes)
    return Person(credential.user_id, credential.user_name, credential.role, scopes, credential.id)


def _checked_name(name: str) -> str:
    """A name that can be typed, said, and told from others. Raises InvalidRequest."""
    name = unicodedata.normalize("NFKC", name.strip()) if len(name) <= 4 * LONGEST_NAME else ""
    fits = all(unicodedata.category(character)[0] in "LMN" or character in "._-@+" for character in name)
    if not (1 <= len(name) <= LONGEST_NAME and fits and unicodedata.category(name[0])[0] in "LN"):
        raise InvalidRequest(
            f"A name has 1 to {LONGEST_NAME} letters, digits and . _ - @ +, and begins with a letter or digit.",
            code="bad_user_name",
            most=LONGEST_NAME,
        )
    return name
