from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default

import pytest
import trustme
from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.address import is_address, mask_address, mask_addresses
from shared.mail.folder import EmailNotFound, FolderMailer
from shared.mail.mime import build_message
from shared.mail.port import Email, InvalidHeader, Mailer, retry_delay
from shared.mail.smtp import SmtpMailer
from shared.mail.smtp_settings import InvalidSmtpUrl, SmtpLimits, parse_smtp_url
from tests.support.adapters.scripted_smtp import HANG_UP, SILENCE, Script, ScriptedSmtp

NOON = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
EMAIL = Email(
    message_id="5f6e0a2c-0001-5000-8000-000000000001",
    to=("rahmat@dinas.example",),
    subject="[INT-2026-000148] Permohonan perlu dilengkapi",
    text="Yth. Bapak/Ibu Rahmat,\n.\n..dua titik\nTerima kasih.\n",
    html="<p>Yth. Bapak/Ibu Rahmat,</p>\n",
    sender="Layanan Integrasi Sistem <simpul@diskominfo.example>",
    date=NOON,
)
SHORT_LIMITS = SmtpLimits(wait=5, connect=1, command=0.3, data=0.3)


def read(content: bytes):
    return message_from_bytes(content, policy=default)


# MIME


def test_an_email_is_parsed_back_unchanged():
    message = read(build_message(EMAIL))
    assert message["Subject"] == EMAIL.subject
    assert message["To"] == "rahmat@dinas.example"
    assert message["From"].addresses[0].display_name == "Layanan Integrasi Sistem"
    assert message["Date"].datetime == NOON
    assert message["Message-ID"] == "<5f6e0a2c-0001-5000-8000-000000000001@diskominfo.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == EMAIL.text
    assert message.get_body(("html",)).get_content().replace("\r\n", "\n") == EMAIL.html
    assert not message.defects


def test_an_email_names_its_thread_and_the_reply_address():
    answered = replace(EMAIL, reply_to="Café Ülkü <kantor@dinas.example>", thread_id="5f6e0a2c.applicant.thread")
    message = read(build_message(answered))
    assert message["Message-ID"] == read(build_message(EMAIL))["Message-ID"]
    assert message["References"] == message["In-Reply-To"] == "<5f6e0a2c.applicant.thread@diskominfo.example>"
    assert message["Reply-To"].addresses[0].addr_spec == "kantor@dinas.example"
    assert message["Reply-To"].addresses[0].display_name == "Café Ülkü"
    assert not message.defects
    assert {"References", "In-Reply-To", "Reply-To"}.isdisjoint(read(build_message(EMAIL)).keys())


@pytest.mark.parametrize("name", ["References", "in-reply-to", "Reply-To"])
def test_reserved_headers_cannot_be_added(name):
    with pytest.raises(InvalidHeader):
        replace(EMAIL, headers={name: "<a@b>"})


@given(
    subject=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    to=st.lists(st.from_regex(r"[a-z]{1,20}@[a-z]{1,20}\.example", fullmatch=True), min_size=1, max_size=20),
)
def test_any_text_survives_encoding_within_the_line_limits(subject, text, to):
    content = build_message(replace(EMAIL, subject=subject, text=text, html=text, to=tuple(to)))
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 78
    assert not {13, 10} & set(content.replace(b"\r\n", b""))
    message = read(content)
    assert message["Subject"] == subject.strip()
    assert [address.addr_spec for address in message["To"].addresses] == to
    whole = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"
    assert [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in message.iter_parts()] == [
        whole
    ] * 2


@pytest.mark.parametrize("name", ["Simpul", "Diskominfo, Halmahera Timur", 'Kantor \\"Satu\\"', "Café Ülkü", "=?x?= a"])
def test_a_sender_may_have_a_name_in_any_script(name):
    sender = read(build_message(replace(EMAIL, sender=f'"{name}" <simpul@diskominfo.example>')))["From"].addresses[0]
    assert sender.display_name == name.replace("\\", "")
    assert sender.addr_spec == "simpul@diskominfo.example"


