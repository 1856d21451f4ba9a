"""Other names of our Kafka settings: those of librdkafka and of the Java client. Pure.

Each is written as a variable: ``sasl.mechanisms`` is ``KAFKA_SASL_MECHANISMS``. The names that both
clients share with us are the settings' own, such as ``KAFKA_SASL_USERNAME``.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

#: Fields of ``Settings``, and the other variables that may give them.
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "kafka_sasl_mechanism": ("KAFKA_SASL_MECHANISMS",),
    "kafka_sasl_oauthbearer_client_id": ("KAFKA_SASL_OAUTHBEARER_CLIENT_CREDENTIALS_CLIENT_ID",),
    "kafka_sasl_oauthbearer_client_secret": (
        "KAFKA_SASL_OAUTHBEARER_CLIENT_CREDENTIALS_CLIENT_SECRET",
    ),
    "kafka_ssl_ca_location": ("KAFKA_SSL_TRUSTSTORE_LOCATION",),
    "kafka_ssl_certificate_location": ("KAFKA_SSL_KEYSTORE_LOCATION",),
    "compression": ("KAFKA_COMPRESSION_TYPE", "KAFKA_COMPRESSION_CODEC"),
}
#: Java's one line with name and password.
JAAS: Final = "KAFKA_SASL_JAAS_CONFIG"
#: Variables that say what kind a file or a way is; only one value of each will do.
KINDS: Final = {
    "KAFKA_SSL_TRUSTSTORE_TYPE": "PEM",
    "KAFKA_SSL_KEYSTORE_TYPE": "PEM",
    "KAFKA_SASL_OAUTHBEARER_METHOD": "OIDC",
}
#: Variables whose content has to be in a file here.
IN_FILES: Final = {
    "KAFKA_SSL_CA_PEM": "KAFKA_SSL_CA_LOCATION",
    "KAFKA_SSL_CERTIFICATE_PEM": "KAFKA_SSL_CERTIFICATE_LOCATION",
    "KAFKA_SSL_KEY_PEM": "KAFKA_SSL_KEY_LOCATION",
    "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN": "KAFKA_SSL_CERTIFICATE_LOCATION",
    "KAFKA_SSL_KEYSTORE_KEY": "KAFKA_SSL_KEY_LOCATION",
    "KAFKA_SSL_TRUSTSTORE_CERTIFICATES": "KAFKA_SSL_CA_LOCATION",
}
#: Every variable that is read here.
OTHER_NAMES: Final = frozenset(
    {name for names in ALIASES.values() for name in names}
    | {JAAS, f"{JAAS}_FILE", *KINDS, *IN_FILES}
    | {f"{name}_FILE" for name in ALIASES["kafka_sasl_oauthbearer_client_secret"]}
)
#: Options of Java's login modules, and the fields that they are.
_MODULES: Final = {
    "PlainLoginModule": {"username": "kafka_sasl_username", "password": "kafka_sasl_password"},
    "ScramLoginModule": {"username": "kafka_sasl_username", "password": "kafka_sasl_password"},
    "OAuthBearerLoginModule": {
        "clientId": "kafka_sasl_oauthbearer_client_id",
        "clientSecret": "kafka_sasl_oauthbearer_client_secret",
        "scope": "kafka_sasl_oauthbearer_scope",
    },
}
_LINE: Final = re.compile(r"\s*(?:\w+\.)*(\w+)\s+required\b(.*?);?\s*", re.DOTALL)
_OPTION: Final = re.compile(r"""\s*([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;"']+))""")


def under_other_names(env: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Each field that another name gives: the field, the name and the value.

    ``env`` has the content of ``…_FILE`` under the name before it. Raises ``ValueError`` with a
    line that names the variable.
    """
    for name, wanted in KINDS.items():
        if (said := env.get(name)) and said.upper() != wanted:
            raise ValueError(f"{name}: only {wanted} can be read here")
    for name, place in IN_FILES.items():
        if env.get(name):
            raise ValueError(f"{name}: write it into a file, and give its path in {place}")
    for field, names in ALIASES.items():
        for name in names:
            if value := env.get(name):
                yield field, name, value
    for field, value in jaas(env.get(JAAS, "")).items():
        yield field, JAAS, value


def jaas(line: str) -> dict[str, str]:
    """The fields in a line such as ``….PlainLoginModule required username="a" password="b";``.

    Raises ``ValueError`` without a word of the line, as it has a password.
    """
    if not line.strip():
        return {}
    found = _LINE.fullmatch(line)
    options = _MODULES.get(found[1]) if found else None
    if found is None or options is None:
        raise ValueError(
            f"{JAAS}: give one line with {', '.join(_MODULES)}, 'required', and its options"
        )
    fields: dict[str, str] = {}
    at = 0
    while match := _OPTION.match(found[2], at):
        name, quoted, single, plain = match.groups()
        if name in options:
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else single or plain
            fields[options[name]] = value or ""
        at = match.end()
    if found[2][at:].strip():
        raise ValueError(f'{JAAS}: write each option as name="value", and a semicolon at the end')
    return fields
