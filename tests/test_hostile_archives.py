"""Archives that somebody made to do harm: refused in a line, and nothing of them is on disk afterwards."""

import io
import os
import random
import stat
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from bundles import members, tiny

from experiments.store import StoreError, load
from experiments.store.bundles import archive

MUTATIONS = 1_000
LINK, DEVICE, FOLDER = stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFDIR | 0o755


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> bytes:
    return tiny(tmp_path_factory.mktemp("bundle")).read_bytes()


@pytest.fixture
def alone(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder to work in, beside one for temporary files; afterwards there is nothing new in either, or above."""
    work, temporary = tmp_path / "above" / "work", tmp_path / "above" / "temporary"
    for folder in (work, temporary):
        folder.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield work
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert found == {"above", "above/work", "above/temporary", "above/work/given.zip"}


def with_member(made: bytes, name: str, content: bytes = b"x", mode: int = stat.S_IFREG | 0o644, **packed) -> bytes:
    """The archive with a further member, as zipfile writes anything."""
    buffer = io.BytesIO(made)
    with zipfile.ZipFile(buffer, "a") as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        opened.writestr(info, content, **packed)
    return buffer.getvalue()


def patched(made: bytes, offset: int, form: str, *values: int) -> bytes:
    """The archive with numbers written into the entry of its first member in the list, or into its end."""
    content = bytearray(made)
    struct.pack_into(form, content, offset, *values)
    return bytes(content)


def listing(made: bytes) -> int:
    """Where the list of members begins."""
    return struct.unpack_from("<L", made, len(made) - 6)[0]


def hidden(made: bytes) -> bytes:
    """A name that ends, for zipfile, at a zero byte."""
    return with_member(made, "plugins/1/a.pyZ").replace(b"a.pyZ", b"a.py\0")


def extra(made: bytes) -> bytes:
    """The archive with a member that others know by another name (Info-ZIP's field of a name in Unicode)."""
    info = zipfile.ZipInfo("plugins/1/other.py")
    name = struct.pack("<BL", 1, zlib.crc32(info.filename.encode())) + b"LICENSE.txt"
    info.extra, info.external_attr = struct.pack("<HH", 0x7075, len(name)) + name, (stat.S_IFREG | 0o644) << 16
    buffer = io.BytesIO(made)
    with zipfile.ZipFile(buffer, "a") as opened:
        opened.writestr(info, b"x")
    return buffer.getvalue()


def many(made: bytes) -> bytes:
    """The archive with a thousand members more."""
    buffer = io.BytesIO(made)
    with zipfile.ZipFile(buffer, "a") as opened:
        for number in range(1_000):
            opened.writestr(f"{number}", b"")
    return buffer.getvalue()


def second_list(made: bytes) -> bytes:
    """The archive with the records of a larger one (ZIP64) at the end of its list, whose figures zipfile takes."""
    place, count = listing(made), struct.unpack_from("<H", made, len(made) - 12)[0]
    size = len(made) - 22 - place
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, place)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place + size, 1)
    return patched(made[:-22] + record + locator + made[-22:], len(made) + 76 - 10, "<L", size + 76)


