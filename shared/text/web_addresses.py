"""Web addresses in text that a stranger wrote: what must not be mailed on in the name of the office.

Written by hand, in one pass over the text: libraries that find links take "M.Si." for a host of Slovenia, and work with regular
expressions whose time nobody bounds.
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
"""What stands before the dot in an academic title, as in S.Ag., M.Si., A.Md.Pro. and M.Ec.Dev."""
_DEGREE_DOMAINS = frozenset({"ag", "com", "dev", "ma", "md", "pro", "pt", "sc", "si", "sn", "st", "th", "tr"})
"""What stands behind it and is a top-level domain too."""
_TITLES_LIKE_HOSTS = frozenset({"drs.ec", "prof.ir"})
"""Titles that are written like a host."""
_CAPITALIZED_TITLES = frozenset(
    re.findall(
        r"\w+",
        "AG Ag BA BE CA GR Gr HT IR Ir IT KH LC Lc MA MD ME MH MM MP MS MT PA PN PT Pt SC Sc SD SE SH SI Si SM SN Sn SP SS ST "
        "SY Sy TH Th TK TR Tr",
    )
)
"""Degrees, titles and offices that are top-level domains too, as they are written behind a name without a blank: Nurdin.SH."""
_SECOND_LEVEL_DOMAINS = frozenset({"ac", "co", "com", "edu", "go", "gov", "mil", "net", "or", "org"})
"""What a country puts before its own name, as in example.co.id."""
_SCHEMES = frozenset({"ftp", "http", "https", "hxxp", "hxxps", "javascript", "mailto", "sftp"})
_DOT_LOOKALIKES = frozenset("\u00b7\u0701\u2022\u2027\u2219\u22c5\u3002\u06d4\ua4f8\u16eb")
"""Beside those that compatibility normalisation turns into a full stop."""
_LINK_CHARACTERS = frozenset("/?#:@")
_SLASH_LOOKALIKES, _COLON_LOOKALIKES = frozenset("\u2044\u2215\\"), frozenset("\u02d0\u2236\ua789")
_DISGUISED_DOT = re.compile(r"\[\.\]|\(\.\)|\{\.\}|[\[({](?:dot|titik)[\])}]| dot ", re.IGNORECASE)


def contains_web_address(text: str) -> bool:
    """Whether somebody who reads this, or a program that shows it, finds a link in it: with a scheme or "www.", a bare host,
    or one that is written so that it is not found.
    """
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
    """The text without accents and unseen marks, in which dots, colons and slashes are those of ASCII."""
    letters = unicodedata.normalize("NFKD", text)
    normalized = "".join(
        _simplify_character(letter) for letter in letters if unicodedata.category(letter) not in ("Cf", "Mn")
    )
    return " ".join(normalized.split())


def _undisguise(normalized: str) -> str:
    """The same with dots that are dots, and no blanks around signs."""
    plain = _DISGUISED_DOT.sub(".", normalized)
    # Nobody puts a blank before a full stop, unless a filter is to be misled.
    return plain.replace(" . ", ".").replace(" .", ".").replace(" :", ":").replace(" /", "/").replace("/ ", "/")


def _simplify_character(letter: str) -> str:
    if letter in _DOT_LOOKALIKES:
        return "."
    if letter in _SLASH_LOOKALIKES:
        return "/"
    return ":" if letter in _COLON_LOOKALIKES else letter


def _split_candidates(plain: str) -> Iterator[tuple[str, str, str]]:
    """What may be a host, each between the characters before and behind it ("" at the ends)."""
    start = 0
    for end in range(len(plain) + 1):
        after = plain[end : end + 1]
        if after and (after.isalnum() or after in ".-"):
            continue
        if end > start:
            yield plain[start - 1 : start] if start else "", plain[start:end].strip(".-"), after
        start = end + 1


def _has_title(before: str, token: str, after: str) -> bool:
    """Whether this is a name with a title behind it, as in Ali.ST or S.Kom.MT, and nothing that only a link has."""
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