def test_a_long_name_is_split_into_encoded_words():
    name = "Café Ülkü " * 10
    head = message_from_bytes(build_message(replace(EMAIL, sender=f"{name}<simpul@diskominfo.example>")))["From"]
    assert str(make_header(decode_header(head))) == f"{name.strip()} <simpul@diskominfo.example>"


def test_a_subject_that_looks_encoded_stays_unchanged():
    assert read(build_message(replace(EMAIL, subject="=?utf-8?q?palsu?=")))["Subject"] == "=?utf-8?q?palsu?="


@pytest.mark.parametrize("planted", ["\r\nBcc: x@y.example", "\nX: y", "\r", "\x00", "\u2028", "\x85", "\ud800"])
def test_nothing_breaks_out_of_a_header_field(planted):
    with pytest.raises(InvalidHeader):
        replace(EMAIL, subject=f"Permohonan{planted}")
    with pytest.raises(InvalidHeader):
        replace(EMAIL, to=(f"rahmat@dinas.example{planted}",))
    with pytest.raises(InvalidHeader):
        replace(EMAIL, sender=f"Simpul{planted} <simpul@diskominfo.example>")
    with pytest.raises(InvalidHeader):
        replace(EMAIL, message_id=f"id{planted}")
    with pytest.raises(InvalidHeader):
        replace(EMAIL, reply_to=f"kantor{planted}@dinas.example")
    with pytest.raises(InvalidHeader):
        replace(EMAIL, reply_to=f"Kantor{planted} <kantor@dinas.example>")
    with pytest.raises(InvalidHeader):
        replace(EMAIL, thread_id=f"thread{planted}")
    with pytest.raises(InvalidHeader):
        replace(EMAIL, headers={"X-Kind": f"a{planted}"})
    with pytest.raises(InvalidHeader):
        replace(EMAIL, headers={f"X-Kind{planted}": "a"})


@pytest.mark.parametrize(
    "address", ["", "rahmat", "a b@c.example", "a@b@c", "a@b,c@d", "<a@b>", "a@-b", "é@b", "a" * 251 + "@b.c"]
)
def test_only_plain_addresses_are_accepted_as_recipients(address):
    assert not is_address(address)
    with pytest.raises(InvalidHeader):
        replace(EMAIL, to=(address,))


def test_the_error_about_a_header_does_not_repeat_its_value():
    with pytest.raises(InvalidHeader) as refusal:
        replace(EMAIL, to=("rahmat@dinas.example\r\n",))
    assert "rahmat" not in str(refusal.value)


def test_addresses_are_masked_wherever_they_occur():
    assert mask_address("rahmat@dinas.example") == "r***@dinas.example"
    assert mask_addresses("<rahmat@dinas.example>: unknown user") == "<r***@dinas.example>: unknown user"


def test_retry_delays_grow_and_end_after_three_days():
    minutes = [retry_delay(tries) for tries in range(1, 7)]
    assert minutes == [timedelta(seconds=30), *(timedelta(minutes=m) for m in (2, 5, 15, 30, 60))]
    pauses, tries = timedelta(), 1
    while pause := retry_delay(tries):
        pauses, tries = pauses + pause, tries + 1
    assert timedelta(hours=71) < pauses <= timedelta(hours=72)


# Every mailer


@asynccontextmanager
async def folder(tmp_path):
    mailer = FolderMailer(tmp_path / "mail")

    async def contents():
        return [await mailer.read(kept.name) for kept in reversed(await mailer.list_messages())]

    yield mailer, contents
    await mailer.close()


@asynccontextmanager
async def smtp(tmp_path):
    async with ScriptedSmtp(Script()).running() as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}?tls=none", limits=SHORT_LIMITS)

        async def contents():
            return [received.content for received in server.received]

        yield mailer, contents
        await mailer.close()


