"""Copies staff accounts between stores, without sessions: staff sign in again."""

from __future__ import annotations

from collections.abc import Mapping

from shared.identity.accounts import Account, AccountStore


async def unknown_accounts(source: AccountStore, target: AccountStore, *, begun: bool) -> list[str]:
    """The accounts of the target that are not from the source. If the copy has `begun`, one of the same name is."""
    in_source = {account.username: account for account in await source.accounts()}
    return [
        account.username
        for account in await target.accounts()
        if (account.username not in in_source if begun else in_source.get(account.username) != account)
    ]


async def copy_accounts(source: AccountStore, target: AccountStore) -> int:
    """Add the accounts that are missing and change those that differ; returns how many the source has."""
    accounts = await source.accounts()
    existing = {account.username: account for account in await target.accounts()}
    # Administrators first, so that there is always one.
    for account in sorted(accounts, key=lambda account: not account.is_active_admin):
        await _copy(account, existing, target)
    return len(accounts)


async def _copy(account: Account, existing: Mapping[str, Account], target: AccountStore) -> None:
    previous = existing.get(account.username)
    if previous is None:
        await target.add(account)
    elif previous != account:
        await target.change(previous, account)
