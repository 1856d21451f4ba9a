"""The topics and ACLs that a cluster has, and making those that it lacks; nothing is deleted."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError, SecurityDisabled, for_code
from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DescribeAclsRequest,
)
from aiokafka.protocol.api import Request

from runtime import acls
from runtime.lasting_errors import LastingError, lasting
from runtime.metadata import asked, partitions_of
from runtime.topic_plan import Acl, FoundAcl, FoundTopic

# Kafka's numbers, as in its classes ResourceType, AclOperation, PatternType, AclPermissionType.
_KINDS: Final = {2: "topic", 3: "group", 4: "cluster", 5: "transactional-id"}
_OPERATIONS: Final = {
    **{2: "All", 3: "Read", 4: "Write", 5: "Create", 6: "Delete", 7: "Alter", 8: "Describe"},
    **{9: "ClusterAction", 10: "DescribeConfigs", 11: "AlterConfigs", 12: "IdempotentWrite"},
}
_ANY: Final = 1
_LITERAL: Final = 3
_PREFIXED: Final = 4
_ALLOW: Final = 3
_EVERY_HOST: Final = "*"
#: The states of consumer groups without members. A group that was never there is dead.
_WITHOUT_MEMBERS: Final = {"Empty", "Dead"}
_ASKED_AGAIN_SECONDS: Final = 0.1
#: ACLs in one request.
_AT_ONCE: Final = 200


class NoAuthorizerError(Exception):
    """The cluster keeps no ACLs: it has no authorizer."""


async def groups_there(client: AIOKafkaAdminClient) -> list[str]:
    """The names of all consumer groups. Raises ``KafkaError``."""
    brokers = [number for number, *_ in (await asked(client._client)).brokers]
    return [name for name, *_ in await client.list_consumer_groups(brokers)]


async def found_topics(
    client: AIOKafkaAdminClient, names: Iterable[str], *, configured: bool = True
) -> dict[str, FoundTopic]:
    """Those of the topics that are there, with all their settings if asked. Asking makes none."""
    told = await partitions_of(client._client, {*names})
    there = sorted(told)
    settings = await _settings_of(client, there) if configured and there else {}
    return {
        name: FoundTopic(
            len(told[name]),
            max((len(each["replicas"]) for each in told[name]), default=0),
            settings.get(name, {}),
        )
        for name in there
    }


async def _settings_of(
    client: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(asked):
        for each in response.to_object()["resources"]:
            if each["error_code"]:
                kind = for_code(each["error_code"])
                error = kind(each["resource_name"])
                raise lasting(error, "DescribeConfigs") or error
            found[each["resource_name"]] = {
                entry["config_names"]: entry["config_value"] for entry in each["config_entries"]
            }
    return found


async def members_of(
    client: AIOKafkaAdminClient, groups: Iterable[str], patience_seconds: float = 0.0
) -> dict[str, list[tuple[Any, ...]]]:
    """The members of those of these consumer groups that have any, as DescribeGroups tells them.

    A group whose broker is not known or not ready yet is asked about again for
    ``patience_seconds``. Raises ``KafkaError`` if there is no answer: it may have members.
    """
    # By their names: a list lacks groups that this user may not describe, and those just joined.
    # Each alone: aiokafka reads the answer about several as that of another version.
    until = time.monotonic() + patience_seconds
    asked = (_described(client, name, until) for name in sorted({*groups}))
    return {name: each for found in await asyncio.gather(*asked) for name, each in found.items()}


async def _described(
    client: AIOKafkaAdminClient, group: str, until: float
) -> dict[str, list[tuple[Any, ...]]]:
    while True:
        try:
            (answer,) = await client.describe_consumer_groups([group])
            return members_in(answer.groups)
        except KafkaError as error:
            if not error.retriable or time.monotonic() >= until:
                raise
        await asyncio.sleep(_ASKED_AGAIN_SECONDS)


def members_in(groups: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    """The members of groups that have any; ``groups`` are those of a DescribeGroups answer.

    A group that rebalances has members. Raises ``KafkaError`` of a group that is not described.
    """
    found = {}
    for code, group, state, _, _, members, *_ in groups:
        if code:
            raise for_code(code)(group)
        if members or state not in _WITHOUT_MEMBERS:
            found[group] = members
    return found


async def found_acls(client: AIOKafkaAdminClient) -> list[FoundAcl]:
    """All ACLs that allow something from everywhere. Raises ``NoAuthorizerError``."""
    asked = DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ALLOW)
    answer = await client._send_request(asked)
    _check(answer.error_code, "Describe")
    return [
        FoundAcl(principal, _KINDS[kind], name, _OPERATIONS[operation], pattern == _PREFIXED)
        for kind, name, pattern, allowed in answer.resources
        for principal, host, operation, _ in allowed
        if host == _EVERY_HOST and kind in _KINDS and operation in _OPERATIONS
    ]


async def make_acls(client: AIOKafkaAdminClient, wanted: Sequence[Acl]) -> None:
    """Add ACLs. Raises ``NoAuthorizerError``."""
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        answer = await client._send_to_controller(_CreateAcls([_entry(each) for each in some]))
        for acl, (code, said) in zip(some, answer.creation_responses, strict=True):
            _check(code, "Alter", f"{acl.right.kind} {acl.right.name}: {said or 'no reason given'}")


class _CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]  # aiokafka has no types
    """Many ACLs at once; aiokafka's own request has one."""

    API_KEY = CreateAclsRequest_v1.API_KEY

    def __init__(self, entries: list[tuple[Any, ...]]) -> None:
        self._entries = entries

    def build(self, request_struct_class: Any) -> Any:
        """The request."""
        return request_struct_class(self._entries)


def _entry(acl: Acl) -> tuple[Any, ...]:
    kinds = {name: number for number, name in _KINDS.items()}
    operations = {name: number for number, name in _OPERATIONS.items()}
    return (
        kinds[acl.right.kind],
        acl.right.name,
        _PREFIXED if acl.right.is_prefix else _LITERAL,
        acl.principal,
        _EVERY_HOST,
        operations[acl.right.operation],
        _ALLOW,
    )


def _check(code: int, operation: str, about: str = "") -> None:
    kind = for_code(code)
    if kind is SecurityDisabled:
        raise NoAuthorizerError
    if kind is ClusterAuthorizationFailedError:
        who = acls.US.principal or "this user"
        raise LastingError(
            f"the broker does not let {who} {'see' if operation == 'Describe' else 'add'} ACLs:"
            f" allow it {operation} on the cluster, or use --no-acls"
        )
    if code:
        raise LastingError(f"an ACL could not be added: {about} [{kind.__name__}]")
