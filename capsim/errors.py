"""The errors that users see. Everything else that escapes is a defect of capsim itself."""

from __future__ import annotations


class CapsimError(Exception):
    """An error with one clear line for the user; the command exits 1."""

    exit_code = 1


class InputError(CapsimError):
    """The input is wrong: the message says where, what is wrong and what to write instead; exit 2."""

    exit_code = 2
