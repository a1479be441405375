"""Prometheus and Grafana: the rules are those of the documentation, each fires when it should, and no metric is a made-up one."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from chatbot_api.metrics import Metrics
from deploy_files import DEPLOY, ROOT, documents, ran_well, tool

RULES = DEPLOY / "prometheus" / "alerts.yaml"
FROM_PROMETHEUS_CLIENT = {"process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_start_time_seconds"}


def rules() -> list[dict[str, Any]]:
    (one,) = documents(RULES)
    return [rule for group in one["groups"] for rule in group["rules"]]


def expressions(panels: list[dict[str, Any]]) -> Iterator[str]:
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", ()))
        yield from expressions(panel.get("panels", []))


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:askai|process)_\w+", expression))


def test_promtool_takes_the_rules_and_the_configuration() -> None:
    promtool = tool("promtool", "apt: prometheus")
    ran_well(promtool, "check", "rules", str(RULES))
    ran_well(promtool, "check", "config", str(DEPLOY / "prometheus" / "prometheus.yaml"))


def test_each_alert_fires_at_its_fault_and_a_calm_fleet_raises_none() -> None:
    ran_well(tool("promtool", "apt: prometheus"), "test", "rules", str(DEPLOY / "prometheus" / "alerts.test.yaml"))
    (tested,) = documents(DEPLOY / "prometheus" / "alerts.test.yaml")
    names = {rule["alert"] for rule in rules()}
    for part in tested["tests"]:
        assert {one["alertname"] for one in part["alert_rule_test"]} == names


def test_the_alerts_are_those_of_the_documentation() -> None:
    page = (ROOT / "website" / "docs" / "operations.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(groups:.*?)```", page, re.DOTALL)
    assert block
    told = [rule for group in yaml.safe_load(block[1])["groups"] for rule in group["rules"]]
    kept = [{key: rule[key] for key in ("alert", "expr", "for") if key in rule} for rule in rules()]
    assert kept == told


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    metrics = Metrics()
    known = set(re.findall(r"^# TYPE (\w+)", metrics.text().decode(), re.MULTILINE)) | FROM_PROMETHEUS_CLIENT
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum", "total")}
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    asked = [*expressions(dashboard["panels"]), *(rule["expr"] for rule in rules())]
    assert len(asked) > 10
    assert set().union(*map(metrics_in, asked)) - known == set()


def test_every_replica_is_scraped_at_the_port_it_tells_its_metrics_at() -> None:
    (prometheus,) = documents(DEPLOY / "prometheus" / "prometheus.yaml")
    (compose,) = documents(DEPLOY / "compose" / "compose.full.yaml")
    replicas = {
        f"{name}:{service['environment']['METRICS_PORT']}"
        for name, service in compose["services"].items()
        if re.fullmatch(r"ask-ai-\d", name)
    }
    assert set(prometheus["scrape_configs"][0]["static_configs"][0]["targets"]) == replicas


def test_grafana_finds_prometheus_and_the_dashboard_where_compose_puts_them() -> None:
    (compose,) = documents(DEPLOY / "compose" / "compose.full.yaml")
    (source,) = documents(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")
    (provider,) = documents(DEPLOY / "grafana" / "provisioning" / "dashboards" / "ask-ai.yaml")
    mounted = [volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]]
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    assert any(path.startswith(provider["providers"][0]["options"]["path"]) for path in mounted)
