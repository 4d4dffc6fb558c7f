"""Web addresses in text, and names with titles that only look like them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.web_addresses import contains_web_address

LINKS = [
    "Klik https://evil.example/x",
    "HTTP://EVIL.EXAMPLE",
    "hxxps://evil.example",
    "hxxp : / / evil.example",
    "h\u200bttp://evil.example",
    "javascript:alert(1)",
    "mailto:cs@evil.example",
    "www.evil.example",
    "WWW2.evil.example/x",
    "Anda menang, buka evil.com",
    "Anda menang, buka EVIL.COM.",
    "hadiah.xyz",
    "menang-undian.my.id",
    "bit.ly/3xYz",
    "s.id/hadiah",
    "t.ly/abc",
    "wa.me/6281234567890",
    "Budi (evil.com)",
    "cs@evil.com",
    "evil.com:8080",
    "evil.sh?x=1",
    "evil[.]com",
    "evil(.)com",
    "evil[dot]com",
    "evil (dot) com",
    "evil dot com",
    "evil . com",
    "evil .com",
    "evil\u3002com",
    "evil\uff0ecom",
    "evil\u2024com",
    "evil\uff61com",
    "\uff45\uff56\uff49\uff4c\uff0e\uff43\uff4f\uff4d",
    "https\uff1a\uff0f\uff0fevil.example",
    "https:\u2215\u2215evil.example",
    "\u24d4\u24e5\u24d8\u24db.com",
    "e\u00advil.c\u200dom",
    "\u0435vil.com",
    "evil.\u0441\u043e\u043c",
    "\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
    "\u4f8b\u5b50.\u4e2d\u56fd",
    "xn--e1afmkfd.xn--p1ai",
    "192.0.2.7/masuk",
    "buka 192.0.2.7 sekarang",
    "\u00e9vil.c\u00f3m",
    "menang.se",
    "Menang.Sh",
    "menang88.SE",
    "evil.com.MT",
    "evil.co.IT",
    "cs@menang.SE",
    "menang.SE/hadiah",
    "menang.SE?x=1",
    "menang.SE:8080",
    "www.menang.SE",
    "https://menang.SE",
    "menang[.]SE",
    "menang dot SE",
    "menang.SE.xyz",
    "menang.TV",
]

NAMES = [
    "Dr. H. Ahmad, S.Kom., M.T.",
    "St. Nur Aisyah",
    "St.Nur Aisyah",
    "Drs.H.Muh.Rizal,M.Si",
    "Dr.Ir.Hj.Siti Contoh, S.Si., M.Si., Ph.D.",
    "Ahmad,S.Ag,M.Ag",
    "Fatimah, A.Md.Kom.",
    "Fatimah, A.Md.Farm., S.Tr.Keb.",
    "Rina, S.Pt., M.Sc., M.Com., M.Ec.Dev.",
    "Prof.Ir. Budi Contoh",
    "apt. Siti, S.Farm.",
    "Moh. Ali bin Abd.Rahman",
    "N. d'Arc O'Brien-Smith",
    "Kepala Sub Bagian Umum dan Kepegawaian",
    "Kasubbag.Umum/Kepegawaian",
    "Pranata Komputer Ahli Muda (III/d)",
    "Penata Tk.I/III.d",
    "Plt. Kepala Dinas / Sekretaris",
    "Staf TI, Bid. IKP",
    "Dinas Komunikasi, Informatika dan Persandian Kab. Halmahera Timur",
    "UPTD Puskesmas Maba Kota No. 12",
    "Pengelola Data: Statistik",
    "Analis Kebijakan...",
    "\u0130rfan \u0106iri\u0107",
    "",
    ".",
    "...",
    "a.b",
    "Ahmad Rahman.SE",
    "Nurdin.SH",
    "NURDIN.SH,MH",
    "Nurdin.SH.MH.",
    "Ali Usman.ST",
    "Budi Santoso,S.Kom.MT",
    "S.Sos.MM",
    "Arifin, SKM.MM",
    "Arifin.SKM.MKes",
    "S.Hut.MP",
    "Ir.Ali.MT",
    "Drs.KH. Ahmad Contoh",
    "Ahmad Contoh.Lc",
    "Ahmad Contoh.Lc.MA",
    "Rina Contoh.SS",
    "Rina Contoh.SM",
    "Rina Contoh,SE.Ak.CA",
    "Siti Contoh.S.Pd.Gr",
    "Siti Contoh.Gr",
    "Siti .SE",
    "Staf.IT",
    "Kasi.IT",
    "Guru.SD",
    "Panitera.PA",
    "DISHUB.HT",
]


@pytest.mark.parametrize("text", LINKS)
def test_web_addresses_are_detected_in_any_notation(text: str):
    assert contains_web_address(text)


@pytest.mark.parametrize("text", NAMES)
def test_names_with_titles_are_not_web_addresses(text: str):
    assert not contains_web_address(text)


@given(st.text(max_size=300))
def test_any_text_is_accepted_as_input(text: str):
    assert contains_web_address(text) in (True, False)


@given(st.sampled_from(LINKS), st.text("abc ,", max_size=20), st.text("abc ,", max_size=20))
def test_a_web_address_is_detected_between_words(link: str, before: str, after: str):
    assert contains_web_address(f"{before} {link} {after}")


@pytest.mark.parametrize("piece", [".", "a.", " .", "dot ", "[.]", "://", "a.b/", "\u3002", "\ufdfa", "http", "-"])
def test_a_long_text_takes_linear_time(piece: str):
    """Quadratic time would take ten minutes or more: the text has 250,000 characters after NFKD."""
    length = len(unicodedata.normalize("NFKD", piece))
    assert contains_web_address(piece * (250_000 // length)) in (True, False)
