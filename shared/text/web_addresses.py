"""Detects web addresses in text of strangers, which must not be emailed in the name of the office.

Not a library: those take "M.Si." for a host in Slovenia, and use regular expressions without a bound on their time. This makes one
pass over the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_GENERIC_DOMAINS = frozenset(
    re.findall(
        r"\w+",
        "app art asia bank best bid biz blog bond buzz cam cash cfd click cloud club co com coop cyou date dev digital download "
        "edu email fit fun game games gdn gov guru help host icu id info ink int invest io link live loan lol love ltd markets "
        "me men mil mobi monster mov name net network news one online org page party pics pro quest racing rest review rocks "
        "sale sbs science shop site social solutions space store stream support tech tickets today tokyo top trade travel vip "
        "vote wang watch web webcam website wiki win work world xin xyz zip zone",
    )
)
_COUNTRY_DOMAINS = frozenset(
    re.findall(
        r"\w+",
        "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv bw by bz ca cc cd "
        "cf cg ch ci ck cl cm cn cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf "
        "gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu ie il im in iq ir is it je jm jo jp ke kg kh ki km kn kp "
        "kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne "
        "nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj "
        "sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg "
        "vi vn vu wf ws ye yt za zm zw",
    )
)
_TITLE_PREFIXES = frozenset({"a", "b", "d", "ec", "m", "md", "s", "tr"})
"""What precedes the dot in an academic title: S.Ag., M.Si., A.Md.Pro., M.Ec.Dev."""
_DEGREE_DOMAINS = frozenset({"ag", "com", "dev", "ma", "md", "pro", "pt", "sc", "si", "sn", "st", "th", "tr"})
"""What follows the dot in a title and is also a top-level domain."""
_TITLES_LIKE_HOSTS = frozenset({"drs.ec", "prof.ir"})
"""Titles that look like a host."""
_CAPITALIZED_TITLES = frozenset(
    re.findall(
        r"\w+",
        "AG Ag BA BE CA GR Gr HT IR Ir IT KH LC Lc MA MD ME MH MM MP MS MT PA PN PT Pt SC Sc SD SE SH SI Si SM SN Sn SP SS ST "
        "SY Sy TH Th TK TR Tr",
    )
)
"""Degrees, titles and offices that are also top-level domains, written after a name without a space: Nurdin.SH."""
_SECOND_LEVEL_DOMAINS = frozenset({"ac", "co", "com", "edu", "go", "gov", "mil", "net", "or", "org"})
"""Second-level domains of countries: example.co.id."""
_SCHEMES = frozenset({"ftp", "http", "https", "hxxp", "hxxps", "javascript", "mailto", "sftp"})
_DOT_LOOKALIKES = frozenset("\u00b7\u0701\u2022\u2027\u2219\u22c5\u3002\u06d4\ua4f8\u16eb")
"""Dots that NFKD does not turn into a full stop."""
_LINK_CHARACTERS = frozenset("/?#:@")
_SLASH_LOOKALIKES, _COLON_LOOKALIKES = frozenset("\u2044\u2215\\"), frozenset("\u02d0\u2236\ua789")
_DISGUISED_DOT = re.compile(r"\[\.\]|\(\.\)|\{\.\}|[\[({](?:dot|titik)[\])}]| dot ", re.IGNORECASE)


def contains_web_address(text: str) -> bool:
    """Return whether the text has a link: with a scheme or "www.", a bare host, or one disguised from filters."""
    normalized = _normalize(text)
    plain = _undisguise(normalized)
    if "://" in plain or ":/ /" in plain:
        return True
    disguised = _DISGUISED_DOT.search(normalized) is not None
    return any(
        _is_link(token.lower(), after, has_title=not disguised and _has_title(before, token, after))
        for before, token, after in _split_candidates(plain)
    )


def _normalize(text: str) -> str:
    """Remove accents and invisible marks, and replace lookalikes of dots, colons and slashes by ASCII."""
    letters = unicodedata.normalize("NFKD", text)
    normalized = "".join(
        _simplify_character(letter) for letter in letters if unicodedata.category(letter) not in ("Cf", "Mn")
    )
    return " ".join(normalized.split())


def _undisguise(normalized: str) -> str:
    """Replace disguised dots by dots, and remove spaces around punctuation."""
    plain = _DISGUISED_DOT.sub(".", normalized)
    # A space before a full stop is only written to deceive a filter.
    return plain.replace(" . ", ".").replace(" .", ".").replace(" :", ":").replace(" /", "/").replace("/ ", "/")


def _simplify_character(letter: str) -> str:
    if letter in _DOT_LOOKALIKES:
        return "."
    if letter in _SLASH_LOOKALIKES:
        return "/"
    return ":" if letter in _COLON_LOOKALIKES else letter


def _split_candidates(plain: str) -> Iterator[tuple[str, str, str]]:
    """Yield each word that may be a host, with the characters before and after it ("" at the ends)."""
    start = 0
    for end in range(len(plain) + 1):
        after = plain[end : end + 1]
        if after and (after.isalnum() or after in ".-"):
            continue
        if end > start:
            yield plain[start - 1 : start] if start else "", plain[start:end].strip(".-"), after
        start = end + 1


def _has_title(before: str, token: str, after: str) -> bool:
    """Return whether this is a name followed by a title, as in Ali.ST or S.Kom.MT, without signs of a link."""
    *names, title = token.split(".")
    plain_names = all(name.replace("-", "").isalpha() for name in names)
    return title in _CAPITALIZED_TITLES and plain_names and before != "@" and after not in _LINK_CHARACTERS


def _is_link(token: str, after: str, *, has_title: bool) -> bool:
    labels = token.split(".")
    if labels[0] in _SCHEMES and after == ":":
        return True
    if len(labels) < 2 or "" in labels[-2:]:
        return False
    if labels[0].startswith("www") and labels[0][3:].strip("0123456789") == "":
        return True
    if len(labels) == 4 and all(label.isdecimal() and len(label) < 4 for label in labels):
        return True
    if (
        len(labels) > 2
        and labels[-2] in _SECOND_LEVEL_DOMAINS
        and labels[-1] in _COUNTRY_DOMAINS
        and labels[-3] not in _TITLE_PREFIXES
    ):
        return True
    return not has_title and _is_host(labels, with_path=after in ("/", "?", "#") and after != "")


def _is_host(labels: list[str], *, with_path: bool) -> bool:
    host, top = labels[-2:]
    if not top.isascii() or top.startswith("xn--"):
        return len(top) > 1
    if host in _TITLE_PREFIXES and top in _DEGREE_DOMAINS:
        return False
    if with_path:
        return top in _GENERIC_DOMAINS or top in _COUNTRY_DOMAINS
    if f"{host}.{top}" in _TITLES_LIKE_HOSTS:
        return False
    return len(host) >= (2 if top in _GENERIC_DOMAINS else 3) and (top in _GENERIC_DOMAINS or top in _COUNTRY_DOMAINS)