@pytest.fixture(params=[folder, smtp], ids=["folder", "smtp"])
async def mailing(request, tmp_path):
    async with request.param(tmp_path) as mailing:
        yield mailing


async def test_an_email_arrives_unchanged(mailing):
    mailer: Mailer = mailing[0]
    assert (await mailer.send(EMAIL)).kind == "sent"
    assert await mailing[1]() == [build_message(EMAIL)]


async def test_many_concurrent_emails_all_arrive(mailing):
    mailer, contents = mailing
    emails = [replace(EMAIL, message_id=f"id-{n}", date=NOON + timedelta(seconds=n)) for n in range(50)]
    outcomes = await asyncio.gather(*map(mailer.send, emails))
    assert {outcome.kind for outcome in outcomes} == {"sent"}
    assert sorted(await contents()) == sorted(map(build_message, emails))


async def test_a_mailer_can_be_closed_twice_and_used_again(mailing):
    mailer, _ = mailing
    assert await mailer.ready()
    await mailer.close()
    await mailer.close()
    assert (await mailer.send(EMAIL)).kind == "sent"


async def test_a_cancelled_send_does_not_disturb_the_next(mailing):
    mailer, _ = mailing
    sending = asyncio.create_task(mailer.send(EMAIL))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await mailer.send(replace(EMAIL, message_id="next"))).kind == "sent"


# The folder mailer


async def test_a_repeat_is_one_file(tmp_path):
    mailer = FolderMailer(tmp_path)
    await mailer.send(EMAIL)
    await mailer.send(EMAIL)
    await mailer.send(replace(EMAIL, message_id="another"))
    assert len(list(tmp_path.iterdir())) == 2


async def test_emails_are_listed_newest_first_and_paged_by_name(tmp_path):
    mailer = FolderMailer(tmp_path)
    for n in (2, 1, 3):
        await mailer.send(replace(EMAIL, message_id=f"id-{n}", subject=f"Surel {n} é", date=NOON + timedelta(hours=n)))
    first, second = await mailer.list_messages(limit=2)
    assert [first.subject, second.subject] == ["Surel 3 é", "Surel 2 é"]
    assert first.date == NOON + timedelta(hours=3)
    assert first.to == "rahmat@dinas.example"
    assert [kept.subject for kept in await mailer.list_messages(before=second.name)] == ["Surel 1 é"]


async def test_only_emails_can_be_read(tmp_path):
    mailer = FolderMailer(tmp_path / "mail")
    assert await mailer.list_messages() == []
    (tmp_path / "mail").mkdir()
    (tmp_path / "secret").write_text("x")
    for name in ("../secret", "", "20261124T030000000000Z-0123456789abcdef.eml"):
        with pytest.raises(EmailNotFound):
            await mailer.read(name)


async def test_email_files_are_readable_only_by_the_service(tmp_path):
    await FolderMailer(tmp_path / "mail").send(EMAIL)
    assert (tmp_path / "mail").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "mail").iterdir())


async def test_an_unwritable_folder_is_a_temporary_failure(tmp_path):
    (tmp_path / "mail").write_text("a file, not a folder")
    mailer = FolderMailer(tmp_path / "mail")
    assert (await mailer.send(EMAIL)).kind == "temporary"
    assert not await mailer.ready()
    (tmp_path / "mail").unlink()
    assert (await mailer.send(EMAIL)).kind == "sent"


# Replies of SMTP servers and their outcomes


@asynccontextmanager
async def smtp_session(
    script=None, *, limits=SHORT_LIMITS, tls=None, implicit=False, trust=None, query="tls=none", user=""
):
    async with ScriptedSmtp(script or Script(), tls, implicit).running() as server:
        url = f"smtp://{user}127.0.0.1:{server.port}?{query}"
        mailer = SmtpMailer(url, limits=limits, tls=trust)
        try:
            yield server, mailer
        finally:
            await mailer.close()


