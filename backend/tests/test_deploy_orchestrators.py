"""Kubernetes, Cloud Run and systemd: sound by their schemas, settings that would start, times that fit one another."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.errors import StartRefused
from chatbot_api.guarded_server import Ending
from deploy_files import DEPLOY, SECRETS, assert_named_by_tag, containers, documents, missing, ran_well, settings_from, tool

KUBERNETES = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
VERSION = "1.34"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def resources() -> list[dict[str, Any]]:
    return [one for path in KUBERNETES for one in documents(path)]


def of_kind(kind: str) -> dict[str, Any]:
    (one,) = [found for found in resources() if found["kind"] == kind]
    return one


def pod(resource: dict[str, Any]) -> dict[str, Any]:
    spec = resource["spec"]
    return spec["jobTemplate"]["spec"]["template"]["spec"] if resource["kind"] == "CronJob" else spec["template"]["spec"]


def checked(resource: dict[str, Any]) -> None:
    try:
        import kubernetes_validate  # noqa: PLC0415 - may be missing
    except ImportError:
        missing("the package kubernetes-validate is not installed")
    kubernetes_validate.validate(resource, VERSION, strict=True)


# --- Kubernetes


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_a_manifest_is_what_the_schema_of_kubernetes_knows_to_the_last_key(path: Path) -> None:
    for resource in documents(path):
        checked(resource)


def test_a_misspelt_key_would_be_found() -> None:
    deployment = of_kind("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(Exception, match="livenesProbe"):
        checked(deployment)


def test_every_manifest_is_in_the_kustomization() -> None:
    (kustomization,) = documents(DEPLOY / "kubernetes" / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == [path.name for path in KUBERNETES]
    if kubectl := shutil.which("kubectl"):
        assert ran_well(kubectl, "kustomize", str(DEPLOY / "kubernetes")).count("\nkind: ") == len(resources())


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_a_pod_is_as_restricted_as_its_namespace_demands(kind: str) -> None:
    spec = pod(of_kind(kind))
    assert of_kind("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/data"}
        assert container["resources"]["limits"]["memory"]
        assert_named_by_tag(container["image"])


def test_the_pods_would_start_with_their_settings_and_not_without_what_they_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: dict[str, str] = of_kind("ConfigMap")["data"]
    settings = settings_from({**config, **SECRETS}, tmp_path, monkeypatch)
    assert settings.replicas == of_kind("HorizontalPodAutoscaler")["spec"]["minReplicas"] > 1
    for name in ("DATABASE_URL", "LIMITS_URL"):
        monkeypatch.setenv(name, "")
        with pytest.raises(StartRefused, match=f"needs {name}"):
            settings_from({key: value for key, value in config.items() if key != name}, tmp_path, monkeypatch)
        monkeypatch.setenv(name, SECRETS[name])


def test_a_pod_is_seen_as_unready_before_it_stops_listening_and_is_killed_only_after_it_ended_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_from({**of_kind("ConfigMap")["data"], **SECRETS}, tmp_path, monkeypatch)
    spec = pod(of_kind("Deployment"))
    (container,) = spec["containers"]
    ready = container["readinessProbe"]
    assert ready["httpGet"]["path"] == "/health/ready"
    assert ready["periodSeconds"] * ready["failureThreshold"] < settings.drain_delay_s
    assert spec["terminationGracePeriodSeconds"] > settings.drain_delay_s + Ending().gone_s
    assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/health/live"


def test_services_budgets_and_policies_mean_the_pods_that_there_are() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    indexer = of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    policies = [one for one in resources() if one["kind"] == "NetworkPolicy"]
    assert [policy["spec"]["podSelector"]["matchLabels"] for policy in policies] == [labels, indexer]
    assert all(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in policies)
    ports = {port["containerPort"] for port in pod(of_kind("Deployment"))["containers"][0]["ports"]}
    assert {port["port"] for rule in policies[0]["spec"]["ingress"] for port in rule["ports"]} == ports


def test_no_secret_stands_in_a_manifest() -> None:
    text = "".join(path.read_text() for path in DEPLOY.rglob("*.yaml"))
    assert not re.search(r"kind: Secret\b", text)
    assert not re.search(r"(KEY|PASSWORD|SECRET|TOKEN): [\"']?[A-Za-z0-9]{8}", text)


# --- Cloud Run


def cloud_run() -> dict[str, Any]:
    (service,) = documents(DEPLOY / "cloud-run" / "service.yaml")
    return service


def test_the_container_of_cloud_run_is_one_of_kubernetes_schema() -> None:
    (container,) = containers(cloud_run())
    checked({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [with_port(container)]}})


def with_port(container: dict[str, Any]) -> dict[str, Any]:
    """As Kubernetes wants probes: Cloud Run takes the container's only port where none is named."""
    port = container["ports"][0]["containerPort"]
    probes = {
        name: {**container[name], "httpGet": {**container[name]["httpGet"], "port": port}}
        for name in container
        if "Probe" in name
    }
    return {**container, **probes}


def test_cloud_run_would_start_with_its_settings_and_gives_all_secrets_by_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = containers(cloud_run())
    plain = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    referred = {one["name"] for one in container["env"] if "valueFrom" in one}
    assert referred == set(SECRETS)
    settings = settings_from({**plain, **SECRETS, "PORT": "8080"}, tmp_path, monkeypatch)
    annotations = cloud_run()["spec"]["template"]["metadata"]["annotations"]
    assert settings.replicas == int(annotations["autoscaling.knative.dev/maxScale"])
    assert settings.drain_delay_s + Ending().gone_s < 10, "Cloud Run gives ten seconds"
    assert cloud_run()["spec"]["template"]["spec"]["timeoutSeconds"] > settings.deadline_s


# --- systemd


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_knows_every_word_of_a_unit(path: Path, tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "apt: systemd")
    for unit in UNITS:
        here = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(here)
    told = ran_well(analyze, "verify", "--man=no", str(tmp_path / path.name))
    assert [line for line in told.splitlines() if path.name in line] == []


def test_the_unit_waits_for_the_end_and_does_not_start_again_what_a_start_does_not_mend() -> None:
    unit = (DEPLOY / "systemd" / "ask-ai.service").read_text()
    wait_s = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert wait_s
    assert int(wait_s[1]) > Ending().gone_s
    assert "RestartPreventExitStatus=78\n" in unit
    assert "DynamicUser=true\n" in unit
