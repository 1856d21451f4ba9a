"""A broker that lets in only who signs in: certificates, users and tokens made for a test."""

import base64
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from runtime.ports import free_port
from stack import brokers
from stack.brokers import RunningBroker

PASSWORD: Final = "of worker: it is long"
WORKER: Final = "worker"
CLIENT: Final = ("client", "secret of client")
_LOGIN: Final = "org.apache.kafka.common.security"
#: Clients of the listener without TLS may do all: the broker itself, and the tests' own.
PROPERTIES: Final = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},%(listeners)s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,%(map)s
advertised.listeners=PLAINTEXT://127.0.0.1:{port},%(advertised)s
inter.broker.listener.name=PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location=%(folder)s/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=%(folder)s/ca.pem
listener.name.certificate.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
sasl.oauthbearer.jwks.endpoint.url=%(jwks)s
sasl.oauthbearer.expected.audience=kafka
sasl.oauthbearer.jwt.validator.class=%(login)s.oauthbearer.BrokerJwtValidator
listener.name.token.oauthbearer.sasl.server.callback.handler.class=\
%(login)s.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.token.oauthbearer.sasl.jaas.config=%(login)s.oauthbearer.OAuthBearerLoginModule \
required;
"""
#: The listeners, and what each speaks.
LISTENERS: Final = {
    "PASSWORD": "SASL_SSL",
    "CERTIFICATE": "SSL",
    "TOKEN": "SASL_SSL",
    "CLEAR": "SASL_PLAINTEXT",
}


def openssl(*words: str, content: bytes = b"") -> bytes:
    """What ``openssl`` prints."""
    done = subprocess.run(
        ["openssl", *words], input=content, capture_output=True, check=True, timeout=60
    )
    return done.stdout


@dataclass(frozen=True)
class Authority:
    """A CA in a folder: it signs certificates for hosts and for clients."""

    folder: Path
    name: str = "ca"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        subject = ("-subj", f"/CN={self.name}", "-days", "2", "-keyout", self._path("key"))
        openssl("req", "-x509", *_NEW_KEY, "-nodes", *subject, "-out", self._path("pem"))

    @property
    def certificate(self) -> Path:
        """What trusts it."""
        return self.folder / f"{self.name}.pem"

    def sign(self, name: str, subject: str, more: str = "", days: int = 2) -> tuple[Path, Path]:
        """A certificate, and its key."""
        key, asked, signed, options = (
            self.folder / f"{name}.{end}" for end in ("key", "csr", "crt", "ext")
        )
        options.write_text(more or "basicConstraints=CA:FALSE\n")
        made = ("-keyout", str(key), "-out", str(asked))
        openssl("req", *_NEW_KEY, "-nodes", "-subj", subject, *made)
        ours = ("-CA", self._path("pem"), "-CAkey", self._path("key"), "-CAcreateserial")
        ends = ("-days", str(days), "-extfile", str(options), "-out", str(signed))
        openssl("x509", "-req", "-in", str(asked), *ours, *ends)
        return signed, key

    def _path(self, end: str) -> str:
        return str(self.folder / f"{self.name}.{end}")


_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


# --- tokens --------------------------------------------------------------------------------------


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Issuer:
    """An OIDC server on the loopback: keys for brokers, tokens for client credentials."""

    key: Path
    port: int = field(default_factory=free_port)
    #: What the endpoint answers instead of a token: a status and an error's name.
    refuses: tuple[int, str] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def token(self, scope: str = "topics", seconds: int = 600) -> str:
        """A signed token for Kafka, or with the scope ``other-audience`` for another service."""
        audience = "other" if scope == "other-audience" else "kafka"
        now = int(time.time())
        told = {"sub": WORKER, "aud": audience, "iat": now, "exp": now + seconds}
        told |= {"iss": self.url, "scope": "topics"}
        head = {"alg": "RS256", "kid": "1", "typ": "JWT"}
        text = ".".join(_base64(json.dumps(each).encode()) for each in (head, told))
        signed = openssl("dgst", "-sha256", "-sign", str(self.key), content=text.encode())
        return f"{text}.{_base64(signed)}"

    def keys(self) -> dict[str, Any]:
        """The public key, as brokers ask for it."""
        told = openssl("rsa", "-in", str(self.key), "-noout", "-modulus").decode()
        modulus = bytes.fromhex(told.strip().partition("=")[2])
        of_key = {"n": _base64(modulus), "e": "AQAB", "kty": "RSA", "kid": "1", "alg": "RS256"}
        return {"keys": [of_key | {"use": "sig"}]}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer on a thread until the end of the block."""
        server = HTTPServer(("127.0.0.1", self.port), self._handler())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer, keys = self, self.keys()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, keys)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                asked = {name: each[0] for name, each in parse_qs(body).items()}
                signed = base64.b64encode(":".join(CLIENT).encode()).decode()
                if self.headers["Authorization"] != f"Basic {signed}":
                    self._answer(401, {"error": "invalid_client"})
                elif issuer.refuses is not None:
                    self._answer(issuer.refuses[0], {"error": issuer.refuses[1]})
                else:
                    token = issuer.token(asked.get("scope", ""))
                    self._answer(200, {"access_token": token, "expires_in": 600})

            def _answer(self, status: int, told: dict[str, Any]) -> None:
                content = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler


# --- a way that can be cut -----------------------------------------------------------------------


class Tunnel:
    """Passes bytes on to a port of this machine; ``cut`` ends all connections."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Pass on until the end of the block."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self.cut()

    def cut(self) -> None:
        """End each connection; a new one is passed on."""
        ended, self._open = self._open, []
        for each in ended:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(65_536):
            sink.sendall(content)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


# --- the broker ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secured:
    """A broker with listeners that ask who comes, and what one needs to come in."""

    broker: RunningBroker
    folder: Path
    authority: Authority
    issuer: Issuer
    ports: Mapping[str, int]
    #: The way to the listener CERTIFICATE.
    tunnel: "Tunnel"

    def at(self, listener: str) -> str:
        """The address of a listener."""
        return f"127.0.0.1:{self.ports[listener]}"

    def password(self, listener: str = "PASSWORD", **changed: str) -> dict[str, str]:
        """The environment of a process that signs in by SCRAM."""
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": self.at(listener),
            "KAFKA_SECURITY_PROTOCOL": LISTENERS[listener],
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": WORKER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
        }
        if LISTENERS[listener] == "SASL_SSL":
            env["KAFKA_SSL_CA_LOCATION"] = str(self.authority.certificate)
        return {name: value for name, value in {**env, **changed}.items() if value}

    def certificate(self, signed: tuple[Path, Path], **changed: str) -> dict[str, str]:
        """The environment of a process that signs in by a certificate."""
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": self.at("CERTIFICATE"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
            "KAFKA_SSL_CERTIFICATE_LOCATION": str(signed[0]),
            "KAFKA_SSL_KEY_LOCATION": str(signed[1]),
        }
        return {name: value for name, value in {**env, **changed}.items() if value}

    def token(self, **changed: str) -> dict[str, str]:
        """The environment of a process that signs in by a token of the endpoint."""
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": self.at("TOKEN"),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": f"{self.issuer.url}/token",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": CLIENT[0],
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": CLIENT[1],
            "KAFKA_SASL_OAUTHBEARER_SCOPE": "topics",
        }
        return {name: value for name, value in {**env, **changed}.items() if value}

    def acl(self, *words: str) -> None:
        """What ``kafka-acls.sh`` does with these words."""
        java, _, jars = brokers._find_kafka()
        command = [java, "-cp", f"{jars}/*", "org.apache.kafka.tools.AclCommand"]
        command += ["--bootstrap-server", self.broker.bootstrap_servers, *words]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


@contextmanager
def secured_broker(folder: Path, *, by_tunnel: bool = True) -> Iterator[Secured]:
    """A broker of Apache Kafka with these listeners; raises ``BrokerError``.

    A tunnel keeps two sockets of each connection in this process, so it is not for many workers.
    """
    authority = Authority(folder / "certificates")
    names = "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:broker.example\n"
    signed, key = authority.sign("broker", "/CN=broker", names)
    (authority.folder / "broker.pem").write_bytes(key.read_bytes() + signed.read_bytes())
    ports = {listener: free_port() for listener in LISTENERS}
    (signing := authority.folder / "issuer.key").write_bytes(openssl("genrsa", "2048"))
    issuer = Issuer(signing)
    tunnel = Tunnel(ports["CERTIFICATE"])
    reached = {**ports, "CERTIFICATE": tunnel.port} if by_tunnel else ports
    lines = PROPERTIES % {
        "listeners": _addresses(ports),
        "advertised": _addresses(reached),
        "map": ",".join(f"{name}:{speaks}" for name, speaks in LISTENERS.items()),
        "folder": authority.folder,
        "jwks": f"{issuer.url}/keys",
        "login": _LOGIN,
    }
    for listener in ("password", "clear"):
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            login = f"{_LOGIN}.scram.ScramLoginModule required;"
            lines += f"listener.name.{listener}.{mechanism}.sasl.jaas.config={login}\n"
        login = f'{_LOGIN}.plain.PlainLoginModule required user_{WORKER}="{PASSWORD}";'
        lines += f"listener.name.{listener}.plain.sasl.jaas.config={login}\n"
    users = [
        word
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for word in ("--add-scram", f'{mechanism}=[name={WORKER},password="{PASSWORD}"]')
    ]
    urls = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.url}/keys"
    with issuer.serving(), tunnel.serving():
        broker = brokers.start(
            "kafka",
            home=folder,
            properties=lines,
            format_options=users,
            env=_environment(urls),
        )
        try:
            yield Secured(broker, folder, authority, issuer, reached, tunnel)
        finally:
            broker.stop()


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _environment(options: str) -> dict[str, str]:
    told = os.environ.get("JDK_JAVA_OPTIONS", "")
    return {**os.environ, "JDK_JAVA_OPTIONS": f"{told} {options}".strip()}