async def send_with_answers(answers, message=EMAIL):
    async with smtp_session(Script(answers)) as (server, mailer):
        return await mailer.send(message), server


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"])
async def test_a_4xx_at_any_step_is_temporary(step):
    outcome, server = await send_with_answers({step: "451 4.7.1 try again later"})
    assert outcome.kind == "temporary"
    assert not server.received


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "CONTENT"])
async def test_a_5xx_about_the_email_is_permanent_with_its_reason(step):
    outcome, server = await send_with_answers({step: "550 5.7.1 <rahmat@dinas.example> not wanted"})
    assert outcome.kind == "permanent"
    assert "550 5.7.1 <r***@dinas.example> not wanted" in outcome.reason
    assert not server.received


@pytest.mark.parametrize("answers", [{"greeting": "554 go away"}, {"EHLO": "550 no"}, {"MAIL": "530 sign in first"}])
async def test_a_5xx_about_the_client_is_temporary(answers):
    outcome, _ = await send_with_answers(answers)
    assert outcome.kind == "temporary"


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", [HANG_UP, SILENCE, "what?"])
async def test_a_lost_connection_before_the_content_is_temporary(step, answer):
    outcome, _ = await send_with_answers({step: answer})
    assert outcome.kind == "temporary"


@pytest.mark.parametrize("answer", [HANG_UP, SILENCE, "what?", "354 more"])
async def test_no_reply_to_the_content_is_unknown(answer):
    outcome, _ = await send_with_answers({"CONTENT": answer})
    assert outcome.kind == "unknown"


async def test_an_unreachable_server_is_temporary():
    async with ScriptedSmtp(Script()).running() as server:
        port = server.port
    mailer = SmtpMailer(f"smtp://127.0.0.1:{port}?tls=none", limits=SHORT_LIMITS)
    assert (await mailer.send(EMAIL)).kind == "temporary"
    assert not await mailer.ready()


async def test_a_slow_server_is_awaited():
    async with smtp_session(Script(delay=0.1)) as (server, mailer):
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert len(server.received) == 1


MULTI_RECIPIENT_EMAIL = replace(EMAIL, to=("ani@kantor.example", "budi@kantor.example", "citra@kantor.example"))


async def test_partially_refused_recipients_are_reported_masked():
    outcome, server = await send_with_answers({"RCPT budi@kantor.example": "550 5.1.1 unknown"}, MULTI_RECIPIENT_EMAIL)
    assert outcome.kind == "sent"
    assert outcome.reason == "Tidak diterima untuk: b***@kantor.example (550)."
    assert server.received[0].recipients == ["ani@kantor.example", "citra@kantor.example"]


async def test_refusal_of_all_recipients_is_permanent_only_if_all_are_permanent():
    refused = {f"RCPT {address}": "550 unknown" for address in MULTI_RECIPIENT_EMAIL.to}
    assert (await send_with_answers(refused, MULTI_RECIPIENT_EMAIL))[0].kind == "permanent"
    assert (
        await send_with_answers({**refused, f"RCPT {MULTI_RECIPIENT_EMAIL.to[1]}": "450 full"}, MULTI_RECIPIENT_EMAIL)
    )[0].kind == "temporary"


# Connections to SMTP servers


async def test_consecutive_emails_share_a_connection():
    async with smtp_session() as (server, mailer):
        for n in range(5):
            assert (await mailer.send(replace(EMAIL, message_id=f"id-{n}"))).kind == "sent"
    assert server.connections == 1
    assert [line for line in server.lines if line.startswith(("RSET", "NOOP"))] == []
    assert server.lines[-1] == "QUIT"


async def test_concurrent_emails_use_at_most_the_allowed_connections():
    async with smtp_session(Script(delay=0.01)) as (server, mailer):
        await asyncio.gather(*(mailer.send(replace(EMAIL, message_id=f"id-{n}")) for n in range(20)))
    assert len(server.received) == 20
    assert server.connections == 4


