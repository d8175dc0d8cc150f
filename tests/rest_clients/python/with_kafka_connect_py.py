"""PyPI's kafka-connect-py: every method of its class and every command of `kc`, at the worker URL.

usage: SCRIPT URL DIR
CLIENT_USER and CLIENT_PASSWORD say who asks, REQUESTS_CA_BUNDLE names the authority of an HTTPS address.
"""

import json
import os
import sys

from click.testing import CliRunner
from kafka_connect import KafkaConnect
from kafka_connect.cli import cli
from requests.exceptions import HTTPError

from steps import (
    are, call, equal, fails, file_streams, is_stopped, problems, settled, source, tell,
)

NAME = "clients-py"
# Its patterns are searched at the beginning of names.
ONLY = f"^{NAME}$"
CLASS = "org.apache.kafka.connect.file.FileStreamSourceConnector"


def status_of(error):
    return error.response.status_code


def ours(connectors):
    """Of a list or an object of connectors only this script's."""
    if isinstance(connectors, list):
        return [name for name in connectors if name == NAME]
    return {name: of for name, of in connectors.items() if name == NAME}


def look_around(client, config):
    info = call("get_cluster_info", client.get_cluster_info, show=lambda info: info["version"])
    if not info["commit"] or not info["kafka_cluster_id"]:
        raise AssertionError(f"a cluster without a commit or an id: {info}")
    plugins = call("list_connector_plugins", client.list_connector_plugins, show=file_streams)
    equal([plugin["type"] for plugin in file_streams(plugins)], ["sink", "source"])
    named = {"name": NAME, **config}
    good = call(
        "validate_connector_config", client.validate_connector_config, "FileStreamSource", named,
        show=problems,
    )
    equal(problems(good), {"name": "FileStreamSource", "error_count": 0, "errors": {}})
    bad = {"name": NAME, "connector.class": CLASS, "tasks.max": "many"}
    wrong = call(
        "validate_connector_config of a bad one", client.validate_connector_config, CLASS, bad,
        show=problems,
    )
    equal(sorted(problems(wrong)["errors"]), ["tasks.max", "topic"])


def create_and_read(client, config):
    created = call("create_connector", client.create_connector, {"name": NAME, "config": config})
    equal(created["name"], NAME)
    equal(created["type"], "source")
    equal(created["config"], {"name": NAME, **config})
    again = {"name": NAME, "config": config}
    equal(fails("create_connector twice", HTTPError, status_of, client.create_connector, again), 409)
    settled("get_connector_status", are("RUNNING"), client.get_connector_status, NAME)
    read = call("get_connector", client.get_connector, NAME)
    equal(read["tasks"], [{"connector": NAME, "task": 0}])
    equal(call("get_connector_config", client.get_connector_config, NAME), read["config"])
    equal(call("list_connectors", client.list_connectors, show=ours).count(NAME), 1)
    by_status = call("list_connectors expand=status", client.list_connectors, "status", show=ours)
    equal(by_status[NAME]["status"]["connector"]["state"], "RUNNING")
    by_info = call("list_connectors expand=info", client.list_connectors, "info", show=ours)
    equal(by_info[NAME]["info"], read)
    for state, expected in [("RUNNING", [NAME]), ("PAUSED", [])]:
        found = call(f"list_connectors {state}", client.list_connectors, pattern=ONLY, state=state)
        equal(found, expected)
    tasks = call("list_connector_tasks", client.list_connector_tasks, NAME)
    equal([task["id"] for task in tasks], [{"connector": NAME, "task": 0}])
    task = call("get_connector_task_status", client.get_connector_task_status, NAME, 0)
    equal((task["id"], task["state"]), (0, "RUNNING"))
    for name, verb, *of in [
        ("get_connector", client.get_connector, "clients-none"),
        ("get_connector_task_status", client.get_connector_task_status, NAME, 7),
    ]:
        equal(fails(f"{name} of none", HTTPError, status_of, verb, *of), 404)


def wait(client, name, is_settled):
    settled(f"{name}: status", is_settled, client.get_connector_status, NAME)


def lifecycle(client):
    running, paused = are("RUNNING"), are("PAUSED")
    equal(call("restart_connector", client.restart_connector, NAME), None)
    wait(client, "restart_connector", running)
    restarted = call("restart_connector includeTasks", client.restart_connector, NAME, include_tasks=True)
    equal([task["state"] for task in restarted["tasks"]], ["RESTARTING"])
    wait(client, "restart_connector includeTasks", running)
    untouched = call(
        "restart_connector onlyFailed", client.restart_connector, NAME, include_tasks=True, only_failed=True,
    )
    equal(running(untouched), True)
    call("restart_connector_task", client.restart_connector_task, NAME, 0)
    wait(client, "restart_connector_task", running)
    for verb, is_settled in [
        ("pause_connector", paused),
        ("resume_connector", running),
        ("stop_connector", is_stopped),
        ("resume_connector", running),
    ]:
        call(verb, getattr(client, verb), NAME)
        wait(client, verb, is_settled)
    for verb, is_settled in [
        ("restart_all_connectors", running),
        ("pause_all_connectors", paused),
        ("resume_all_connectors", running),
        ("stop_all_connectors", is_stopped),
        ("resume_all_connectors", running),
    ]:
        call(verb, getattr(client, verb), pattern=ONLY)
        wait(client, verb, is_settled)


