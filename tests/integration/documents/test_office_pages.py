"""Office documents become pages where LibreOffice is installed; most tests put a program of their own in its place."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from shared.clock import random_id
from shared.documents.folder import FolderDocumentStore
from shared.documents.media_types import DOCX, ODS, XLSX
from shared.documents.rendering.office_converter import OfficeConverter, find_office_program
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import PageRenderer, RenderTimeout, Unrenderable
from shared.documents.sandbox.office_conversion import FOLDER_PREFIX
from tests.support import office_files
from tests.support.paths import REPOSITORY

CONVERTS = """
import sys, pathlib
sys.path.insert(0, {root!r})
from tests.support.services.staff_harness import pdf
source, folder = pathlib.Path(sys.argv[-1]), pathlib.Path(sys.argv[sys.argv.index("--outdir") + 1])
settings = (folder / "profile/user/registrymodifications.xcu").read_text()
assert "DisableMacrosExecution" in settings and "--headless" in sys.argv
log = pathlib.Path({log!r})
log.parent.mkdir(exist_ok=True)
with log.open("a") as lines:
    lines.write(source.name + " " + str(source.stat().st_size) + "\\n")
(folder / "document.pdf").write_bytes(pdf(2))
"""


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


def program(folder: Path, code: str) -> str:
    """Write a program that stands in for LibreOffice."""
    path = folder / "soffice"
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)
    return str(path)


def can_leave_network() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and any(
        subprocess.run([str(unshare), flags, "true"], check=False).returncode == 0 for flags in ("-n", "-rn")
    )


def remains() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"))


async def test_a_document_is_converted_once_and_then_shown_page_by_page(tmp_path: Path):
    log = tmp_path / "log" / "converted"
    converter = OfficeConverter(program(tmp_path, CONVERTS.format(root=str(REPOSITORY), log=str(log))))
    documents, content = FolderDocumentStore(tmp_path, random_id), b"PK any content"
    key = (await documents.put(BytesIO(content), lambda file: DOCX, limit=10**7)).key
    images = PageImageCache(documents, PageRenderer(), converter=converter)
    assert [images.is_renderable(each) for each in (DOCX, XLSX, ODS, "application/zip")] == [True, True, True, False]
    assert len(await images.page_sizes(key, DOCX)) == 2
    assert (await images.render(key, DOCX, 2)).size[0] == 1200
    assert log.read_text() == "document.docx 14\n"


async def test_without_libreoffice_there_are_no_pages(tmp_path: Path):
    images = PageImageCache(FolderDocumentStore(tmp_path, random_id), PageRenderer())
    assert not images.is_renderable(DOCX)


async def test_a_document_that_libreoffice_cannot_read_is_reported(tmp_path: Path):
    with pytest.raises(Unrenderable):
        await OfficeConverter(program(tmp_path, "raise SystemExit(1)")).convert(chunks(b"PK"), DOCX)


async def test_a_conversion_that_hangs_is_stopped_with_all_that_it_started(tmp_path: Path):
    code = f"import subprocess, time; open({str(tmp_path / 'started')!r}, 'w'); subprocess.run(['sleep', '600'])"
    with pytest.raises(RenderTimeout):
        await OfficeConverter(program(tmp_path, code), seconds=4).convert(chunks(b"PK"), DOCX)
    assert (tmp_path / "started").exists()
    assert remains() == []


@pytest.mark.skipif(not can_leave_network(), reason="the system allows no network namespaces")
async def test_a_conversion_has_no_network(tmp_path: Path):
    listed = tmp_path / "devices"
    code = f"open({str(listed)!r}, 'w').write(open('/proc/self/net/dev').read())"
    with pytest.raises(Unrenderable):
        await OfficeConverter(program(tmp_path, code)).convert(chunks(b"PK"), DOCX)
    devices = [line.partition(":")[0].strip() for line in listed.read_text().splitlines() if ":" in line]
    assert devices == ["lo"]


async def test_a_document_that_cannot_be_converted_is_not_tried_at_every_look(tmp_path: Path):
    log = tmp_path / "tries"
    converter = OfficeConverter(program(tmp_path, f"open({str(log)!r}, 'a').write('x')"))
    documents = FolderDocumentStore(tmp_path / "documents", random_id)
    key = (await documents.put(BytesIO(b"PK"), lambda _file: DOCX, limit=100)).key
    images = PageImageCache(documents, PageRenderer(), converter=converter)
    for _ in range(2):
        with pytest.raises(Unrenderable):
            await images.page_sizes(key, DOCX)
        with pytest.raises(Unrenderable):
            await images.render(key, DOCX, 1)
    assert log.read_text() == "x"


@pytest.mark.skipif(find_office_program() is None, reason="LibreOffice is not installed")
async def test_libreoffice_converts_a_document():
    found = find_office_program()
    assert found
    file = office_files.word("kamus.docx", "Kolom dan satuannya.")
    assert (await OfficeConverter(found).convert(chunks(file.content), DOCX)).startswith(b"%PDF")
