"""The resources for Kubernetes, as kustomize makes them for each overlay."""

import os
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from stack.supervisor import SECRETS, SERVICES, WITH_CARDS, WITH_SHOPS

FOLDER = Path("deploy/kubernetes")
OVERLAYS = ("small", "production")
#: The oldest version that has all that is used, and the newest that is known to the validator.
VERSIONS = ("1.32", "1.37")
OURS = (*SERVICES, *WITH_SHOPS, *WITH_CARDS)
#: What begins anew from the topics without a volume.
WITHOUT_ROWS = {"storefront", "storefront.projector", "payment_service.webhooks"}
WEB = {"storefront", "shop_bridge.webhooks", "payment_service.webhooks"}
WORKLOADS = ("StatefulSet", "Deployment")
Resource = dict[str, Any]


@cache
def made(overlay: str) -> list[Resource]:
    """The resources of an overlay."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        if os.environ.get("CI"):
            pytest.fail("no kubectl")
        pytest.skip("no kubectl")
    command = [kubectl, "kustomize", str(FOLDER / overlay)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr
    return list(yaml.safe_load_all(said.stdout))


def of_kinds(overlay: str, *kinds: str) -> dict[str, Resource]:
    """Those of some kinds by name."""
    return {each["metadata"]["name"]: each for each in made(overlay) if each["kind"] in kinds}


def pod(workload: Resource) -> Resource:
    """What its pods are."""
    found: Resource = workload["spec"]["template"]["spec"]
    return found


def module(workload: Resource) -> str:
    """The service that a workload of ours runs."""
    command = pod(workload)["containers"][0]["command"]
    assert command[:2] == ["python", "-m"]
    return str(command[2]).removeprefix("services.")


def services(overlay: str) -> dict[str, Resource]:
    """The workloads of ours, by the service."""
    found = of_kinds(overlay, *WORKLOADS).values()
    return {module(each): each for each in found if pod(each)["containers"][0]["name"] == "service"}


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_resources_keep_to_the_schemas_of_kubernetes(overlay: str, version: str) -> None:
    for each in made(overlay):
        kubernetes_validate.validate(each, version, strict=True)


def test_the_validator_refuses_an_unknown_field() -> None:
    wrong = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"prots": []},
    }
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_runs_and_what_keeps_rows_has_a_volume(overlay: str) -> None:
    found = services(overlay)
    assert set(found) == set(OURS)
    for name, workload in found.items():
        keeps = name not in WITHOUT_ROWS
        assert workload["kind"] == ("StatefulSet" if keeps else "Deployment")
        volumes = {
            each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])
        }
        assert volumes == ({"state"} if keeps else set())
        mounts = {each["mountPath"] for each in pod(workload)["containers"][0]["volumeMounts"]}
        assert mounts >= {"/state", "/tmp"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted(overlay: str) -> None:
    """What the profile `restricted` asks for, and a root file system that is only read."""
    (namespace,) = of_kinds(overlay, "Namespace").values()
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, workload in of_kinds(overlay, *WORKLOADS).items():
        spec = pod(workload)
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "secret"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert container["resources"]["limits"]["memory"], name
            assert ":" in container["image"], name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_are_apart_and_pods_hand_over_before_they_go(overlay: str) -> None:
    for name, workload in services(overlay).items():
        container = pod(workload)["containers"][0]
        paths = {
            probe: container[f"{probe}Probe"]["httpGet"]
            for probe in ("startup", "liveness", "readiness")
        }
        assert paths == {
            "startup": {"path": "/livez", "port": "ops"},
            "liveness": {"path": "/livez", "port": "ops"},
            "readiness": {"path": "/readyz", "port": "ops"},
        }
        # A worker may take 30 seconds to end, and a web process 5 more before it is told to.
        assert pod(workload)["terminationGracePeriodSeconds"] >= 45
        waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert bool(waits) == (name in WEB)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_one_pod_of_a_service_is_disrupted_at_a_time_and_they_are_spread(overlay: str) -> None:
    budgets = {
        each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: each["spec"]
        for each in of_kinds(overlay, "PodDisruptionBudget").values()
    }
    for workload in services(overlay).values():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        name = labels["app.kubernetes.io/name"]
        assert workload["metadata"]["name"] == name
        assert workload["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}
        assert budgets[name]["maxUnavailable"] == 1
        spread = pod(workload)["topologySpreadConstraints"]
        assert {each["topologyKey"] for each in spread} == {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }
        assert all(each["matchLabelKeys"] == ["app.kubernetes.io/name"] for each in spread)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_gets_only_the_secrets_it_needs(overlay: str) -> None:
    """From one secret of the deployment, and from one of its own for Kafka."""
    for name, workload in services(overlay).items():
        told = {
            each["name"]: each["valueFrom"]["secretKeyRef"]
            for each in pod(workload)["containers"][0]["env"]
        }
        assert set(told) <= {secret for secret, those in SECRETS.items() if name in those}
        signs_in = told.pop("KAFKA_SASL_JAAS_CONFIG")
        # As `jointbuy topics plan` names the service's user.
        assert signs_in["name"] == f"jointbuy-{name.replace('_', '-')}"
        assert {ref["name"] for ref in told.values()} <= {"jointbuy"}
        assert all(ref["key"] == secret for secret, ref in told.items())
        required = {secret for secret, ref in told.items() if not ref.get("optional")}
        assert required == {"LINK_SECRET", "DATABASE_URL"} & set(told)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_passes_that_no_policy_lists(overlay: str) -> None:
    """Each policy is for pods that there are, and so is each way in and out of the namespace."""
    policies = of_kinds(overlay, "NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    pods = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in of_kinds(overlay, *WORKLOADS).values()
    ]
    for name, policy in policies.items():
        wanted = policy["spec"]["podSelector"].get("matchLabels", {}).items()
        assert any(wanted <= labels.items() for labels in pods), name
    public = {
        service
        for service, each in services(overlay).items()
        if "jointbuy.example/public" in each["spec"]["template"]["metadata"]["labels"]
    }
    assert public == WEB
    scraped = policies["ops"]["spec"]["ingress"][0]["ports"]
    assert scraped == [{"protocol": "TCP", "port": 8090}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_named_is_there(overlay: str) -> None:
    """Services select pods with the ports they name; budgets and scaling name workloads."""
    workloads = of_kinds(overlay, *WORKLOADS)
    for name, service in of_kinds(overlay, "Service").items():
        (container,) = pod(workloads[name])["containers"]
        ports = {each["name"] for each in container["ports"]}
        assert {each["targetPort"] for each in service["spec"]["ports"]} <= ports
        labels = workloads[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
    for name, scaling in of_kinds(overlay, "HorizontalPodAutoscaler").items():
        assert workloads[name]["kind"] == scaling["spec"]["scaleTargetRef"]["kind"]
        assert "replicas" not in workloads[name]["spec"]
    for workload in workloads.values():
        if workload["kind"] == "StatefulSet":
            assert workload["spec"]["serviceName"] in of_kinds(overlay, "Service")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_image_is_of_this_version(overlay: str) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    images = {pod(each)["containers"][0]["image"] for each in services(overlay).values()}
    assert images == {f"jointbuy:{project['version']}"}


def test_production_signs_in_to_kafka_and_has_more_than_one_of_each() -> None:
    (settings,) = of_kinds("production", "ConfigMap").values()
    assert settings["data"]["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert settings["data"]["REPLICATION_FACTOR"] == "3"
    for name, workload in services("production").items():
        mounts = {
            each["mountPath"]: each for each in pod(workload)["containers"][0]["volumeMounts"]
        }
        folder = str(Path(settings["data"]["KAFKA_SSL_CA_LOCATION"]).parent)
        assert mounts[folder]["readOnly"] is True, name
        if name not in {"storefront", "storefront.projector"}:
            assert workload["spec"]["replicas"] == 2, name
    (scaling,) = of_kinds("production", "HorizontalPodAutoscaler").values()
    assert scaling["spec"]["minReplicas"] == 3
