"""Which program produced a result: versions of what matters and a digest of capsim's own sources."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

from capsim import __version__

_PACKAGES = ("numpy", "numba", "simpy", "pyarrow")


@functools.cache
def code_digest() -> str:
    """sha256 (hex, 16 digits) over capsim's Python sources: equal digests mean equal programs."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Version of capsim, of Python and of the packages that figures depend on."""
    found = {"capsim": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        found[name] = metadata.version(name)
    return found
