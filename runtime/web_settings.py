"""The address of a public process, and the limits on its connections and requests."""

from pydantic import Field

from runtime.settings import WithSecrets


class WebSettings(WithSecrets):
    """Settings of a process with a public address."""

    web_host: str = Field("127.0.0.1", description="The public address: everybody may reach it.")
    web_port: int = Field(8080, ge=1, le=65_535, description="The public port.")
    proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Number of our reverse proxies in front. The storefront trusts as many "
        "addresses at the end of X-Forwarded-For. 0: the header is ignored.",
    )
    connections: int = Field(
        12_000,
        ge=1,
        description="Most open connections. One more closes the connection that has waited longest "
        "without a request; if all have a request in progress, the new one gets 503.",
    )
    connections_per_address: int = Field(
        300,
        ge=0,
        description="Most open connections of one client address (IPv6: of its /64); more get 503."
        " 0: no limit. Has no effect where PROXIES is set, as all connections come from the"
        " proxy then: let the proxy limit its clients, and let nobody else reach WEB_PORT.",
    )
    head_bytes_max: int = Field(
        32_768, ge=1_024, description="Most bytes of a request line and headers; more get 431."
    )
    headers_max: int = Field(100, ge=1, description="Most headers of a request; more get 431.")
    head_seconds: float = Field(
        10.0,
        gt=0,
        description="Time from the connection, or the first byte, to the whole head; then 408.",
    )
    body_seconds: float = Field(
        30.0, gt=0, description="Time from the head to the whole body; then 408."
    )
    idle_seconds: float = Field(
        15.0,
        gt=0,
        description="Most time between two requests of a connection. Behind a proxy: set it to more"
        " than the time that the proxy keeps an idle connection to us.",
    )
    body_bytes_in_hand: int = Field(
        64_000_000,
        ge=1_000_000,
        description="Most bytes of all bodies of unanswered requests together. Beyond that, the "
        "request whose body has been arriving longest gets 503.",
    )

    @property
    def connections_of_one(self) -> int | None:
        """Most connections of one address; ``None``: no limit."""
        return None if self.proxies else (self.connections_per_address or None)
