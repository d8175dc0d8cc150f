"""What the scripts of Python's clients share: a line of JSON per call, and waiting with a limit."""

import json
import time

# Seconds that a change of a connector may take.
PATIENCE = 60


def call(name, function, *args, show=lambda answer: answer, **kwargs):
    """Calls a method of a client, prints what `show` makes of its answer, and gives the answer."""
    answer = function(*args, **kwargs)
    tell(name, show(answer))
    return answer


def fails(name, error, status_of, function, *args, **kwargs):
    """Calls what has to fail with this exception, and prints the status that the client got."""
    try:
        answer = function(*args, **kwargs)
    except error as failure:
        status = status_of(failure)
        tell(name, {"fails": type(failure).__name__, "status": status})
        return status
    raise AssertionError(f"{name} gave {answer!r} and no {error.__name__}")


def settled(name, is_settled, function, *args, show=lambda answer: answer, **kwargs):
    """Repeats a call until its answer is as it should be, and prints that one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = function(*args, **kwargs)
        if is_settled(answer):
            tell(name, show(answer))
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{name} is still {answer!r} after {PATIENCE} s")
        time.sleep(0.03)


def tell(name, answer):
    print(json.dumps([name, answer]), flush=True)


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def are(state, tasks=1):
    """Whether a status shows a connector in this state with so many tasks, all in this state."""

    def check(status):
        states = [task["state"] for task in status["tasks"]]
        return status["connector"]["state"] == state and states == [state] * tasks

    return check


def is_stopped(status):
    return are("STOPPED", 0)(status)


def file_streams(plugins):
    """Of a list of plugins those that every worker has."""
    own = [plugin for plugin in plugins if ".FileStream" in plugin["class"]]
    return sorted(own, key=lambda plugin: plugin["class"])


def problems(validation):
    """Of a validation what is wrong, by key."""
    values = [config["value"] for config in validation["configs"]]
    errors = {value["name"]: value["errors"] for value in values if value["errors"]}
    return {"name": validation["name"], "error_count": validation["error_count"], "errors": errors}


def source(file, topic):
    """A connector of three lines; the configuration without its name."""
    with open(file, "w", encoding="utf-8") as lines:
        lines.write("one\ntwo\nthree\n")
    return {
        "connector.class": "FileStreamSource",
        "tasks.max": "1",
        "file": file,
        "topic": topic,
    }
