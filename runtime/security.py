"""How every Kafka client of a process connects: TLS, SASL, and why a broker does not let it in.

aiokafka keeps the files and the password that a client began with, and only logs why a connection
fails. So ``install`` puts a function of ours in the place of the one by which it connects. The
function gives each new connection the files as they are now. It finds out which setting is wrong
when a broker refuses, and says so in a line. A client that begins raises that line. A client that
was connected goes on trying, and ``Access.refusal`` tells it to the watch, which ends the process.
"""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any, Final

import structlog
from aiokafka import client as aiokafka_client
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest

from runtime import acls
from runtime.lasting_errors import LastingError
from runtime.security_rules import principal_of, tls_context, tls_files, uses_sasl, uses_tls
from runtime.settings import Settings, secret_now
from runtime.tokens import Tokens

#: Seconds for the look at what a listener speaks.
LOOK_SECONDS: Final = 2.0
_BOTH: Final = "SSL or SASL_SSL"
#: How a listener with SASL answers a handshake: this mechanism it has, or other ones.
_SASL_ANSWERS: Final = (0, UnsupportedSaslMechanismError.errno)
_REFUSED_SIGN_IN: Final = (SaslAuthenticationFailed, AuthenticationFailedError)
_REFUSED_WAY: Final = (UnsupportedSaslMechanismError, AuthenticationMethodNotSupported)
_log = structlog.get_logger()


class Access:
    """How the clients of a process reach the cluster; one for equal settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tls: ssl.SSLContext | None = None
        self._seen: tuple[object, ...] = ()
        self._tokens: Tokens | None = None
        self._password = settings.kafka_sasl_password.get_secret_value()
        self._refused: dict[str, LastingError] = {}
        #: Why the last try to connect failed; empty after one that did not.
        self.why = ""
        if settings.kafka_sasl_mechanism == "OAUTHBEARER":
            self._tokens = Tokens(settings)
        acls.US.principal = principal_of(settings)
        acls.US.servers = settings.kafka_bootstrap_servers

    @property
    def refusal(self) -> LastingError | None:
        """Why a broker does not let us in, if trying again can't help."""
        return next(iter(self._refused.values()), None)

    def options(self) -> dict[str, Any]:
        """The options of any client of aiokafka."""
        return {
            "security_protocol": self._settings.kafka_security_protocol,
            # It hands this unread to the function that connects, which is ours: see ``install``.
            "ssl_context": self,
            "sasl_mechanism": self._settings.kafka_sasl_mechanism or "PLAIN",
            "sasl_plain_username": self._settings.kafka_sasl_username,
            "sasl_plain_password": self._password,
            "sasl_oauth_token_provider": self._tokens,
        }

    # --- connecting ------------------------------------------------------------------------------

    async def connect(self, host: str, port: int, **options: Any) -> AIOKafkaConnection:
        """A new connection, with the files of now.

        Raises ``LastingError`` for a client that begins.
        """
        given = options | {"ssl_context": self.tls(), "sasl_plain_password": self._password_now()}
        connection = _Connection(self, host, port, **given)
        try:
            await connection.connect()
        except Exception as error:
            if (told := await self.judged(connection, error)) is None:
                raise
            raise told from error
        if uses_sasl(self._settings):
            self.came_in(connection)
        return connection

    def tls(self) -> ssl.SSLContext | None:
        """The TLS of new connections; files that were replaced are read anew.

        While they can't be used, as the key is not yet the new certificate's, the old ones count.
        """
        if not uses_tls(self._settings):
            return None
        seen = tuple(_state(path) for path in tls_files(self._settings))
        if self._tls is None or seen != self._seen:
            try:
                fresh = tls_context(self._settings, secret_now("kafka_ssl_key_password"))
            except ValueError as error:
                if self._tls is None:
                    raise LastingError(str(error)) from None
                _log.warning("the files of TLS can't be used; the old ones are", error=str(error))
            else:
                if self._tls is not None:
                    _log.info("the files of TLS are read anew")
                    acls.US.principal = principal_of(self._settings)
                self._tls, self._seen = fresh, seen
        return self._tls

    def _password_now(self) -> str:
        if uses_sasl(self._settings) and self._tokens is None:
            self._password = secret_now("kafka_sasl_password") or self._password
        return self._password

    # --- what became of it -----------------------------------------------------------------------

    def came_in(self, connection: "_Connection") -> None:
        """Note that the broker has let a connection in."""
        self.why = ""
        self._refused.pop(connection.address, None)
        if self._tokens is not None:
            acls.US.principal = self._tokens.principal()

    async def judged(self, connection: "_Connection", error: Exception) -> Exception | None:
        """What to raise for a connection that is refused; ``None`` if the error may pass.

        aiokafka tries again after its own errors.
        """
        refusal = await self._refusal_of(connection, error)
        self.why = str(refusal or error) or type(error).__name__
        if refusal is None:
            return None
        self._refused[connection.address] = refusal
        if self._tokens is not None:
            self._tokens.forget()
        return refusal if connection.begins else KafkaConnectionError(str(refusal))

    async def _refusal_of(self, connection: "_Connection", error: Exception) -> LastingError | None:
        told = refusal_of(error, connection.address, self._settings)
        if told is None and is_closed(error):
            spoken = await spoken_at(connection.host, connection.port, self.tls())
            told = other_protocol(spoken, connection.address, self._settings)
        return told


