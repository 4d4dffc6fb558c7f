"""Generate deploy/Caddyfile, the configuration of the gateway, from the table of paths."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from shared.web.api.problems import PROBLEM_MEDIA_TYPE, TITLES, UNAVAILABLE_DETAIL
from shared.web.http.protocol import MAX_HEAD_BYTES
from shared.web.http.server import KEEP_ALIVE_SECONDS
from shared.web.views.words import load_words
from simpul.registry import SERVICE_NAMES
from simpul.routing import DEFAULT_SERVICE, PATH_PREFIXES

OUTPUT_PATH = Path(__file__).parents[2] / "deploy" / "Caddyfile"
CONTAINER_PORT = 8000
"""The port of each service in its container."""

HEADER = f"""\
# Generated from simpul/routing.py by `make docs`.
#
# GATEWAY_SITE  the address: ":80", or a name such as simpul.haltim.example, which enables TLS
# GATEWAY_TLS   a directive for that name, if its certificate does not come from a public authority:
#               "tls internal", or "tls /certificates/site.pem /certificates/site.key"
{{
	servers {{
		protocols h1 h2
		max_header_size {MAX_HEAD_BYTES // 1024}KB
		timeouts {{
			read_header 20s
			idle 2m
		}}
	}}
}}

# Common to all services. Live streams stay open, so the process with the fewest requests gets the next one. A process that refuses
# connections is skipped. Idle connections are closed before the service closes them.
(processes) {{
	lb_policy least_conn
	lb_try_duration 10s
	fail_duration 5s
	transport http {{
		dial_timeout 2s
		keepalive {KEEP_ALIVE_SECONDS - 10}s
	}}
}}

{{$GATEWAY_SITE::80}} {{
	{{$GATEWAY_TLS}}
	header -Server

	# Prometheus scrapes each process directly.
	handle /metrics {{
		respond 404
	}}
"""

ERROR_PAGE_STYLE = (
    "body{max-width:38rem;margin:15vh auto;padding:0 1rem;background:#f1f5f6;color:#0f232c}"
    "body{font:1.0625rem/1.55 system-ui,sans-serif}"
    "h1{font-size:1.75rem;line-height:1.2}@media(prefers-color-scheme:dark){body{background:#0a1418;color:#e7eff2}}"
)
"""The style of the error page, which cannot use the style sheet of an unavailable service."""

ERROR_HANDLER = """\

	# No process is available: a page for people, a problem document for programs.
	handle_errors {
		header -Server
		header Cache-Control no-store
		header Retry-After 5
		header X-Content-Type-Options nosniff
		header Content-Security-Policy "%(policy)s"
		handle /api/* {
			header Content-Type %(media_type)s
			respond `%(problem)s`
		}
		handle {
			header Content-Type "text/html; charset=utf-8"
			respond `%(page)s`
		}
	}
"""

FOOTER = """\

# For the health check of the container.
:2020 {
	bind 127.0.0.1
	respond ok
}

# The page of Mailpit (profile "mailpit"); published on this machine only.
:8025 {
	reverse_proxy mailpit:8025
}
"""


def render_caddyfile() -> str:
    """The text of the file. Caddy passes `text/event-stream` on unbuffered and closes streams whose client has gone."""
    handlers = (_service_handler(name) for name in sorted(SERVICE_NAMES, key=lambda name: name == DEFAULT_SERVICE))
    return "\n".join([HEADER, *handlers]) + _error_handler() + "}\n" + FOOTER


def _error_handler() -> str:
    digest = base64.b64encode(hashlib.sha256(ERROR_PAGE_STYLE.encode()).digest()).decode()
    words = load_words("shared.web.views").away
    page = (
        f'<!doctype html><html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{words.title}</title><style>{ERROR_PAGE_STYLE}</style><h1>{words.title}</h1><p>{words.text}</p><p>{words.sent}</p>"
    )
    problem = json.dumps(
        {"type": "about:blank", "title": TITLES[503], "detail": UNAVAILABLE_DETAIL}, ensure_ascii=False
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return ERROR_HANDLER % {"policy": policy, "media_type": PROBLEM_MEDIA_TYPE, "problem": problem, "page": page}


def _service_handler(service: str) -> str:
    if service == DEFAULT_SERVICE:
        return _reverse_proxy("handle", service)
    paths = " ".join(f"{prefix} {prefix}/*" for prefix in _prefixes(service))
    return f"\t@{service} path {paths}\n" + _reverse_proxy(f"handle @{service}", service)


def _reverse_proxy(handle: str, service: str) -> str:
    # `--scale` adds and removes processes, so their addresses are resolved again every two seconds.
    lines = (
        f"\t{handle} {{",
        "\t\treverse_proxy {",
        f"\t\t\tdynamic a {service} {CONTAINER_PORT} {{",
        "\t\t\t\trefresh 2s",
        "\t\t\t}",
        "\t\t\timport processes",
        "\t\t}",
        "\t}",
    )
    return "\n".join(lines) + "\n"


def _prefixes(service: str) -> Iterator[str]:
    return (prefix for prefix, name in PATH_PREFIXES.items() if name == service)


def main() -> None:
    OUTPUT_PATH.parent.mkdir(exist_ok=True)
    OUTPUT_PATH.write_text(render_caddyfile(), encoding="utf-8")
    print(f"written: {OUTPUT_PATH.relative_to(OUTPUT_PATH.parents[1])}")


if __name__ == "__main__":
    main()
