"""What a process that strangers can reach listens on, and how much it takes from them."""

from pydantic import Field

from services.runtime.settings import WithSecrets


class WebSettings(WithSecrets):
    """Environment variables, upper-case, of a process that has a public address."""

    web_host: str = Field("127.0.0.1", description="The public address: for everybody.")
    web_port: int = Field(8080, ge=1, le=65_535)
    proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="How many reverse proxies of ours stand in front. The storefront believes as "
        "many addresses at the end of X-Forwarded-For. 0: none, and the header is ignored.",
    )
    connections: int = Field(
        12_000,
        ge=1,
        description="Open at once. Of one more, the one that has waited longest without a request "
        "is closed; where each has a request in hand, the newcomer gets 503.",
    )
    connections_per_address: int = Field(
        300,
        ge=0,
        description="The same for one client address (of IPv6 its /64); more get 503. 0: no limit."
        " Without effect where PROXIES is set, as all come from the proxy then: let the proxy"
        " limit its clients, and let nobody else reach WEB_PORT.",
    )
    head_bytes_max: int = Field(
        32_768, ge=1_024, description="Of a request line and headers; more get 431."
    )
    headers_max: int = Field(100, ge=1, description="Headers of a request; more get 431.")
    head_seconds: float = Field(
        10.0, gt=0, description="From the connection, or the first byte, to the whole head; 408."
    )
    body_seconds: float = Field(30.0, gt=0, description="From the head to the whole body; 408.")
    idle_seconds: float = Field(
        15.0,
        gt=0,
        description="Between two requests of a connection. Behind a proxy: longer than it keeps"
        " its own connections to us.",
    )
    body_bytes_in_hand: int = Field(
        64_000_000,
        ge=1_000_000,
        description="Of the bodies of all requests together that are not answered yet. Of more, "
        "the body that has been on its way longest gets 503.",
    )

    @property
    def connections_of_one(self) -> int | None:
        """How many connections one address may have; ``None``: any number."""
        return None if self.proxies else (self.connections_per_address or None)
