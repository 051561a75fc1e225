"""Files that appear whole or not at all: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from capsim.errors import CapsimError

#: mark of names that are being written; such files are never read and are removed on resume.
TEMPORARY = ".writing"


class Sink:
    """A file that is being written; `digest` is the sha256 of what was written so far."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self.digest = hashlib.sha256()
        self.closed = False

    def write(self, data: bytes) -> int:
        """Write and hash `data`."""
        self.digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise CapsimError(_explain(self._path, error)) from error
        return len(data)

    def flush(self) -> None:
        """Flush the file below."""
        self._file.flush()

    def tell(self) -> int:
        """Position in the file."""
        return self._file.tell()

    def close(self) -> None:
        """The file below is closed by its owner."""


@contextmanager
def publishing(path: Path) -> Iterator[Sink]:
    """A sink whose bytes go to a temporary file, which is renamed to `path` when the block ends well.

    Raises CapsimError with one clear line when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f"{path.name}{TEMPORARY}-{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            yield Sink(path, file)
            file.flush()
            sync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CapsimError(_explain(path, error)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish_bytes(path: Path, data: bytes) -> str:
    """Publish bytes in memory; returns their sha256."""
    with publishing(path) as sink:
        sink.write(data)
    return sink.digest.hexdigest()


def sync(descriptor: int) -> None:
    """fsync."""
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """sha256 (hex) of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _explain(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"disk full while writing {path}: finished runs are kept; "
            "free some space and repeat with --resume"
        )
    return f"cannot write {path}: {error.strerror or error}"