async def test_a_connection_dropped_while_idle_is_replaced():
    async with smtp_session() as (server, mailer):
        await asyncio.gather(*(mailer.send(replace(EMAIL, message_id=f"id-{n}")) for n in range(4)))
        server.hang_up()
        assert (await mailer.send(EMAIL)).kind == "sent"
        await asyncio.sleep(0.05)
        server.hang_up()
        await asyncio.sleep(0.05)
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert len(server.received) == 6


async def test_a_421_on_a_reused_connection_opens_a_new_one():
    async with smtp_session(Script({"MAIL": ["250 ok", "421 too many letters"]})) as (server, mailer):
        assert (await mailer.send(EMAIL)).kind == "sent"
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert server.connections == 2


async def test_a_server_that_disconnects_after_each_email_gets_them_all():
    async with smtp_session(Script(hang_up_after=1)) as (server, mailer):
        outcomes = [(await mailer.send(replace(EMAIL, message_id=f"id-{n}"))).kind for n in range(5)]
    assert outcomes == ["sent"] * 5
    assert len(server.received) == 5


async def test_an_email_of_unknown_outcome_is_not_repeated_by_the_mailer():
    async with smtp_session(Script({"CONTENT": ["250 taken", HANG_UP]})) as (server, mailer):
        await mailer.send(EMAIL)
        assert (await mailer.send(EMAIL)).kind == "unknown"
    assert len(server.received) == 2


async def test_a_cancelled_send_closes_its_connection():
    async with smtp_session(Script({"CONTENT": [SILENCE]}), limits=SmtpLimits(connections=1)) as (server, mailer):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mailer.send(EMAIL), 0.2)
        assert (await mailer.send(EMAIL)).kind == "sent"
        assert server.open_connections == 1


async def test_a_connection_is_reset_after_a_refused_email():
    async with smtp_session(Script({"RCPT": ["550 unknown"]})) as (server, mailer):
        assert (await mailer.send(EMAIL)).kind == "permanent"
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert server.connections == 1
    assert "RSET" in server.lines


async def test_an_idle_connection_is_checked_before_reuse_and_finally_closed():
    async with smtp_session(limits=replace(SHORT_LIMITS, stale=0.05, idle=0.3)) as (server, mailer):
        await mailer.send(EMAIL)
        await asyncio.sleep(0.1)
        await mailer.send(EMAIL)
        assert server.lines.count("RSET") == 1
        await asyncio.sleep(0.8)
        assert server.lines[-1] == "QUIT"
    assert server.connections == 1


async def test_waiting_too_long_for_a_connection_is_temporary():
    async with smtp_session(Script({"MAIL": SILENCE}), limits=SmtpLimits(wait=0.1, command=0.5, connections=1)) as (
        _,
        mailer,
    ):
        first, second = await asyncio.gather(mailer.send(EMAIL), mailer.send(EMAIL))
    assert (first.kind, second.kind) == ("temporary", "temporary")
    assert "sedang dipakai" in second.reason


# TLS, authentication and settings of SMTP


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server_tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trust(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_connection_to_a_trusted_server_is_encrypted(server_tls, trust, tls):
    setting = {"tls": server_tls, "implicit": tls == "implicit", "trust": trust, "query": f"tls={tls}"}
    async with smtp_session(**setting) as (server, mailer):
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert len(server.received) == 1


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_no_email_is_sent_to_a_server_with_an_untrusted_certificate(server_tls, tls):
    setting = {"tls": server_tls, "implicit": tls == "implicit", "query": f"tls={tls}"}
    async with smtp_session(**setting) as (server, mailer):
        outcome = await mailer.send(EMAIL)
        assert outcome.kind == "temporary"
        assert "sertifikat" in outcome.reason
    assert not any(line.startswith("MAIL") for line in server.lines)


async def test_certificates_are_unchecked_only_with_verify_no(server_tls, caplog):
    async with smtp_session(tls=server_tls, query="tls=starttls&verify=no") as (_, mailer):
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert "not checked" in caplog.text


async def test_without_starttls_nothing_is_sent_in_plain_text():
    async with smtp_session(Script(user=("simpul", "rahasia")), query="tls=starttls", user="simpul:rahasia@") as (
        server,
        mailer,
    ):
        outcome = await mailer.send(EMAIL)
        assert outcome.kind == "temporary"
        assert "STARTTLS" in outcome.reason
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.lines)


