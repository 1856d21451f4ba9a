"""The settings of traces, under the names that OpenTelemetry gives them."""

from typing import Literal

from pydantic import Field, SecretStr

from runtime.settings import WithSecrets


class TraceSettings(WithSecrets):
    """Where traces go, and which.

    OpenTelemetry's SDK reads its other variables itself, such as OTEL_BSP_MAX_QUEUE_SIZE.
    """

    otel_exporter_otlp_endpoint: str = Field(
        "",
        description="http://collector:4318: traces go to /v1/traces there. If empty: no traces.",
    )
    otel_exporter_otlp_traces_endpoint: str = Field(
        "", description="In its place: the whole address that traces go to."
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        SecretStr(""), description="Headers for the collector: name=value, with commas between."
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        "http/protobuf", description="There is no other: gRPC needs another port and library."
    )
    otel_traces_exporter: Literal["otlp", "none"] = Field("otlp", description="none: no traces.")
    otel_sdk_disabled: bool = Field(False, description="true: no traces.")
    otel_service_name: str = Field(
        "", description="The process's name in traces. If empty, the name of its service."
    )
    otel_traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field(
        "parentbased_always_on",
        description="Which traces are sent. parentbased: as the caller's traceparent says.",
    )
    otel_traces_sampler_arg: float = Field(
        1.0, ge=0, le=1, description="The share of traces that a sampler by ratio sends."
    )

    @property
    def endpoint(self) -> str:
        """The address that traces go to; empty if traces are off."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return ""
        base = self.otel_exporter_otlp_endpoint
        whole = f"{base.rstrip('/')}/v1/traces" if base else ""
        return self.otel_exporter_otlp_traces_endpoint or whole
