"""PyPI's kafka-connect-api: clusters, connectors, tasks and loggers, at the worker URL.

usage: SCRIPT URL DIR
CLIENT_USER and CLIENT_PASSWORD say who asks, REQUESTS_CA_BUNDLE names the authority of an HTTPS address.
"""

import os
import sys
from urllib.parse import urlsplit

from kafka_connect_api.errors import ConnectApiException, GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

from steps import are, call, equal, fails, file_streams, is_stopped, problems, settled, source, tell

NAME = "clients-api"
LOGGER = "org.rest.clients.api"


def status_of(error):
    return error.code


def look_around(url, cluster, config):
    api = cluster.api
    by_url = Cluster(Api(url=url, username=api.username, password=api.password))
    equal(call("version", lambda: cluster.version), by_url.version)
    if not cluster.kafka_cluster or cluster.kafka_cluster not in repr(cluster):
        raise AssertionError(f"no cluster id in {cluster!r}")
    call("plugins", api.get, "/connector-plugins", show=file_streams)
    path = "/connector-plugins/FileStreamSource/config/validate"
    valid = call("validate", api.put, path, json={"name": NAME, **config}, show=problems)
    equal(valid["error_count"], 0)
    wrong = {"connector.class": "FileStreamSource", "name": NAME}
    invalid = call("validate a bad one", api.put, path, json=wrong, show=problems)
    equal(list(problems(invalid)["errors"]), ["topic"])


def create_and_read(cluster, connector, config):
    # Its `exists` asks with a slash at the end, and gives the worker's 404 as an exception.
    equal(fails("exists before", GenericNotFound, status_of, connector.exists), 404)
    call("config =", lambda: setattr(connector, "config", config))
    equal(call("exists", connector.exists), True)
    settled("status", are("RUNNING"), lambda: connector.status)
    equal(call("state", lambda: connector.state), "RUNNING")
    equal(call("config", lambda: connector.config), {"name": NAME, **config})
    equal(call("connector_class", lambda: connector.connector_class), "FileStreamSource")
    found = call("connectors", lambda: cluster.connectors, show=lambda all: NAME in all)
    equal(found[NAME].state, "RUNNING")
    topics = {NAME: {"topics": [NAME]}}
    path = f"/connectors/{NAME}/topics"
    settled("topics", lambda answer: answer == topics, cluster.api.get, path)
    [task] = call("tasks", lambda: connector.tasks, show=lambda tasks: [(task.id, task.config) for task in tasks])
    call("task.status", lambda: task.status)
    equal(call("task.is_running", task.is_running), True)
    return task


def lifecycle(connector, task):
    running, status = are("RUNNING"), lambda: connector.status
    for name, verb, is_settled in [
        ("restart", connector.restart, running),
        ("task.restart", task.restart, running),
        ("restart_all_tasks", connector.restart_all_tasks, running),
        ("pause", connector.pause, are("PAUSED")),
        ("resume", connector.resume, running),
        ("cycle_connector", connector.cycle_connector, running),
    ]:
        equal(call(name, verb), None)
        settled(f"{name}: status", is_settled, status)
    api, path = connector.api, f"/connectors/{connector.name}"
    equal(call("stop", api.put_raw, f"{path}/stop", show=lambda answer: answer.status_code).text, "")
    settled("stop: status", is_stopped, status)
    offsets = call("offsets", api.get, f"{path}/offsets", show=lambda answer: answer["offsets"][0]["offset"])
    equal(offsets["offsets"][0]["offset"], {"position": 14})
    call("offsets reset", api.delete, f"{path}/offsets")
    equal(call("offsets after", api.get, f"{path}/offsets"), {"offsets": []})
    connector.resume()
    settled("resume after stop: status", running, status)
    query = "restart?includeTasks=true&onlyFailed=false"
    restarted = call("restart with tasks", api.post, f"{path}/{query}")
    equal(restarted["tasks"][0]["state"], "RESTARTING")
    settled("restart with tasks: status", running, status)


def change_and_delete(cluster, connector, config):
    changed = {**config, "batch.size": "7"}
    call("config = another", lambda: setattr(connector, "config", changed))
    equal(call("config changed", lambda: connector.config), {"name": NAME, **changed})
    settled("config = another: status", are("RUNNING"), lambda: connector.status)
    bad = {**changed, "batch.size": "few"}
    refused = fails(
        "config = a bad one", ConnectApiException, status_of, lambda: setattr(connector, "config", bad)
    )
    equal(refused, 400)
    equal(connector.config, {"name": NAME, **changed})
    call("delete", connector.delete)
    equal(NAME in cluster.connectors, False)
    for name, verb in [("exists", connector.exists), ("delete", connector.delete), ("pause", connector.pause)]:
        equal(fails(f"{name} of a deleted one", GenericNotFound, status_of, verb), 404)


def loggers(cluster):
    level = call("root_logger", lambda: cluster.root_logger, show=lambda logger: logger["level"])["level"]
    equal(level, "INFO")
    call("root_logger =", lambda: setattr(cluster, "root_logger", level))
    put = call("a new logger", cluster.api.put, f"/admin/loggers/{LOGGER}", json={"level": "WARN"})
    equal(put, [LOGGER])
    equal(call("set_logger_log_level", cluster.set_logger_log_level, LOGGER, "DEBUG"), [LOGGER])
    all_levels = call("loggers", lambda: cluster.loggers, show=lambda all: all[LOGGER]["level"])
    equal(all_levels[LOGGER]["level"], "DEBUG")
    if not isinstance(all_levels[LOGGER]["last_modified"], int):
        raise AssertionError(f"{LOGGER} was never changed: {all_levels[LOGGER]}")


def main(url, directory):
    parts = urlsplit(url)
    user, password = os.environ.get("CLIENT_USER"), os.environ.get("CLIENT_PASSWORD")
    cluster = Cluster(
        Api(parts.hostname, port=parts.port, protocol=parts.scheme, username=user, password=password)
    )
    connector = Connector(cluster, NAME)
    config = source(os.path.join(directory, "in.txt"), NAME)
    look_around(url, cluster, config)
    task = create_and_read(cluster, connector, config)
    lifecycle(connector, task)
    change_and_delete(cluster, connector, config)
    loggers(cluster)
    tell("done", None)


if __name__ == "__main__":
    main(*sys.argv[1:])
