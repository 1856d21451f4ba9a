"""Private files, unencrypted connections and weak secrets.

Each process begins with ``keep_files_private``, so that only its user can read its rows, logs,
journals and databases.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

#: A secret that is shorter or less random could be guessed by anybody who has a signed link.
SIGNING_SECRET_CHARACTERS_MIN = 32
SIGNING_SECRET_DIFFERENT_MIN = 10


def keep_files_private() -> None:
    """From now on this process makes files with mode 0600 and folders with mode 0700."""
    os.umask(0o077)


def private_folder(path: Path) -> Path:
    """Make a folder with mode 0700, or set that mode if it exists; returns its path.

    A folder of another user, such as a mounted volume, keeps its mode.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid == os.getuid():
        path.chmod(0o700)
    return path


def is_this_machine(host: str | None) -> bool:
    """Whether a host name or address is this machine's own (loopback)."""
    if host is None:
        return False
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def goes_in_clear(url: str) -> bool:
    """Whether a URL is unencrypted: http to another machine."""
    parts = urlsplit(url)
    return parts.scheme != "https" and not is_this_machine(parts.hostname)


def weakness_of(signing_secret: str) -> str:
    """Why a secret is too weak to sign links, as the end of a sentence; empty if it is good."""
    if not signing_secret:
        return "is empty"
    if len(signing_secret) < SIGNING_SECRET_CHARACTERS_MIN:
        return f"is shorter than {SIGNING_SECRET_CHARACTERS_MIN} characters"
    if len(set(signing_secret)) < SIGNING_SECRET_DIFFERENT_MIN:
        return "is not random"
    return ""


#: How to make a good secret, for messages that refuse a weak one.
MAKE_A_SECRET = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"
