"""Where backups lie: a folder, or a bucket of an S3-compatible store."""

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from runtime.archive import MANIFEST
from runtime.private_files import goes_in_clear, private_folder
from runtime.settings import WithSecrets, read_settings
from terminal.console import Mistake

try:
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
except ModuleNotFoundError:  # the extra s3
    HAS_S3 = False
else:
    HAS_S3 = True

_SCHEME: Final = "s3"
#: How long a store that does not answer is asked again.
_RETRY: Final = timedelta(seconds=20)


class Store(Protocol):
    """Files by their names, as ``topics/orders/000000.msgpack.zst``. Its text is its address."""

    async def put(self, name: str, raw: bytes) -> None:
        """Write a file, whole or not at all. Raises ``Mistake``."""
        ...

    async def get(self, name: str) -> bytes | None:
        """A file, or ``None`` if there is none. Raises ``Mistake``."""
        ...


class BackupSettings(WithSecrets):
    """Settings of a store for backups that is not a folder.

    Its other variables (``AWS_…``) are read too, such as those of roles.
    """

    aws_endpoint_url: str = Field("", description="The store's address. If it is not set: AWS's.")
    aws_region: str = Field("", description="The region. If it is not set: us-east-1.")
    aws_access_key_id: str = Field("", description="The name of the access key.")
    aws_secret_access_key: SecretStr = Field(SecretStr(""), description="The access key.")
    aws_session_token: SecretStr = Field(SecretStr(""), description="The token of a session.")


def store_at(place: str) -> Store:
    """The store of an address: a folder, or ``s3://bucket/prefix``. Raises ``Mistake``."""
    scheme, found, _ = place.partition("://")
    if not found:
        return Folder(Path(place))
    if scheme != _SCHEME:
        raise Mistake(
            f"{place}: give a folder or s3://bucket/prefix; {scheme}:// is not known", usage=True
        )
    return Bucket(place)


async def check_free(store: Store) -> None:
    """Refuse a place that has a backup, or something else."""
    if isinstance(store, Folder):
        store.check_ours()
    if await store.get(MANIFEST) is not None:
        raise Mistake(f"{store} has a backup already: choose another place for this one")


# --- a folder ------------------------------------------------------------------------------------


class Folder:
    """A folder; it and its files are readable only by their user."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def check_ours(self) -> None:
        """Refuse a folder in which there is something else."""
        try:
            names = {each.name for each in self._path.iterdir()} if self._path.exists() else set()
        except OSError as error:
            raise Mistake(f"{self._path}: {error.strerror}") from None
        if others := sorted(names - {"topics", MANIFEST}):
            raise Mistake(f"{self._path} has {others[0]} in it: choose an empty or a new folder")

    async def put(self, name: str, raw: bytes) -> None:
        """Write a file. Raises ``Mistake``."""
        await asyncio.to_thread(self._put, self._path / name, raw)

    def _put(self, path: Path, raw: bytes) -> None:
        partial = path.with_name(f"{path.name}.partial")
        try:
            for each in (self._path, *reversed(path.relative_to(self._path).parents[:-1])):
                private_folder(self._path / each)
            partial.unlink(missing_ok=True)
            with os.fdopen(
                os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Mistake(
                f"{path} can't be written: {error.strerror}: the backup is not complete"
            ) from None

    async def get(self, name: str) -> bytes | None:
        """A file. Raises ``Mistake``."""
        try:
            return await asyncio.to_thread((self._path / name).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Mistake(f"{self._path / name} can't be read: {error.strerror}") from None


# --- a bucket ------------------------------------------------------------------------------------


class Bucket:
    """A prefix in a bucket, which exists.

    It is asked from a thread: obstore's own coroutines now and then abort the process at its end,
    as what they were made with (pyo3-async-runtimes) calls Python from threads of its own then.
    """

    def __init__(self, place: str) -> None:
        parts = urlsplit(place)
        if not parts.netloc or parts.query or parts.fragment:
            raise Mistake(f"{place}: give s3://bucket/prefix", usage=True)
        self._place = place.rstrip("/")
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/")
        self._store = _s3(self._bucket)

    def __str__(self) -> str:
        return self._place

    async def put(self, name: str, raw: bytes) -> None:
        """Write an object. Raises ``Mistake``."""
        try:
            await asyncio.to_thread(self._store.put, self._path(name), raw)
        except (BaseError, FileNotFoundError) as error:
            raise self._failed(error) from None

    async def get(self, name: str) -> bytes | None:
        """An object. Raises ``Mistake``."""
        try:
            return await asyncio.to_thread(self._get, self._path(name))
        except FileNotFoundError as error:
            # Some stores answer with 404 to a wrong bucket or access key, too.
            if not is_absent(str(error)):
                raise self._failed(error) from None
            return None
        except BaseError as error:
            raise self._failed(error) from None

    def _get(self, path: str) -> bytes:
        return bytes(self._store.get(path).bytes())

    def _path(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _failed(self, error: Exception) -> Mistake:
        return Mistake(f"{self._place}: {problem_in(str(error))}")


#: The codes of S3, and what to do.
_CODES: Final = {
    "NoSuchBucket": "there is no such bucket: make it, or look at AWS_ENDPOINT_URL",
    "InvalidAccessKeyId": "the store does not know the access key: look at AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the access key is wrong: look at AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session has ended: get a new AWS_SESSION_TOKEN",
    "AccessDenied": "the user may not do this: allow it s3:GetObject and s3:PutObject there",
    "PermanentRedirect": "the bucket is in another region: look at AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: look at AWS_REGION",
}


#: What a store says in the XML of an error.
_TOLD: Final = re.compile(r"<(Code|Message)>(.*?)</\1>", re.S)


def is_absent(error: str) -> bool:
    """Whether an error with status 404 says no more than that there is no such object."""
    return _told(error).get("Code", "NoSuchKey") == "NoSuchKey"


def _told(error: str) -> dict[str, str]:
    answer, *_ = error.partition("Debug source:")
    return dict(_TOLD.findall(answer))


def problem_in(error: str) -> str:
    """What to say of an error of the store, in one line."""
    told = _told(error)
    if (code := told.get("Code")) is not None:
        message = " ".join(told.get("Message", "").split()).rstrip(".")
        return f"{_CODES.get(code) or f'the store refuses: {message}'} [{code}]"
    first, *_ = error.partition("\n")
    if "error sending request" in first:
        return "the store does not answer: look at AWS_ENDPOINT_URL and AWS_REGION"
    return first


def _s3(bucket: str) -> Any:
    """A client. Raises ``Mistake`` and ``SettingsError``."""
    if not HAS_S3:
        raise Mistake("for s3:// the extra s3 is needed: pip install 'jointbuy[s3]'", usage=True)
    settings = read_settings(BackupSettings)
    endpoint = settings.aws_endpoint_url
    if endpoint and goes_in_clear(endpoint):
        raise Mistake(
            f"AWS_ENDPOINT_URL: {endpoint} is not encrypted, and a backup has people's addresses:"
            " use https, or a store on this machine"
        )
    given: dict[str, Any] = {
        "endpoint": endpoint,
        "region": settings.aws_region,
        "access_key_id": settings.aws_access_key_id,
        "secret_access_key": settings.aws_secret_access_key.get_secret_value(),
        "session_token": settings.aws_session_token.get_secret_value(),
    }
    config: Any = {name: value for name, value in given.items() if value}
    return S3Store(
        bucket,
        config=config,
        client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "120s"},
        retry_config={"max_retries": 5, "retry_timeout": _RETRY},
    )