@pytest.mark.parametrize("kind", ["PLAIN", "LOGIN"])
async def test_the_mailer_authenticates(kind):
    async with smtp_session(Script(user=("simpul", "ra:ha/sia@#"), auth=kind), user="simpul:ra%3Aha%2Fsia%40%23@") as (
        server,
        mailer,
    ):
        assert (await mailer.send(EMAIL)).kind == "sent"
    assert any(line.startswith(f"AUTH {kind}") for line in server.lines)


async def test_a_wrong_password_is_temporary_and_never_shown(caplog):
    caplog.set_level(logging.DEBUG)
    async with smtp_session(Script(user=("simpul", "benar")), user="simpul:sangat-salah@") as (_, mailer):
        outcome = await mailer.send(EMAIL)
    assert outcome.kind == "temporary"
    assert "kata sandi" in outcome.reason
    for shown in (caplog.text, outcome.reason, repr(mailer), repr(mailer.__dict__)):
        assert "sangat-salah" not in shown


async def test_logs_contain_no_recipient(caplog):
    caplog.set_level(logging.DEBUG)
    for answers in ({"RCPT": "550 rahmat@dinas.example unknown"}, {"greeting": "554 no"}, {"CONTENT": HANG_UP}):
        await send_with_answers(answers)
    assert "rahmat@" not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, "starttls", True)),
        ("smtp://mail.example:2525?tls=none", ("mail.example", 2525, "none", True)),
        ("smtp://mail.example?tls=none", ("mail.example", 25, "none", True)),
        ("smtp://mail.example?tls=implicit", ("mail.example", 465, "implicit", True)),
        ("smtps://mail.example?verify=no", ("mail.example", 465, "implicit", False)),
        ("smtp://[::1]:587?tls=starttls", ("::1", 587, "starttls", True)),
    ],
)
def test_the_smtp_url_is_parsed(url, expected):
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.tls, server.verify) == expected


def test_the_password_may_be_given_separately():
    server = parse_smtp_url("smtp://simpul:lama@mail.example", "ba%ru")
    assert (server.user, server.password) == ("simpul", "ba%ru")
    assert "ba%ru" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example?tls=maybe",
        "smtps://mail.example?tls=none",
        "smtp://mail.example?verify=perhaps",
        "smtp://mail.example?verfy=no",
        "smtp://simpul@mail.example",
        "smtp://simpul:ra/ha#sia@mail.example",
        "smtp://simpul:ra#ha@mail.example",
        "smtp://mail.example:ra#ha",
    ],
)
def test_an_invalid_smtp_url_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidSmtpUrl) as refusal:
        parse_smtp_url(url)
    assert "ra" not in str(refusal.value).split()
    assert "mail.example" not in str(refusal.value)


async def test_aiosmtpd_accepts_the_emails():
    class RecordingHandler:
        def __init__(self) -> None:
            self.emails: list[tuple[str, list[str], bytes]] = []

        async def handle_DATA(self, server, session, envelope):  # noqa: N802
            self.emails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
            return "250 taken"

    handler = RecordingHandler()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0) as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=none")
        for _ in range(2):
            assert (await mailer.send(MULTI_RECIPIENT_EMAIL)).kind == "sent"
        await mailer.close()
    assert (
        handler.emails
        == [("simpul@diskominfo.example", list(MULTI_RECIPIENT_EMAIL.to), build_message(MULTI_RECIPIENT_EMAIL))] * 2
    )