def topics(client):
    """After restarts: what is on its way to a topic names it again."""
    used = {NAME: {"topics": [NAME]}}
    settled("list_connector_topics", lambda topics: topics == used, client.list_connector_topics, NAME)
    call("reset_connector_topics", client.reset_connector_topics, NAME)
    equal(call("list_connector_topics after", client.list_connector_topics, NAME), {NAME: {"topics": []}})


def change_and_delete(client, config):
    changed = {**config, "name": NAME, "batch.size": "7"}
    answer = call("update_connector", client.update_connector, NAME, changed)
    equal(answer["config"], changed)
    equal(call("get_connector_config changed", client.get_connector_config, NAME), changed)
    wait(client, "update_connector", are("RUNNING"))
    bad = {**changed, "batch.size": "few"}
    equal(fails("update_connector badly", HTTPError, status_of, client.update_connector, NAME, bad), 400)
    equal(call("get_connector_config unchanged", client.get_connector_config, NAME), changed)
    call("delete_all_connectors", client.delete_all_connectors, pattern=ONLY)
    for verb in ["get_connector", "delete_connector", "pause_connector"]:
        missing = fails(f"{verb} of a deleted one", HTTPError, status_of, getattr(client, verb), NAME)
        equal(missing, 404)
    # This one raises with the worker's text in place of the response.
    text = fails(
        "restart_connector of a deleted one", HTTPError, str, client.restart_connector, NAME, include_tasks=True,
    )
    equal(json.loads(text)["error_code"], 404)


def command_line(url, auth, config):
    """`kc`, within this process."""
    worker = ["--url", url, "--log-level", "CRITICAL", *(["--auth", auth] if auth else [])]

    def kc(*args):
        done = CliRunner().invoke(cli, [*worker, *args])
        if done.exception:
            raise done.exception
        return json.loads(done.output) if done.output else None

    def run(*args, show=lambda answer: answer):
        return call(f"kc {args[0]}", kc, *args, show=show)

    def wait_for(is_settled):
        settled("kc status", is_settled, kc, "status", NAME)

    equal(sorted(run("info", show=lambda info: info["version"]))[0], "commit")
    run("list-plugins", show=file_streams)
    run("create", "--config-data", json.dumps({"name": NAME, "config": config}))
    wait_for(are("RUNNING"))
    equal(run("get", NAME)["name"], NAME)
    equal(run("config", NAME)["topic"], NAME)
    equal(run("list", "--pattern", ONLY), [NAME])
    equal(len(run("list-tasks", NAME)), 1)
    equal(run("task-status", NAME, "0")["state"], "RUNNING")
    run("pause", NAME)
    wait_for(are("PAUSED"))
    run("resume", NAME)
    wait_for(are("RUNNING"))
    # Shows the status while the worker is at it.
    run("restart", "--include-tasks", NAME, show=lambda status: status["name"])
    wait_for(are("RUNNING"))
    run("restart-task", NAME, "0")
    wait_for(are("RUNNING"))
    settled("kc list-topics", lambda topics: NAME in topics, kc, "list-topics", NAME, show=sorted)
    run("reset-topics", NAME)
    changed = {**config, "name": NAME, "batch.size": "8"}
    equal(run("update", NAME, "--config-data", json.dumps(changed))["config"], changed)
    # It sends the text of the configuration as a JSON string, which no worker takes.
    fails("kc validate-config", HTTPError, status_of, kc, "validate-config", CLASS, "-d", json.dumps(changed))
    run("delete", NAME)
    equal(fails("kc get", HTTPError, status_of, kc, "get", NAME), 404)


def main(url, directory):
    user, password = os.environ.get("CLIENT_USER"), os.environ.get("CLIENT_PASSWORD")
    auth = f"{user}:{password}" if user else None
    client = KafkaConnect(url=url, auth=auth)
    config = source(os.path.join(directory, "in.txt"), NAME)
    look_around(client, config)
    create_and_read(client, config)
    lifecycle(client)
    topics(client)
    change_and_delete(client, config)
    command_line(url, auth, config)
    tell("done", None)


if __name__ == "__main__":
    main(*sys.argv[1:])
