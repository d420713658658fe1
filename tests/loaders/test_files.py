import gzip

import pytest

from neurolatent.loaders.files import read_text
from tests.recording.refusals import refuses


def written(folder, content, name="a.txt"):
    (folder / name).write_bytes(content)
    return folder / name


def test_plain_gzip_and_marked_text(tmp_path):
    assert read_text(written(tmp_path, "ä\n".encode())) == "ä\n"
    assert read_text(written(tmp_path, gzip.compress(b"a\n"), "a.gz")) == "a\n"
    assert read_text(written(tmp_path, gzip.compress(b"a\n"), "unmarked.txt")) == "a\n"
    assert read_text(written(tmp_path, b"\xef\xbb\xbfa\n")) == "a\n"


WHOLE = gzip.compress(b"1 2 3\n" * 1000)
REFUSED = {
    "cut short": ("a.gz", WHOLE[:-12], ["a.gz", "gzip", "cut short or damaged", "Copy or download it again"]),
    "cut in the head": ("a.gz", WHOLE[:5], ["a.gz", "cut short or damaged"]),
    "damaged": ("a.gz", WHOLE[:15] + b"\xff\x00\xff" + WHOLE[18:], ["a.gz", "cut short or damaged"]),
    "wrong sum": ("a.gz", WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:], ["a.gz", "cut short or damaged"]),
    "not gzip": ("a.gz", b"1 2 3\n", ["a.gz", "not gzip"]),
    "empty": ("a.txt", b"", ["a.txt", "empty", "again"]),
    "blank": ("a.txt", b"\n \n", ["a.txt", "empty"]),
    "empty inside": ("a.gz", gzip.compress(b""), ["a.gz", "empty"]),
    "latin": ("a.txt", "ok\nn\xe4chste\n".encode("latin-1"), ["a.txt", "line 2", "0xe4", "UTF-8"]),
    "utf-16": ("a.txt", "a,b\n".encode("utf-16"), ["a.txt", "UTF-16", "UTF-8"]),
    "binary": ("a.txt", b"abc\0\1\2", ["a.txt", "not text", "position 3"]),
}


@pytest.mark.parametrize(("name", "content", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path, name, content, words):
    with refuses(*words):
        read_text(written(tmp_path, content, name))


def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = written(tmp_path, b"a")
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with refuses("a.txt", "denied", "permissions"):
        read_text(path)