class _Connection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """A connection that says why it failed."""

    def __init__(self, access: Access, host: str, port: int, **options: Any) -> None:
        super().__init__(host, port, **options)
        self.address = f"{host}:{port}"
        #: Only connections of a client that is connected tell it when they close.
        self.begins = options.get("on_close") is None
        self._access = access
        self._is_in = uses_sasl(access._settings)
        self._is_open = False

    async def connect(self) -> Any:
        """Connect and sign in."""
        opened = await super().connect()
        self._is_open = True
        return opened

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Send a request; the first answer behind the greeting proves that we may come in."""
        answer = super().send(request, expect_response)
        if self._is_in or not self._is_open or not expect_response:
            return answer
        return self._first(answer)

    async def _first(self, answer: Any) -> Any:
        try:
            told = await answer
        except KafkaConnectionError as error:
            if (refused := await self._access.judged(self, error)) is None:
                raise
            raise refused from error
        if not self._is_in:
            self._is_in = True
            self._access.came_in(self)
        return told

    def authenticator_oauth(self) -> "_TokenSender":
        """Ours, which hears a refusal."""
        return _TokenSender(sasl_oauth_token_provider=self._sasl_oauth_token_provider)


class _TokenSender(OAuthAuthenticator):  # type: ignore[misc]  # aiokafka has no types
    """Sends the token. aiokafka's takes the broker's refusal for a yes (RFC 7628, 3.2.3)."""

    async def step(self, payload: bytes | None) -> Any:
        """The next bytes to send, or ``None`` when we are in."""
        if payload:
            # The broker tells the reason, and its error when it gets this.
            return b"\x01", True
        return await super().step(payload)


def access_of(settings: Settings) -> Access:
    """The way to the cluster of these settings; the same for all clients of a process."""
    key = (
        settings.kafka_bootstrap_servers,
        *(
            getattr(settings, name)
            for name in Settings.model_fields
            if name.startswith(("kafka_security", "kafka_sasl", "kafka_ssl"))
        ),
    )
    if (known := _KNOWN.get(key)) is None:
        known = _KNOWN[key] = Access(settings)
    return known


_KNOWN: Final[dict[tuple[object, ...], Access]] = {}


def _state(path: Any) -> object:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino


# --- why a broker does not let us in -------------------------------------------------------------


def refusal_of(error: BaseException, at: str, settings: Settings) -> LastingError | None:
    """The line for an error by which a broker does not let us in; ``None`` if it may pass."""
    for each in _chain(error):
        line = ""
        if isinstance(each, LastingError):
            return each
        if isinstance(each, ssl.SSLCertVerificationError):
            line = _of_certificate(each, at)
        elif isinstance(each, ssl.SSLError):
            line = _of_tls(each, at, settings)
        elif isinstance(each, KafkaError):
            line = _of_sasl(each, at, settings)
        elif isinstance(each, ValueError | KeyError) and uses_sasl(settings):
            # What SCRAM raises when the broker does not prove that it knows the password too.
            line = f"the broker at {at} answers {settings.kafka_sasl_mechanism} wrongly: {each}"
        if line:
            return LastingError(line)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.append(each)
        yield each
        each = each.__cause__ or each.__context__


def _of_certificate(error: ssl.SSLCertVerificationError, at: str) -> str:
    said = " ".join(error.verify_message.split()).rstrip(".")
    advice = "set KAFKA_SSL_CA_LOCATION to the CA that signed it"
    if "mismatch" in said.lower():
        advice = (
            "connect by a name that it has, correct advertised.listeners, or set"
            " KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM=none"
        )
    elif "expired" in said or "not yet valid" in said:
        advice = "renew the broker's certificate or its CA, and check this machine's clock"
    return f"the certificate of the broker at {at} is refused: {said}: {advice}"


def _of_tls(error: ssl.SSLError, at: str, settings: Settings) -> str:
    reason = error.reason or ""
    if "ALERT" not in reason:
        return ""
    said = reason.partition("ALERT_")[2].replace("_", " ").lower()
    if "PROTOCOL_VERSION" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"the broker at {at} ends the TLS handshake: {said}: allow TLS 1.2 or 1.3 there"
    if settings.kafka_ssl_certificate_location is None:
        return (
            f"the broker at {at} wants a client certificate: set KAFKA_SSL_CERTIFICATE_LOCATION and"
            f" KAFKA_SSL_KEY_LOCATION ({said})"
        )
    return (
        f"the broker at {at} refuses our certificate: {said}: check KAFKA_SSL_CERTIFICATE_LOCATION,"
        " and that the broker trusts its CA"
    )


def _of_sasl(error: KafkaError, at: str, settings: Settings) -> str:
    mechanism = settings.kafka_sasl_mechanism
    said = " ".join(" ".join(map(str, error.args)).split())
    if isinstance(error, _REFUSED_SIGN_IN):
        advice = "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
        if mechanism == "OAUTHBEARER":
            advice = "check where the token comes from: its issuer, audience and scope"
        return f"the broker at {at} refuses our {mechanism} credentials: {advice} ({said})"
    if isinstance(error, _REFUSED_WAY):
        return f"the broker at {at} has no {mechanism}: set KAFKA_SASL_MECHANISM to one that it has"
    if isinstance(error, IllegalSaslStateError):
        spoken = "SSL" if uses_tls(settings) else "PLAINTEXT"
        told = other_protocol(spoken, at, settings)
        return str(told) if told is not None else ""
    return ""


def other_protocol(spoken: str, at: str, settings: Settings) -> LastingError | None:
    """The line for a listener that speaks this, if the setting says something else."""
    asked = settings.kafka_security_protocol
    if asked in spoken.split(" or ") or not spoken:
        return None
    return LastingError(
        f"KAFKA_SECURITY_PROTOCOL is {asked}, but the listener at {at} speaks {spoken}: set"
        f" KAFKA_SECURITY_PROTOCOL={spoken}, or use another port"
    )


def is_closed(error: BaseException) -> bool:
    """Whether the other side ended a connection that was open, without a word."""
    for each in _chain(error):
        if isinstance(each, ConnectionRefusedError | TimeoutError):
            return False
        if isinstance(each, ConnectionError | EOFError | ssl.SSLError):
            return True
    return False


# --- what a listener speaks ----------------------------------------------------------------------


async def spoken_at(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    """What a listener speaks, as ``KAFKA_SECURITY_PROTOCOL`` names it; empty if it does not answer.

    No secret is sent. Without a certificate that it wants, TLS is all that can be told.
    """
    is_tls = False
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            is_tls = await _speaks_tls(host, port)
            has_sasl = await _has_sasl(host, port, (tls or _blind()) if is_tls else None)
    except (OSError, KafkaError, AssertionError, EOFError, ValueError):
        return _BOTH if is_tls else ""
    return f"SASL_{_plain(is_tls)}" if has_sasl else _plain(is_tls)


def _plain(is_tls: bool) -> str:
    return "SSL" if is_tls else "PLAINTEXT"


def _blind() -> ssl.SSLContext:
    """TLS with anybody: it only shows whether a listener speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _speaks_tls(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=_blind())
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except ConnectionRefusedError:
        raise
    except (ConnectionError, EOFError):
        return False
    writer.close()
    return True


async def _has_sasl(host: str, port: int, tls: ssl.SSLContext | None) -> bool:
    """Whether a listener asks for SASL: only there a handshake is not out of place."""
    protocol = _plain(tls is not None)
    asking = AIOKafkaConnection(host, port, ssl_context=tls, security_protocol=protocol)
    try:
        await asking.connect()
        answer = await asking.send(SaslHandShakeRequest("PLAIN"))
        return bool(answer.error_code in _SASL_ANSWERS and answer.enabled_mechanisms)
    finally:
        asking.close()


# --- aiokafka ------------------------------------------------------------------------------------


async def _create_conn(host: str, port: int, *, ssl_context: Any = None, **options: Any) -> Any:
    if isinstance(ssl_context, Access):
        return await ssl_context.connect(host, port, **options)
    return await _aiokafkas(host, port, ssl_context=ssl_context, **options)


_aiokafkas = aiokafka_client.create_conn


def install() -> None:
    """Make aiokafka's clients connect by our function: it takes none as an argument."""
    aiokafka_client.create_conn = _create_conn
