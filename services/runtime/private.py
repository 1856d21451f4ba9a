"""What stays private on this machine: files and folders, and what goes over the network in clear.

Each process begins with ``keep_files_private``, so that rows, logs, journals and databases are
readable by its user alone.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

#: Shorter or poorer, and a signature could be tried out from a link that somebody was sent.
SIGNING_SECRET_CHARACTERS_MIN = 32
SIGNING_SECRET_DIFFERENT_MIN = 10


def keep_files_private() -> None:
    """From now on this process makes files with mode 0600 and folders with mode 0700."""
    os.umask(0o077)


def private_folder(path: Path) -> Path:
    """Make a folder, or close one that others could read; the path again.

    A folder of another user, a mounted volume for example, keeps the mode that it has.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid == os.getuid():
        path.chmod(0o700)
    return path


def is_this_machine(host: str | None) -> bool:
    """Whether a host name or address is of the loopback range."""
    if host is None:
        return False
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def goes_in_clear(url: str) -> bool:
    """Whether what is sent to this address can be read on the way: http to another machine."""
    parts = urlsplit(url)
    return parts.scheme != "https" and not is_this_machine(parts.hostname)


def weakness_of(signing_secret: str) -> str:
    """What is wrong with a secret that signs links, as the end of a sentence; empty if nothing."""
    if not signing_secret:
        return "is empty"
    if len(signing_secret) < SIGNING_SECRET_CHARACTERS_MIN:
        return f"is shorter than {SIGNING_SECRET_CHARACTERS_MIN} characters"
    if len(set(signing_secret)) < SIGNING_SECRET_DIFFERENT_MIN:
        return "is not random"
    return ""


#: How to get a good one, for the messages of those who refuse a weak one.
MAKE_A_SECRET = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"
