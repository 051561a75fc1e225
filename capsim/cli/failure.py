"""How a command ends when something is wrong: clear lines on stderr, never a traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from capsim.errors import CapsimError, StudyError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def report(error: BaseException) -> int:
    """Say on stderr what went wrong; the exit code of the command."""
    if isinstance(error, StudyError):
        _say(str(error))
        count = len(error.problems)
        _say(f"capsim: {count} problem{'s' if count != 1 else ''}")
        return error.exit_code
    if isinstance(error, CapsimError):
        _say(f"capsim: {error}")
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        _say("capsim: interrupted")
        return 130
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        _say(f"capsim: cannot write {error.filename or 'the output'}: {error.strerror}")
        return 1
    reason = str(error).strip().splitlines()
    line = f"{type(error).__name__}: {reason[0]}" if reason else type(error).__name__
    _say(f"capsim: stopped by an unexpected {line[:300]} (details in {_write_log(error)})")
    return 1


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(text.encode("utf-8", "replace").decode("utf-8"), file=sys.stderr)


def _write_log(error: BaseException) -> str:
    """Keep the traceback in a file of the user's state folder; the file's name."""
    text = "".join(traceback.format_exception(error))
    text = f"capsim {' '.join(sys.argv[1:])}\npython {sys.version}\n\n{text}"
    home = os.environ.get("XDG_STATE_HOME")
    folders = [Path(home) if home else Path("~/.local/state").expanduser(), Path(tempfile.gettempdir())]
    for folder in folders:
        with contextlib.suppress(OSError):
            target = folder / "capsim"
            target.mkdir(parents=True, exist_ok=True)
            path = target / time.strftime("failure-%Y%m%d-%H%M%S.log")
            path.write_text(text, encoding="utf-8", errors="replace")
            return str(path)
    return "no file: nothing could be written"
