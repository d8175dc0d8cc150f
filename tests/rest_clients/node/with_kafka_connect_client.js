// npm's kafka-connect-client: every method of its two classes, at the worker URL.
//
// usage: node SCRIPT URL DIR
// NODE_EXTRA_CA_CERTS names the authority of an HTTPS address; the client has no credentials.
// Prints a line of JSON per call: its name, and status and body of the answer.
"use strict";

const { deepStrictEqual: equal } = require("node:assert");
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const axios = require("axios");
const { KafkaConnectClient } = require("kafka-connect-client");

const NAME = "clients-node";
const CLASS = "org.apache.kafka.connect.file.FileStreamSourceConnector";
// Milliseconds that a change of a connector may take.
const PATIENCE = 60_000;

const same = (data) => data;

function tell(name, answer) {
  console.log(JSON.stringify([name, answer]));
}

// Prints what `show` makes of an answer's body, and gives the body.
async function call(name, status, ask, show = same) {
  const answer = await ask();
  tell(name, { status: answer.status, data: show(answer.data) });
  equal(answer.status, status, name);
  return answer.data;
}

// Calls what has to fail, and prints how.
async function fails(name, status, ask) {
  let failure;
  try {
    await ask();
  } catch (error) {
    failure = error;
  }
  equal(failure !== undefined, true, `${name} did not fail`);
  tell(name, { fails: failure.constructor.name, status: failure.response?.status ?? null });
  equal(failure.response?.status, status, `${name}: ${failure}`);
}

// Repeats a call until its body is as it should be, and prints that one.
async function settled(name, isSettled, ask, show = same) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const { data } = await ask();
    if (isSettled(data)) {
      tell(name, show(data));
      return data;
    }
    if (Date.now() > deadline) {
      throw new Error(`${name} is still ${JSON.stringify(data)} after ${PATIENCE} ms`);
    }
    await sleep(30);
  }
}

const are = (state, tasks = 1) => (status) =>
  status.connector.state === state &&
  status.tasks.length === tasks &&
  status.tasks.every((task) => task.state === state);

const fileStreams = (plugins) =>
  plugins
    .filter((plugin) => plugin.class.includes(".FileStream"))
    .sort((one, other) => (one.class < other.class ? -1 : 1));

function problems(validation) {
  const values = validation.configs.map((config) => config.value);
  const wrong = values.filter((value) => value.errors.length > 0);
  const errors = Object.fromEntries(wrong.map((value) => [value.name, value.errors]));
  return { name: validation.name, error_count: validation.error_count, errors };
}

async function lookAround(client, config) {
  const cluster = await call("getCluster", 200, () => client.getCluster(), (info) => info.version);
  equal(Boolean(cluster.commit && cluster.kafka_cluster_id), true);
  const plugins = await call("getConnectorPlugins", 200, () => client.getConnectorPlugins(), fileStreams);
  equal(fileStreams(plugins).map((plugin) => plugin.type), ["sink", "source"]);
  const converter = "org.apache.kafka.connect.storage.StringConverter";
  const hasConverter = (all) => all.some((plugin) => plugin.class === converter);
  const all = () => client.getConnectorPlugins({ connectorsOnly: false });
  equal(hasConverter(await call("getConnectorPlugins all", 200, all, hasConverter)), true);
  const named = { name: NAME, ...config };
  const valid = () => client.validateConnectorConfig("FileStreamSource", named);
  equal((await call("validateConnectorConfig", 200, valid, problems)).error_count, 0);
  const bad = { name: NAME, "connector.class": CLASS, "tasks.max": "0" };
  const invalid = () => client.validateConnectorConfig(CLASS, bad);
  const { errors } = problems(await call("validateConnectorConfig of a bad one", 200, invalid, problems));
  equal(Object.keys(errors).sort(), ["tasks.max", "topic"]);
}

async function createAndRead(client, connector, config) {
  const expected = { name: NAME, ...config };
  const created = await call("createConnector", 201, () => client.createConnector(NAME, config));
  equal([created.name, created.type, created.config], [NAME, "source", expected]);
  await fails("createConnector twice", 409, () => client.createConnector(NAME, config));
  await settled("getStatus", are("RUNNING"), () => connector.getStatus());
  const read = await call("get", 200, () => connector.get());
  equal(read, { name: NAME, config: expected, tasks: [{ connector: NAME, task: 0 }], type: "source" });
  equal(await call("getConfig", 200, () => connector.getConfig()), expected);
  const own = (list) => list.includes(NAME);
  equal(own(await call("getConnectors", 200, () => client.getConnectors(), own)), true);
  // It asks for expand[]=status, which no worker knows as expand: the answer is the plain list.
  const expanded = () => client.getConnectors({ expand: ["status", "info"] });
  equal(Array.isArray(await call("getConnectors expand", 200, expanded, Array.isArray)), true);
  const tasks = await call("getTasks", 200, () => connector.getTasks());
  equal(tasks.map((task) => task.id), [{ connector: NAME, task: 0 }]);
  equal((await call("getTaskStatus", 200, () => connector.getTaskStatus(0))).state, "RUNNING");
  // It looks for topics in the text of the answer before that is parsed.
  const failure = await connector.getTopics().then(() => undefined, (error) => error);
  tell("getTopics", failure.constructor.name);
  equal(failure instanceof TypeError, true, `getTopics: ${failure}`);
  await fails("get of none", 404, () => client.connector("clients-none").get());
  await fails("getTaskStatus of none", 404, () => connector.getTaskStatus(7));
}

