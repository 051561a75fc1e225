"""One writer a run folder: a POSIX record lock, released by the system when its process ends.

Record locks are not inherited by forked workers, so that a worker that outlives its parent blocks nobody.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from capsim.errors import CapsimError


class FolderLock:
    """The lock of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises CapsimError that names the process that holds it."""
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise CapsimError(
                f"another capsim (process {holder}) writes to {self._folder}; wait for it or use --out DIR"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