WICKED = {
    "a path that leaves": (lambda made: with_member(made, "../evil"), "leaves the folder"),
    "one that does so later": (lambda made: with_member(made, "plugins/../../evil"), "leaves the folder"),
    "an absolute path": (lambda made: with_member(made, "/tmp/evil"), "has an absolute path"),
    "one of Windows": (lambda made: with_member(made, "C:evil"), "has an absolute path"),
    "its separators": (lambda made: with_member(made, "plugins\\evil"), "a name that is none everywhere"),
    "an empty part": (lambda made: with_member(made, "plugins//evil"), "a name that is none everywhere"),
    "a control character": (lambda made: with_member(made, "plugins/\x1b[2J"), "a name that is none everywhere"),
    "a long name": (lambda made: with_member(made, "x" * 5_000), "has too long a name"),
    "a hidden name": (hidden, "hides another name"),
    "a link": (lambda made: with_member(made, "plugins/a", b"/etc/passwd", LINK), "is a link, a folder or a device"),
    "a device": (lambda made: with_member(made, "plugins/a", b"", DEVICE), "is a link, a folder or a device"),
    "a folder": (lambda made: with_member(made, "plugins/a", b"", FOLDER), "is a link, a folder or a device"),
    "a name twice": (lambda made: with_member(made, "LICENSE"), "is there twice"),
    "but for the case": (lambda made: with_member(made, "license"), "is there twice"),
    "a bomb": (lambda made: with_member(made, "a", b"\0" * 2**24, compress_type=8), "as those of a bomb are"),
    "bzip2": (lambda made: with_member(made, "a", b"x", compress_type=12), "packed in another way than deflate"),
    "a password": (lambda made: patched(made, listing(made) + 8, "<H", 1), "is encrypted"),
    "a size above": (lambda made: patched(made, listing(made) + 24, "<L", 99), "is described twice, and not alike"),
    "a size below": (lambda made: patched(made, listing(made) + 24, "<L", 3), "is described twice, and not alike"),
    "sizes above": (lambda made: patched(patched(made, listing(made) + 24, "<L", 99), 22, "<L", 99), "it is damaged"),
    "less for others": (lambda made: patched(made, 14, "<LLL", 1, 2, 3), "is described twice, and not alike"),
    "another name for others": (extra, "is described twice, and not alike"),
    "a huge size": (lambda made: patched(made, listing(made) + 24, "<L", 2**31), "more than the 268,435,456 that are"),
    "members counted": (lambda made: patched(made, len(made) - 14, "<HH", 60_000, 60_000), "it has 60,000 members"),
    "a list of gigabytes": (lambda made: patched(made, len(made) - 10, "<L", 2**31), "members, more than"),
    "something before": (lambda made: b"#!/bin/sh\n" + made, "it is not an archive"),
    "something behind": (lambda made: made + b"x", "something follows its end"),
    "a gap": (lambda made: made[:-22] + b"x" + made[-22:], "its list of members is not where it should be"),
    "a second list": (second_list, "it has a second list of members"),
    "a wrong count": (lambda made: patched(many(made), len(many(made)) - 14, "<HH", 5, 5), "it has 1,014 members"),
    "cut off": (lambda made: made[:-1], "it is cut off"),
    "half of it": (lambda made: made[: len(made) // 2], "it is cut off"),
    "ten bytes": (lambda made: made[:10], "it is cut off"),
    "nothing": (lambda made: b"", "it is not an archive"),
    "a text": (lambda made: b"PK\x03\x04 is how archives begin", "it is cut off"),
}


@pytest.mark.parametrize(("harm", "told"), WICKED.values(), ids=WICKED)
def test_what_would_do_harm_is_refused_with_the_reason(made, alone, harm, told):
    (alone / "given.zip").write_bytes(harm(made))
    with pytest.raises(StoreError) as refused:
        load("given.zip")
    assert told in str(refused.value) and str(refused.value).isprintable(), refused.value


def test_many_members_and_a_large_file_are_refused_before_they_are_read(made, alone, monkeypatch):
    monkeypatch.setattr(archive, "MEMBERS", 3)
    (alone / "given.zip").write_bytes(made)
    with pytest.raises(StoreError, match="it has 14 members, more than the 3 that are read"):
        load("given.zip")
    os.truncate(alone / "given.zip", 2**40)  # of holes
    with pytest.raises(StoreError, match="it has 1,099,511,627,776 bytes"):
        load("given.zip")


def test_what_nobody_would_read_is_not_written(made, alone, monkeypatch, tmp_path):
    (alone / "given.zip").write_bytes(made)
    found = members(alone / "given.zip")
    monkeypatch.setattr(archive, "BYTES", 2_000)
    with pytest.raises(ValueError, match=r"nobody would read given\.zip: .* bytes, more than the 2,000 .* fewer cells"):
        archive.write(Path("given.zip"), found)
    assert (alone / "given.zip").read_bytes() == made


def mutated(made: bytes, chance: random.Random) -> bytes:
    """Bytes changed, removed, repeated or put in, anywhere or where the members are listed."""
    content = bytearray(made)
    for _ in range(chance.choice([1, 1, 2, 8])):
        first = chance.choice([0, listing(made), max(0, len(content) - 60)])
        place = chance.randrange(min(first, len(content) - 1), len(content))
        end = min(len(content), place + chance.choice([1, 2, 4, 30, 300]))
        kind = chance.randrange(6)
        if kind == 0:
            content[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            content[place:end] = chance.randbytes(end - place)
        elif kind == 2:
            del content[place:end]
        elif kind == 3:
            content[place:place] = content[place:end]
        elif kind == 4:
            content[place:end] = chance.choice([b"\xff", b"\0"]) * (end - place)
        elif len(content) > 60:
            del content[place:]
        content = content or bytearray(b"P")
    return bytes(content)


def test_a_thousand_mutated_archives_are_refused_in_a_line_without_a_trace(made, alone):
    """What is still read has the contents that it had: dates and attributes are nobody's."""
    chance, read = random.Random(1), 0
    given, contents = alone / "given.zip", members_of(made)
    for number in range(MUTATIONS):
        content = mutated(made, chance)
        given.write_bytes(content)
        try:
            load(given)
        except StoreError as error:
            assert str(error).isprintable() and len(str(error)) < 5_000, (number, error)
            continue
        if content != made:
            read += 1
            assert members(given) == contents, number
    assert read < MUTATIONS / 10


def members_of(made: bytes) -> dict[str, bytes]:
    """Read by hand, from memory."""
    with zipfile.ZipFile(io.BytesIO(made)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}