// What has no body goes out as a form, which Connect does not take, unless axios is told otherwise.
async function asForms(connector) {
  for (const verb of ["pause", "resume", "stop", "resetTopics"]) {
    await fails(`${verb} as a form`, 415, () => connector[verb]());
  }
  await fails("restartTask as a form", 415, () => connector.restartTask(0));
  for (const method of ["post", "put"]) {
    axios.defaults.headers[method]["Content-Type"] = "application/json";
  }
}

async function lifecycle(connector) {
  await call("resetTopics", 202, () => connector.resetTopics());
  const steps = [
    ["restart", 204, () => connector.restart(), are("RUNNING")],
    // It sends these as a body, which no worker reads.
    ["restart includeTasks", 204, () => connector.restart({ includeTasks: true }), are("RUNNING")],
    ["restartTask", 204, () => connector.restartTask(0), are("RUNNING")],
    ["pause", 202, () => connector.pause(), are("PAUSED")],
    ["resume", 202, () => connector.resume(), are("RUNNING")],
  ];
  for (const [name, status, verb, isSettled] of steps) {
    await call(name, status, verb);
    await settled(`${name}: status`, isSettled, () => connector.getStatus());
  }
}

async function offsets(connector, file) {
  const partition = { filename: file };
  const position = (data) => data.offsets.find((one) => one.partition.filename === file)?.offset;
  const isRead = (data) => position(data)?.position === 14;
  await settled("getOffsets", isRead, () => connector.getOffsets(), position);
  const back = [{ partition, offset: { position: 4 } }];
  await fails("alterOffsets while it runs", 400, () => connector.alterOffsets(back));
  await call("stop", 204, () => connector.stop());
  await settled("stop: status", are("STOPPED", 0), () => connector.getStatus());
  await call("alterOffsets", 200, () => connector.alterOffsets(back));
  equal(position(await call("getOffsets altered", 200, () => connector.getOffsets(), position)), { position: 4 });
  await call("resetOffsets", 200, () => connector.resetOffsets());
  equal(await call("getOffsets reset", 200, () => connector.getOffsets()), { offsets: [] });
  await call("resume after stop", 202, () => connector.resume());
  await settled("resume after stop: status", are("RUNNING"), () => connector.getStatus());
}

async function changeAndDelete(client, connector, config) {
  const changed = { ...config, name: NAME, "batch.size": "7" };
  const answer = await call("updateConfig", 200, () => connector.updateConfig(changed));
  equal(answer.config, changed);
  equal(await call("getConfig changed", 200, () => connector.getConfig()), changed);
  await fails("updateConfig badly", 400, () => connector.updateConfig({ ...changed, "batch.size": "few" }));
  equal((await connector.getConfig()).data, changed);
  await call("delete", 204, () => connector.delete());
  await fails("getStatus of a deleted one", 404, () => connector.getStatus());
  await fails("delete of a deleted one", 404, () => connector.delete());
  const again = client.connector(NAME);
  equal((await call("create", 201, () => again.create(config))).config, { ...config, name: NAME });
  await settled("create: status", are("RUNNING"), () => again.getStatus());
  await call("delete again", 204, () => again.delete());
}

async function main(url, directory) {
  const { protocol, hostname, port } = new URL(url);
  const client = new KafkaConnectClient({ protocol: protocol.slice(0, -1), host: hostname, port });
  let connector = client.connector(NAME);
  const file = join(directory, "in.txt");
  writeFileSync(file, "one\ntwo\nthree\n");
  const config = { "connector.class": "FileStreamSource", "tasks.max": "1", file, topic: NAME };
  await lookAround(client, config);
  await createAndRead(client, connector, config);
  await asForms(connector);
  connector = client.connector(NAME);
  await lifecycle(connector);
  await offsets(connector, file);
  await changeAndDelete(client, connector, config);
  tell("done", null);
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error.response?.data ?? "", error);
  process.exitCode = 1;
});
