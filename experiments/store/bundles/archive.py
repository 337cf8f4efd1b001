"""Archives: written so that equal contents give equal bytes, read as if somebody had made them to do harm.

Nothing is ever unpacked: members are read into memory, within limits that are looked at first.
"""

import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from experiments.machine.files import replacing
from experiments.store.bundles.texts import shown
from experiments.store.schema import StoreError

__all__ = ["Refused", "is_archive", "read", "unsafe", "write"]

START = b"PK\x03\x04"
END = struct.Struct("<4s4H2LH")
"""The end of an archive: signature, numbers of disks and members, size and place of the list of members, comment."""
MEMBER = struct.Struct("<4s5H3L2H")
"""What stands before a member: signature, version, flags, packing, time, date, checksum, two sizes, lengths of the name
and of what is extra."""
END_OF_LARGE, LARGE = b"PK\x06\x07", 20
"""What stands before the end of an archive that has another list of members, for larger ones, and how long it is."""
TIME = (1980, 1, 1, 0, 0, 0)
MODE = stat.S_IFREG | 0o644

MEMBERS = 1_000
LISTING = 2**20
"""Bytes of the list of members."""
BYTES = 2**28
"""Of the archive, and of all members together."""
RATIO, ALWAYS = 300, 2**20
"""How many times smaller than its members an archive may be, once these are larger than `ALWAYS`."""
NAME = 200
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises of archives that are none."""


class Refused(StoreError):
    """It is no archive, or one that nobody should open."""

    def __init__(self, file: Path, why: str) -> None:
        self.why = shown(why)
        super().__init__(f"{file} is no bundle that can be read: {self.why}; ask for it again where it came from")


def is_archive(file: str | Path) -> bool:
    """Whether a file is meant to be one. OSError: it cannot be read."""
    with open(file, "rb") as opened:
        return opened.read(len(START)) == START or Path(file).suffix == ".zip"


def write(file: Path, members: Mapping[str, bytes]) -> None:
    """Write members in the order of their names, with one time and one owner.

    ValueError: a name is not safe, or the archive is one that `read` refuses.
    """
    with replacing(file) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in sorted(members.items()):
                if found := unsafe(name):
                    raise ValueError(f"{name!r} cannot go into a bundle, since it {found}: rename the file")
                info = zipfile.ZipInfo(name, TIME)
                info.create_system, info.external_attr, info.compress_type = 3, MODE << 16, zipfile.ZIP_DEFLATED
                archive.writestr(info, content, compresslevel=9)
        try:
            read(temporary)
        except Refused as refused:
            raise ValueError(f"nobody would read {file}: {refused.why}; bundle a run of fewer cells") from None


def read(file: Path) -> dict[str, bytes]:
    """The members by their names. Refused: it is no archive, or one that nobody should open."""
    size = os.path.getsize(file)
    if size > BYTES:
        raise Refused(file, f"it has {size:,} bytes, more than the {BYTES:,} that are read")
    content = file.read_bytes()
    _check_end(file, content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            found = next(chain(_refusals(infos, size), _hidden(infos, content)), None)
            if found is not None:
                raise Refused(file, found)
            return {info.filename: _member(archive, info) for info in infos}
    except StoreError:
        raise
    except BROKEN as error:
        raise Refused(file, f"it is damaged ({str(error) or type(error).__name__})") from None


def unsafe(name: str) -> str:
    """Why a file of this name is not read or written; '' where it may be."""
    parts = name.split("/")
    if len(name) > NAME:
        return "has too long a name"
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "has an absolute path"
    if ".." in parts:
        return "leaves the folder"
    if not name.isprintable() or set(name) & set('\\:<>"|?*') or not all(part.strip(". ") for part in parts):
        return "has a name that is none everywhere"
    return ""


def _check_end(file: Path, content: bytes) -> None:
    """Refused: something lies before or behind the members and their list, or there are too many of them.

    zipfile would read the whole list of members, however long it is.
    """
    if not content.startswith(START):
        raise Refused(file, "it is not an archive")
    if len(content) < END.size:
        raise Refused(file, "it is cut off")
    signature, _, _, here, members, listing, place, comment = END.unpack(content[-END.size :])
    if signature != b"PK\x05\x06" or comment:
        raise Refused(file, "it is cut off, or something follows its end")
    if max(here, members) > MEMBERS or listing > LISTING:
        raise Refused(file, f"it has {max(here, members):,} members, more than the {MEMBERS:,} that are read")
    if here != members or place + listing + END.size != len(content):
        raise Refused(file, "its list of members is not where it should be")
    if content[-END.size - LARGE :].startswith(END_OF_LARGE):
        raise Refused(file, "it has a second list of members")


def _refusals(infos: list[zipfile.ZipInfo], size: int) -> Iterator[str]:
    """What is wrong with the members, as far as their list tells."""
    if len(infos) > MEMBERS:
        yield f"it has {len(infos):,} members, more than the {MEMBERS:,} that are read"
    total = sum(info.file_size for info in infos)
    if total > BYTES:
        yield f"its members have {total:,} bytes, more than the {BYTES:,} that are read"
    if total > max(ALWAYS, RATIO * size):
        yield f"its members are {total / size:.0f} times as large as it is, as those of a bomb are"
    names: set[str] = set()
    for info in infos:
        shown = repr(info.filename[:NAME])
        if info.orig_filename != info.filename:
            yield f"{shown} hides another name"
        if found := unsafe(info.filename):
            yield f"{shown} {found}"
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
            yield f"{shown} is a link, a folder or a device, and no file"
        if info.flag_bits & 0x41 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield f"{shown} is encrypted, or packed in another way than deflate"
        plain = unicodedata.normalize("NFKC", info.filename).casefold()
        if plain in names:
            yield f"{shown} is there twice"
        names.add(plain)


def _hidden(infos: list[zipfile.ZipInfo], content: bytes) -> Iterator[str]:
    """What another program would unpack otherwise: whoever reads an archive by it has to see what is read here."""
    end = 0
    for info in infos:
        shown = repr(info.filename[:NAME])
        name = info.filename.encode()
        said = MEMBER.unpack_from(content, info.header_offset)
        wanted = info.flag_bits, info.compress_type, info.CRC, info.compress_size, info.file_size, len(name), 0
        if info.extra or info.comment or said[0] != START or (*said[2:4], *said[6:]) != wanted:
            yield f"{shown} is described twice, and not alike"
        begin = info.header_offset + MEMBER.size
        if info.header_offset != end or content[begin : begin + len(name)] != name:
            yield f"{shown} does not lie behind the one before"
        end = begin + len(name) + info.compress_size
    if end != END.unpack(content[-END.size :])[6]:
        yield "something lies behind its members"


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content. Raises one of BROKEN where it is longer or shorter than it should be, or has another checksum."""
    with archive.open(info) as opened:
        content = opened.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise EOFError(f"{info.filename!r} has another size than it says")
    return content
