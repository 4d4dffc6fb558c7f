"""Accounts and sessions in MongoDB, shared by all processes of all services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from shared.identity.accounts import (
    Account,
    ConcurrentModification,
    IdempotencyKey,
    LastAdmin,
    Role,
    Session,
    UsernameTaken,
)
from shared.identity.mongo_login_attempts import MongoLoginAttempts
from shared.runtime.executor import IdempotencyKeyReused
from shared.storage.mongo.client import Fields, MongoDatabase
from shared.storage.mongo.client import Session as Transaction

_HAS_IDEMPOTENCY_KEY = {"order.key": {"$gte": ""}}
_CHANGE_COUNTER = {"_id": "changes"}


class MongoAccountStore:
    """AccountStore in MongoDB; an account's document also holds its idempotency key and its last used TOTP step."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._account_collection, self._session_collection = (
            database.collection("accounts"),
            database.collection("sessions"),
        )
        self._guard = database.collection("account_guard")
        self._attempts = MongoLoginAttempts(database)

    async def prepare(self) -> None:
        by_key = IndexModel(
            [("order.key", ASCENDING)], name="order", unique=True, partialFilterExpression=_HAS_IDEMPOTENCY_KEY
        )
        async with self._database.operation():
            await self._account_collection.create_indexes([by_key])
            await self._session_collection.create_indexes([IndexModel([("username", ASCENDING)], name="by_username")])
            await self._guard.update_one(_CHANGE_COUNTER, {"$inc": {"count": 0}}, upsert=True)
        await self._attempts.prepare()

    async def add(self, account: Account, idempotency_key: IdempotencyKey | None = None) -> Account:
        if idempotency_key and (earlier := await self._account_created_with(idempotency_key, "majority")) is not None:
            return earlier
        row = {"_id": account.username, **_fields(account)}
        if idempotency_key:
            row["order"] = {"key": idempotency_key.key, "digest": idempotency_key.digest}
        try:
            async with self._database.operation():
                await self._account_collection.insert_one(row)
        except DuplicateKeyError as error:
            # The same call may have come twice at once: a linearizable read waits until the other insert is durable.
            earlier = await self._account_created_with(idempotency_key, "linearizable") if idempotency_key else None
            if earlier is None:
                raise UsernameTaken(account.username) from error
            return earlier
        return account

    async def _account_created_with(self, idempotency_key: IdempotencyKey, level: str) -> Account | None:
        """The account that was first added with this key."""
        accounts = self._account_collection.with_options(read_concern=ReadConcern(level))
        async with self._database.operation():
            row = await accounts.find_one({"order.key": idempotency_key.key})
        if row is None:
            return None
        if row["order"]["digest"] != idempotency_key.digest:
            raise IdempotencyKeyReused(idempotency_key.key)
        return _account(row)

    async def change(self, previous: Account, account: Account) -> None:
        async def work(transaction: Transaction) -> None:
            # Every change writes this document, so that of two concurrent changes one waits and sees the other's result.
            await self._guard.update_one(_CHANGE_COUNTER, {"$inc": {"count": 1}}, upsert=True, session=transaction)
            row = await self._account_collection.find_one({"_id": account.username}, session=transaction)
            if row is None or _account(row) != previous:
                raise ConcurrentModification(account.username)
            if (
                previous.is_active_admin
                and not account.is_active_admin
                and not await self._another_admin_exists(account.username, transaction)
            ):
                raise LastAdmin(account.username)
            await self._account_collection.update_one(
                {"_id": account.username}, {"$set": _fields(account)}, session=transaction
            )
            await self._session_collection.delete_many({"username": account.username}, session=transaction)

        await self._database.run_transaction(work)

    async def _another_admin_exists(self, username: str, transaction: Transaction) -> bool:
        """Whether another account is an active administrator."""
        wanted = {"active": True, "roles": Role.ADMIN.value, "_id": {"$ne": username}}
        return await self._account_collection.find_one(wanted, session=transaction) is not None

    async def account(self, username: str) -> Account | None:
        async with self._database.operation():
            row = await self._account_collection.find_one({"_id": username})
        return _account(row) if row else None

    async def accounts(self) -> list[Account]:
        return await self._find_accounts({})

    async def accounts_with_role(self, role: Role) -> list[Account]:
        return await self._find_accounts({"active": True, "roles": role.value})

    async def _find_accounts(self, wanted: Fields) -> list[Account]:
        async with self._database.operation():
            rows = await self._account_collection.find(wanted, sort=[("_id", 1)]).to_list(None)
        return [_account(row) for row in rows]

    async def open_session(self, session: Session, account: Account) -> None:
        row = {
            "_id": session.token_hash,
            "username": account.username,
            "account_digest": account.digest,
            "created_at": session.created_at.timestamp(),
            "seen_at": session.seen_at.timestamp(),
        }
        async with self._database.operation():
            await self._session_collection.insert_one(row)
        # A change after this check ends the session too: its digest no longer matches at the next request.
        if await self.account(account.username) != account:
            await self.close_session(session.token_hash)
            raise ConcurrentModification(account.username)

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        accounts = {
            "from": self._account_collection.name,
            "localField": "username",
            "foreignField": "_id",
            "as": "accounts",
        }
        async with self._database.operation():
            rows = await self._session_collection.aggregate(
                [{"$match": {"_id": token_hash}}, {"$lookup": accounts}]
            ).to_list(1)
        if not rows or not rows[0]["accounts"]:
            return None
        [row] = rows
        account = _account(row["accounts"][0])
        # Sessions opened by a version that did not bind them have no digest; they stay valid until they expire.
        if row.get("account_digest", account.digest) != account.digest:
            return None
        return Session(row["_id"], row["username"], _time(row["created_at"]), _time(row["seen_at"])), account

    async def touch_session(self, token_hash: str, at: datetime) -> None:
        async with self._database.operation():
            await self._session_collection.update_one({"_id": token_hash}, {"$max": {"seen_at": at.timestamp()}})

    async def close_session(self, token_hash: str) -> None:
        async with self._database.operation():
            await self._session_collection.delete_one({"_id": token_hash})

    async def close_expired_sessions(self, seen_before: datetime, created_before: datetime) -> None:
        idle = {"seen_at": {"$lt": seen_before.timestamp()}}
        old = {"created_at": {"$lt": created_before.timestamp()}}
        async with self._database.operation():
            await self._session_collection.delete_many({"$or": [idle, old]})

    async def count_attempt(self, limits: Mapping[str, int], at: datetime, since: datetime) -> datetime | None:
        full = await self._attempts.count(limits, at.timestamp(), since.timestamp())
        return None if full is None else _time(full)

    async def clear_attempts(self, key: str) -> None:
        await self._attempts.clear(key)

    async def undo_attempt(self, key: str, at: datetime) -> None:
        await self._attempts.undo(key, at.timestamp())

    async def record_success(self, key: str, at: datetime) -> None:
        await self._attempts.record_success(key, at.timestamp())

    async def has_succeeded(self, key: str, since: datetime) -> bool:
        return await self._attempts.has_succeeded(key, since.timestamp())

    async def use_totp_step(self, username: str, step: int) -> bool:
        unused = {"_id": username, "code_step": {"$not": {"$gte": step}}}
        async with self._database.operation():
            used = await self._account_collection.update_one(unused, {"$set": {"code_step": step}})
        return used.matched_count == 1


def _fields(account: Account) -> Fields:
    return {
        "name": account.name,
        "email": account.email,
        "roles": [role.value for role in account.roles],
        "password": account.password,
        "active": account.active,
        "totp": account.totp,
    }


def _account(row: Mapping[str, Any]) -> Account:
    roles = tuple(Role(role) for role in row["roles"])
    return Account(row["_id"], row["name"], row["email"], roles, row["password"], row["active"], row["totp"])


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
