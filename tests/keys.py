"""Keys and certificates for one test, made by openssl."""

import base64
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def openssl(*arguments: object) -> bytes:
    """Run openssl; what it wrote."""
    if shutil.which("openssl") is None:
        reason = "no keys and certificates: install openssl"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    command = ["openssl", *(str(each) for each in arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def dkim_key(folder: Path) -> tuple[Path, Callable[..., bytes]]:
    """A private key for the selector s1 of example.org, and DNS as far as DKIM needs it."""
    key = folder / "dkim.pem"
    openssl("genrsa", "-out", key, 2048)
    public = base64.b64encode(openssl("rsa", "-in", key, "-pubout", "-outform", "DER"))

    def dns(name: bytes, timeout: int = 5) -> bytes:
        return b"v=DKIM1; k=rsa; p=" + public if name == b"s1._domainkey.example.org." else b""

    return key, dns
