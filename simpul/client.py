"""A typed client of the HTTP API: one method per operation, with retries under the same idempotency key."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpx

from simpul.client_types import (
    CommandResult,
    Complexity,
    Page,
    RequestForm,
    StaffService,
    SubmissionResult,
    Upload,
    Verdict,
)

RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
"""502 and 504 come from a gateway whose service was unavailable or ended meanwhile."""


class ApiError(Exception):
    """An error response: the HTTP status and the problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'tanpa keterangan'}")
        self.status = status
        self.problem = problem

    @property
    def message(self) -> str:
        """The message for people, with the invalid fields."""
        fields = "; ".join(f"{error['field']}: {error['message']}" for error in self.problem.get("errors", ()))
        return f"{self} ({fields})" if fields else str(self)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a call is retried while the server does not respond, is unavailable (502, 503, 504) or asks to wait (429)."""

    timeout_seconds: float = 60.0
    initial_delay_seconds: float = 0.1
    max_delay_seconds: float = 5.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def delays(self) -> list[float]:
        """Delays that double up to the maximum, until their sum exceeds the timeout."""
        delay = self.initial_delay_seconds
        delays: list[float] = []
        while sum(delays) < self.timeout_seconds:
            delays.append(delay)
            delay = min(2 * delay, self.max_delay_seconds)
        return delays


def new_idempotency_key() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class SimpulClient:
    """Calls with a token: that of a staff session, an applicant's tracking token, or none.

    Every call may raise ApiError, or httpx.TransportError after the retries.
    """

    http: httpx.AsyncClient
    token: str = ""
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    new_idempotency_key: Callable[[], str] = new_idempotency_key

    def with_token(self, token: str) -> SimpulClient:
        """A client on the same connections with another token."""
        return replace(self, token=token)

    async def sign_in(self, username: str, password: str, code: str = "") -> SimpulClient:
        answer = await self._post(
            "/api/session", _without_empty_values(username=username, password=password, code=code)
        )
        return self.with_token(str(answer["token"]))

    async def session(self) -> dict[str, Any]:
        return await self._get("/api/session")

    async def sign_out(self) -> None:
        await self._send("DELETE", "/api/session", {})

    async def submit(self, form: RequestForm, letter: Upload, requirements: Sequence[Upload]) -> SubmissionResult:
        files = [("letter", letter), *(("requirements", upload) for upload in requirements)]
        return cast(SubmissionResult, await self._post_form("/api/requests", form, files))

    async def track(self, number: str) -> dict[str, Any]:
        return await self._get(f"/api/requests/{number}")

    async def download(self, number: str, document: str) -> bytes:
        return await self._get_bytes(f"/api/requests/{number}/documents/{document}")

    async def resubmit(
        self,
        number: str,
        form: RequestForm,
        letter: Upload | None = None,
        requirements: Sequence[Upload] = (),
        replaces: Sequence[str] = (),
    ) -> CommandResult:
        files = [("letter", letter)] if letter else []
        files += [("requirements", upload) for upload in requirements]
        fields = {**form, **({"replaces": list(replaces)} if replaces else {})}
        return cast(CommandResult, await self._post_form(f"/api/requests/{number}/resubmission", fields, files))

    async def withdraw(self, number: str, reason: str) -> CommandResult:
        return await self._command(f"/api/requests/{number}/withdrawal", reason=reason)

    async def answer(self, number: str, text: str) -> CommandResult:
        return await self._command(f"/api/requests/{number}/answer", text=text)

    async def confirm(self, number: str) -> CommandResult:
        return await self._command(f"/api/requests/{number}/confirmation")

    async def contest(self, number: str, reason: str) -> CommandResult:
        return await self._command(f"/api/requests/{number}/objection", reason=reason)

    async def survey(self, number: str, answers: Sequence[int], comment: str = "") -> CommandResult:
        return await self._command(f"/api/requests/{number}/survey", answers=list(answers), comment=comment)

    async def requests(self, service: StaffService, **filters: str | int) -> Page:
        return cast(Page, await self._get(f"/api/{service}/requests", **filters))

    async def all_requests(self, service: StaffService, **filters: str | int) -> AsyncIterator[dict[str, Any]]:
        """Every item of the list, across all pages."""
        page = await self.requests(service, **filters)
        while True:
            for item in page["items"]:
                yield item
            if not page["next"]:
                return
            page = await self.requests(service, **{**filters, "after": page["next"]})

    async def request(self, service: StaffService, request_id: str) -> dict[str, Any]:
        return await self._get(f"/api/{service}/requests/{request_id}")

    async def document(self, service: StaffService, request_id: str, document: str) -> bytes:
        return await self._get_bytes(f"/api/{service}/requests/{request_id}/documents/{document}")

    async def page_image(self, request_id: str, document: str, page: int) -> bytes:
        """One page of a document as PNG, as the officer sees it."""
        return await self._get_bytes(f"/api/verification/requests/{request_id}/documents/{document}/pages/{page}")

    async def verify(
        self, request_id: str, checklist: Sequence[Verdict], acknowledged: Sequence[str] = ()
    ) -> CommandResult:
        path = f"/api/verification/requests/{request_id}/verification"
        return await self._command(path, checklist=list(checklist), acknowledged_warnings=list(acknowledged))

    async def return_request(self, request_id: str, checklist: Sequence[Verdict]) -> CommandResult:
        return await self._command(f"/api/verification/requests/{request_id}/return", checklist=list(checklist))

    async def recommend(self, request_id: str, reason: str) -> CommandResult:
        return await self._command(f"/api/verification/requests/{request_id}/recommendation", reason=reason)

    async def leads(self) -> Page:
        return cast(Page, await self._get("/api/assignment/leads"))

    async def reject(self, request_id: str, reason: str) -> CommandResult:
        return await self._command(f"/api/assignment/requests/{request_id}/rejection", reason=reason)

    async def assign(
        self, request_id: str, lead: str, complexity: Complexity, target: date, note: str = ""
    ) -> CommandResult:
        path = f"/api/assignment/requests/{request_id}/assignment"
        return await self._command(path, lead=lead, complexity=complexity, target_date=target.isoformat(), note=note)

    async def reassign(self, request_id: str, lead: str, reason: str, target: date | None = None) -> CommandResult:
        path = f"/api/assignment/requests/{request_id}/reassignment"
        return await self._command(path, lead=lead, reason=reason, target_date=target.isoformat() if target else "")

    async def start(self, request_id: str) -> CommandResult:
        return await self._command(f"/api/assignment/requests/{request_id}/start")

    async def progress(self, request_id: str, note: str, percent: int | None = None) -> CommandResult:
        return await self._command(f"/api/assignment/requests/{request_id}/progress", note=note, percent=percent)

    async def pause(self, request_id: str, question: str) -> CommandResult:
        return await self._command(f"/api/assignment/requests/{request_id}/pause", question=question)

    async def resume(self, request_id: str, note: str = "") -> CommandResult:
        return await self._command(f"/api/assignment/requests/{request_id}/resume", note=note)

    async def complete(self, request_id: str, summary: str, documents: Sequence[Upload]) -> CommandResult:
        path, files = (
            f"/api/assignment/requests/{request_id}/completion",
            [("documents", upload) for upload in documents],
        )
        return cast(CommandResult, await self._post_form(path, {"summary": summary}, files))

    async def messages(self, **filters: str | int) -> Page:
        return cast(Page, await self._get("/api/notification/messages", **filters))

    async def resend(self, message: str) -> dict[str, Any]:
        return await self._post(f"/api/notification/messages/{message}/resend", {})

    async def _command(self, path: str, **body: Any) -> CommandResult:
        return cast(CommandResult, await self._post(path, _without_empty_values(**body)))

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _json_object(await self._send("POST", path, {"json": body}))

    async def _post_form(
        self, path: str, fields: Mapping[str, Any], files: Sequence[tuple[str, Upload]]
    ) -> dict[str, Any]:
        parts = [*_text_parts(fields), *((name, tuple(upload)) for name, upload in files)]
        return _json_object(await self._send("POST", path, {"files": parts}))

    async def _get(self, path: str, **filters: str | int) -> dict[str, Any]:
        return _json_object(await self._send("GET", path, {"params": filters}))

    async def _get_bytes(self, path: str) -> bytes:
        return (await self._send("GET", path, {})).content

    async def _send(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        headers = {"Idempotency-Key": self.new_idempotency_key()} if method != "GET" else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        for delay in self.retry_policy.delays():
            try:
                response = await self.http.request(method, path, headers=headers, **options)
            except httpx.TransportError:
                await self.retry_policy.sleep(delay)
                continue
            if response.status_code not in RETRYABLE_STATUSES:
                return _raise_for_problem(response)
            await self.retry_policy.sleep(_retry_delay(response, delay))
        return _raise_for_problem(await self.http.request(method, path, headers=headers, **options))


@asynccontextmanager
async def open_client(
    url: str, connections: int = 100, retry_policy: RetryPolicy | None = None
) -> AsyncIterator[SimpulClient]:
    """A client without a token, whose connections are closed at the end."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    # Cookies are not stored: a sign-in with the cookie of another session would end that session.
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60.0, cookies=no_cookies) as http:
        yield SimpulClient(http, retry_policy=retry_policy or RetryPolicy())


def _raise_for_problem(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        problem = response.json()
    except json.JSONDecodeError:
        problem = {"title": response.reason_phrase}
    raise ApiError(response.status_code, problem if isinstance(problem, dict) else {"detail": str(problem)})


def _json_object(response: httpx.Response) -> dict[str, Any]:
    return cast(dict[str, Any], response.json())


def _text_parts(fields: Mapping[str, Any]) -> Iterator[tuple[str, tuple[None, str]]]:
    """The fields as parts without a file name, because a form without files must be multipart too."""
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            yield name, (None, str(item))


def _retry_delay(response: httpx.Response, delay: float) -> float:
    asked = response.headers.get("Retry-After", "")
    return max(delay, float(asked)) if asked.isdecimal() else delay


def _without_empty_values(**fields: Any) -> dict[str, Any]:
    """Drop empty fields; the API accepts an absent optional field, not an empty one."""
    return {name: value for name, value in fields.items() if value not in ("", None)}
