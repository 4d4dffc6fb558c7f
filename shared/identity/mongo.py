"""Accounts and sessions in MongoDB, for all processes of all services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from shared.identity.accounts import Account, KeyReused, LastAdmin, Order, Outdated, Role, Session, UsernameTaken
from shared.identity.mongo_tries import Tries
from shared.storage.mongo_client import Fields, MongoDatabase
from shared.storage.mongo_client import Session as Transaction

_ORDER = {"order.key": {"$gte": ""}}
_CHANGES = {"_id": "changes"}


class MongoAccountStore:
    """The AccountStore of every process; an account's order and its last used code are kept in its own document."""

    def __init__(self, database: MongoDatabase):
        self._database = database
        self._accounts, self._sessions = database.collection("accounts"), database.collection("sessions")
        self._guard = database.collection("account_guard")
        self._tries = Tries(database)

    async def prepare(self) -> None:
        order = IndexModel([("order.key", ASCENDING)], name="order", unique=True, partialFilterExpression=_ORDER)
        async with self._database.asking():
            await self._accounts.create_indexes([order])
            await self._sessions.create_indexes([IndexModel([("username", ASCENDING)], name="by_username")])
            await self._guard.update_one(_CHANGES, {"$inc": {"count": 0}}, upsert=True)
        await self._tries.prepare()

    async def add(self, account: Account, order: Order | None = None) -> Account:
        if order and (earlier := await self._ordered(order, "majority")) is not None:
            return earlier
        row = {"_id": account.username, **_fields(account)}
        if order:
            row["order"] = {"key": order.key, "digest": order.digest}
        try:
            async with self._database.asking():
                await self._accounts.insert_one(row)
        except DuplicateKeyError as error:
            # Perhaps the same order came twice at once: a linearizable read waits until the other is sure to stay.
            earlier = await self._ordered(order, "linearizable") if order else None
            if earlier is None:
                raise UsernameTaken(account.username) from error
            return earlier
        return account

    async def _ordered(self, order: Order, level: str) -> Account | None:
        """The account that this order made when it came first."""
        accounts = self._accounts.with_options(read_concern=ReadConcern(level))
        async with self._database.asking():
            row = await accounts.find_one({"order.key": order.key})
        if row is None:
            return None
        if row["order"]["digest"] != order.digest:
            raise KeyReused(order.key)
        return _account(row)

    async def change(self, was: Account, account: Account) -> None:
        async def work(transaction: Transaction) -> None:
            # All changes write this one document: of two at once one waits, and sees what the other did.
            await self._guard.update_one(_CHANGES, {"$inc": {"count": 1}}, upsert=True, session=transaction)
            row = await self._accounts.find_one({"_id": account.username}, session=transaction)
            if row is None or _account(row) != was:
                raise Outdated(account.username)
            if was.administers and not account.administers and not await self._others(account.username, transaction):
                raise LastAdmin(account.username)
            await self._accounts.update_one({"_id": account.username}, {"$set": _fields(account)}, session=transaction)
            await self._sessions.delete_many({"username": account.username}, session=transaction)

        await self._database.transact(work)

    async def _others(self, username: str, transaction: Transaction) -> bool:
        """Whether anybody else administers accounts."""
        wanted = {"active": True, "roles": Role.ADMIN.value, "_id": {"$ne": username}}
        return await self._accounts.find_one(wanted, session=transaction) is not None

    async def account(self, username: str) -> Account | None:
        async with self._database.asking():
            row = await self._accounts.find_one({"_id": username})
        return _account(row) if row else None

    async def accounts(self) -> list[Account]:
        return await self._listed({})

    async def with_role(self, role: Role) -> list[Account]:
        return await self._listed({"active": True, "roles": role.value})

    async def _listed(self, wanted: Fields) -> list[Account]:
        async with self._database.asking():
            rows = await self._accounts.find(wanted, sort=[("_id", 1)]).to_list(None)
        return [_account(row) for row in rows]

    async def open_session(self, session: Session, account: Account) -> None:
        row = {
            "_id": session.token_hash,
            "username": account.username,
            "account_digest": account.digest,
            "created_at": session.created_at.timestamp(),
            "seen_at": session.seen_at.timestamp(),
        }
        async with self._database.asking():
            await self._sessions.insert_one(row)
        # What changes the account after this look ends the session by its digest, at the next request.
        if await self.account(account.username) != account:
            await self.close_session(session.token_hash)
            raise Outdated(account.username)

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        theirs = {"from": self._accounts.name, "localField": "username", "foreignField": "_id", "as": "accounts"}
        async with self._database.asking():
            rows = await self._sessions.aggregate([{"$match": {"_id": token_hash}}, {"$lookup": theirs}]).to_list(1)
        if not rows or not rows[0]["accounts"]:
            return None
        [row] = rows
        account = _account(row["accounts"][0])
        # Sessions of a version that did not bind them have no digest, and go on until they end by themselves.
        if row.get("account_digest", account.digest) != account.digest:
            return None
        return Session(row["_id"], row["username"], _time(row["created_at"]), _time(row["seen_at"])), account

    async def touch(self, token_hash: str, at: datetime) -> None:
        async with self._database.asking():
            await self._sessions.update_one({"_id": token_hash}, {"$max": {"seen_at": at.timestamp()}})

    async def close_session(self, token_hash: str) -> None:
        async with self._database.asking():
            await self._sessions.delete_one({"_id": token_hash})

    async def close_old_sessions(self, seen_before: datetime, created_before: datetime) -> None:
        idle = {"seen_at": {"$lt": seen_before.timestamp()}}
        old = {"created_at": {"$lt": created_before.timestamp()}}
        async with self._database.asking():
            await self._sessions.delete_many({"$or": [idle, old]})

    async def count_try(self, limits: Mapping[str, int], at: datetime, since: datetime) -> datetime | None:
        full = await self._tries.count(limits, at.timestamp(), since.timestamp())
        return None if full is None else _time(full)

    async def forget_tries(self, key: str) -> None:
        await self._tries.forget(key)

    async def take_back_try(self, key: str, at: datetime) -> None:
        await self._tries.take_back(key, at.timestamp())

    async def remember_success(self, key: str, at: datetime) -> None:
        await self._tries.remember_success(key, at.timestamp())

    async def succeeded(self, key: str, since: datetime) -> bool:
        return await self._tries.succeeded(key, since.timestamp())

    async def use_code(self, username: str, step: int) -> bool:
        unused = {"_id": username, "code_step": {"$not": {"$gte": step}}}
        async with self._database.asking():
            used = await self._accounts.update_one(unused, {"$set": {"code_step": step}})
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
