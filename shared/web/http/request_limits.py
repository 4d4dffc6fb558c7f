"""Limits that services declare for their paths; middleware enforces them before a request is routed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadPath:
    """Paths at which requests with these methods carry files.

    `public` ones need no account and count against the upload budget. Small bodies of a `form` are always accepted: they
    reference files that are stored already, and so release budget.
    """

    pattern: re.Pattern[str]
    public: bool = False
    form: bool = False
    methods: frozenset[str] = frozenset({"POST"})


@dataclass(frozen=True, slots=True)
class RateRule:
    """Limits requests per client network; `per_submission` is their number for each submission that the settings allow."""

    name: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    per_submission: int = 1

    def matches(self, method: str, path: str) -> bool:
        return method in self.methods and self.pattern.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of a service. Of several rate rules that match a request, the first applies."""

    uploads: tuple[UploadPath, ...] = ()
    rates: tuple[RateRule, ...] = ()

    def upload_path(self, method: str, path: str) -> UploadPath | None:
        matching = (upload for upload in self.uploads if method in upload.methods and upload.pattern.fullmatch(path))
        return next(matching, None)


NO_LIMITS = RequestLimits()


def merge_limits(limits: Iterable[RequestLimits]) -> RequestLimits:
    """Combine the limits of several services."""
    every = tuple(limits)
    return RequestLimits(
        tuple(upload for one in every for upload in one.uploads), tuple(rule for one in every for rule in one.rates)
    )
