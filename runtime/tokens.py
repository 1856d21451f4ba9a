"""Tokens for SASL OAUTHBEARER: from a command, or from an OIDC endpoint for client credentials."""

import asyncio
import base64
import json
import shlex
import time
from typing import Any, Final

import httpx
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from runtime.lasting_errors import LastingError
from runtime.settings import Settings, secret_now

#: Seconds until a command or an endpoint must have answered.
ANSWER_SECONDS: Final = 10.0
#: A token is used for this part of its life: the broker has to take it with a clock of its own.
USED: Final = 0.8
_COMMAND: Final = "KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND"
_ENDPOINT: Final = "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"
#: Errors of RFC 6749 by which the endpoint refuses what we are; the others may pass.
_REFUSED: Final = {
    "invalid_client": "check KAFKA_SASL_OAUTHBEARER_CLIENT_ID and _CLIENT_SECRET",
    "unauthorized_client": "allow this client the grant client_credentials",
    "unsupported_grant_type": "allow this client the grant client_credentials",
    "invalid_scope": "check KAFKA_SASL_OAUTHBEARER_SCOPE",
    "invalid_request": "check KAFKA_SASL_OAUTHBEARER_SCOPE",
    "invalid_grant": "check KAFKA_SASL_OAUTHBEARER_CLIENT_ID and _CLIENT_SECRET",
}


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Gives each new connection a token that has not expired."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""
        self._until = 0.0

    async def token(self) -> str:
        """The token in use, or a new one.

        Raises ``LastingError``, or ``KafkaConnectionError`` for what may pass.
        """
        if not self._token or time.time() >= self._until:
            command = self._settings.kafka_sasl_oauthbearer_token_command
            asked = time.time()
            token, seconds = await (_printed(command) if command else self._fetched())
            if not token.isascii() or not token or any(each.isspace() for each in token):
                raise LastingError(f"{_COMMAND if command else _ENDPOINT} gives no token")
            self._token, self._until = token, asked + USED * seconds
        return self._token

    def forget(self) -> None:
        """Get a new one for the next connection: the broker has refused this one."""
        self._token = ""

    def principal(self) -> str:
        """``User:…`` by the token's subject, as Kafka names it by default; or an empty text."""
        subject = claims(self._token).get("sub")
        return f"User:{subject}" if isinstance(subject, str) else ""

    async def _fetched(self) -> tuple[str, float]:
        url = self._settings.kafka_sasl_oauthbearer_token_endpoint_url
        form = {"grant_type": "client_credentials"}
        if scope := self._settings.kafka_sasl_oauthbearer_scope:
            form["scope"] = scope
        signed = httpx.BasicAuth(self._settings.kafka_sasl_oauthbearer_client_id, self._secret())
        try:
            async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
                answer = await client.post(url, data=form, auth=signed)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise KafkaConnectionError(f"{_ENDPOINT}: {url} does not answer: {why}") from error
        return _read(url, answer)

    def _secret(self) -> str:
        known: str = self._settings.kafka_sasl_oauthbearer_client_secret.get_secret_value()
        return secret_now("kafka_sasl_oauthbearer_client_secret") or known


def _read(url: str, answer: httpx.Response) -> tuple[str, float]:
    """The token of an answer, and the seconds that it lives."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    if answer.is_success:
        token = told.get("access_token")
        if not isinstance(token, str):
            raise LastingError(f"{_ENDPOINT}: {url} answers without an access_token")
        seconds = told.get("expires_in")
        is_said = isinstance(seconds, int | float)
        return token, float(seconds or 0) if is_said else life_of(token)
    code = str(told.get("error", ""))[:100]
    said = f"{_ENDPOINT}: {url} answers {answer.status_code} {code}".rstrip()
    if answer.status_code >= 500 or answer.status_code in {408, 429}:
        raise KafkaConnectionError(said)
    raise LastingError(f"{said}: {_REFUSED.get(code, 'check the address and the client')}")


async def _printed(command: str) -> tuple[str, float]:
    """What the command prints; its own errors go to our standard error."""
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise LastingError(f"{_COMMAND} can't be started: {error.strerror}") from None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise KafkaConnectionError(f"{_COMMAND} did not end in {ANSWER_SECONDS:.0f} s") from None
    except BaseException:
        process.kill()
        raise
    if process.returncode != 0:
        raise KafkaConnectionError(f"{_COMMAND} ended with the code {process.returncode}")
    token = printed.decode("utf-8", "replace").strip()
    return token, life_of(token)


def claims(token: str) -> dict[str, Any]:
    """What a JSON Web Token says, unchecked: the broker checks it. Empty for other tokens."""
    try:
        body = token.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def life_of(token: str) -> float:
    """Seconds that a token still lives; 0 if it does not say, so that it is used once."""
    ends = claims(token).get("exp")
    return max(float(ends) - time.time(), 0.0) if isinstance(ends, int | float) else 0.0
