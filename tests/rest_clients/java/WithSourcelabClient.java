import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPlugin;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigValidationResults;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigValidationResults.Config;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.InvalidRequestException;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException;

/**
 * Maven's org.sourcelab:kafka-connect-client: every method of its client, at the worker URL.
 *
 * <p>usage: java -cp JARS WithSourcelabClient.java URL DIR
 *
 * <p>CLIENT_USER and CLIENT_PASSWORD say who asks, CLIENT_TRUST_STORE and CLIENT_TRUST_STORE_PASSWORD name the
 * authority of an HTTPS address.
 *
 * <p>Prints a line of JSON per call: its name and what it gave.
 */
public final class WithSourcelabClient {
    private static final String CLASS = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    /** With a blank, which it has to escape. */
    private static final String NAME = "clients java";
    private static final String TOPIC = "clients-java";
    /** Milliseconds that a change of a connector may take. */
    private static final long PATIENCE = 60_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KafkaConnectClient client;
    private final Map<String, String> config;

    private WithSourcelabClient(String url, Path dir) throws Exception {
        Path file = dir.resolve("in.txt");
        Files.writeString(file, "one\ntwo\nthree\n");
        Configuration worker = new Configuration(url).useRequestTimeoutInSeconds(60);
        Map<String, String> variables = System.getenv();
        if (variables.containsKey("CLIENT_USER")) {
            worker.useBasicAuth(variables.get("CLIENT_USER"), variables.get("CLIENT_PASSWORD"));
        }
        if (variables.containsKey("CLIENT_TRUST_STORE")) {
            File store = new File(variables.get("CLIENT_TRUST_STORE"));
            worker.useTrustStore(store, variables.get("CLIENT_TRUST_STORE_PASSWORD"));
        }
        client = new KafkaConnectClient(worker);
        config = Map.of(
            "connector.class", "FileStreamSource", "tasks.max", "1", "file", file.toString(), "topic", TOPIC);
    }

    public static void main(String[] args) throws Exception {
        WithSourcelabClient script = new WithSourcelabClient(args[0], Path.of(args[1]));
        script.lookAround();
        script.createAndRead();
        script.lifecycle();
        script.topics();
        script.changeAndDelete();
        tell("done", null);
    }

    private void lookAround() throws Exception {
        var server = call("getConnectServerVersion", client::getConnectServerVersion, found -> found.getVersion());
        equal(server.getCommit() != null && server.getKafkaClusterId() != null, true);
        var plugins = call("getConnectorPlugins", client::getConnectorPlugins, WithSourcelabClient::fileStreams);
        equal(fileStreams(plugins).stream().map(ConnectorPlugin::getType).toList(), List.of("sink", "source"));
        Map<String, String> named = with(config, "name", NAME);
        var valid = call("validateConnectorPluginConfig", () -> validate(named), WithSourcelabClient::problems);
        equal(valid.getErrorCount(), 0);
        equal(valid.getName(), "FileStreamSource");
        var bad = Map.of("name", NAME, "connector.class", CLASS, "tasks.max", "many");
        var invalid = call(
            "validateConnectorPluginConfig of a bad one", () -> validate(bad), WithSourcelabClient::problems);
        equal(List.copyOf(problems(invalid).keySet()), List.of("tasks.max", "topic"));
        var size = definition(valid, "batch.size").getDefinition();
        equal(size.getDefaultValue(), "2000");
        tell(
            "batch.size",
            Arrays.asList(
                size.getType(), size.isRequired(), size.getImportance(), size.getGroup(), size.getWidth(),
                size.getDisplayName(), size.getDependents(), size.getOrder()));
    }

    private ConnectorPluginConfigValidationResults validate(Map<String, String> of) {
        var asked = ConnectorPluginConfigDefinition.newBuilder().withName("FileStreamSource").withConfig(of);
        return client.validateConnectorPluginConfig(asked.build());
    }

    private void createAndRead() throws Exception {
        Map<String, String> named = with(config, "name", NAME);
        var wanted = NewConnectorDefinition.newBuilder().withName(NAME).withConfig(config).build();
        var created = call("addConnector", () -> client.addConnector(wanted));
        equal(List.of(created.getName(), created.getType()), List.of(NAME, "source"));
        equal(created.getConfig(), named);
        fails("addConnector twice", RuntimeException.class, () -> client.addConnector(wanted));
        becomes("getConnectorStatus", are("RUNNING", 1));
        var read = call("getConnector", () -> client.getConnector(NAME));
        equal(read.getTasks().size(), 1);
        equal(read.getTasks().get(0).getConnector(), NAME);
        equal(call("getConnectorConfig", () -> client.getConnectorConfig(NAME)), named);
        equal(call("getConnectors", client::getConnectors, all -> all.contains(NAME)).contains(NAME), true);
        var all = call(
            "getConnectorsWithAllExpandedMetadata",
            client::getConnectorsWithAllExpandedMetadata,
            found -> List.of(found.getDefinitionForConnector(NAME), found.getStatusForConnector(NAME)));
        equal(all.getStatusForConnector(NAME).getTasks().get(0).getState(), "RUNNING");
        var infos = call(
            "getConnectorsWithExpandedInfo",
            client::getConnectorsWithExpandedInfo,
            found -> found.getDefinitionForConnector(NAME));
        equal(infos.getDefinitionForConnector(NAME).getConfig(), named);
        var states = call(
            "getConnectorsWithExpandedStatus",
            client::getConnectorsWithExpandedStatus,
            found -> found.getStatusForConnector(NAME));
        equal(states.getStatusForConnector(NAME).getConnector().get("state"), "RUNNING");
        var tasks = call("getConnectorTasks", () -> client.getConnectorTasks(NAME));
        equal(tasks.iterator().next().getId().getTask(), 0);
        var task = call("getConnectorTaskStatus", () -> client.getConnectorTaskStatus(NAME, 0));
        equal(List.of(task.getId(), task.getState()), List.of(0, "RUNNING"));
        fails("getConnector of none", ResourceNotFoundException.class, () -> client.getConnector("clients-none"));
        fails(
            "getConnectorTaskStatus of none", ResourceNotFoundException.class,
            () -> client.getConnectorTaskStatus(NAME, 7));
    }

    private void lifecycle() throws Exception {
        var running = are("RUNNING", 1);
        changes("restartConnector", () -> client.restartConnector(NAME), running);
        var withTasks = new PostConnectorRestart(NAME).withIncludeTasks(true).withOnlyFailed(false);
        changes("restartConnector includeTasks", () -> client.restartConnector(withTasks), running);
        var onlyFailed = new PostConnectorRestart(NAME).withIncludeTasks(true).withOnlyFailed(true);
        changes("restartConnector onlyFailed", () -> client.restartConnector(onlyFailed), running);
        changes("restartConnectorTask", () -> client.restartConnectorTask(NAME, 0), running);
        changes("pauseConnector", () -> client.pauseConnector(NAME), are("PAUSED", 1));
        changes("resumeConnector", () -> client.resumeConnector(NAME), running);
        changes("stopConnector", () -> client.stopConnector(NAME), are("STOPPED", 0));
        changes("resumeConnector after stop", () -> client.resumeConnector(NAME), running);
    }

    /** After restarts: what is on its way to a topic names it again. */
    private void topics() throws Exception {
        var topics = List.of(TOPIC);
        var used = settled(
            "getConnectorTopics", found -> List.copyOf(found.getTopics()).equals(topics),
            () -> client.getConnectorTopics(NAME));
        equal(used.getName(), NAME);
        equal(call("resetConnectorTopics", () -> client.resetConnectorTopics(NAME)), true);
        equal(call("getConnectorTopics after", () -> client.getConnectorTopics(NAME)).getTopics().isEmpty(), true);
    }

    private void changeAndDelete() throws Exception {
        Map<String, String> changed = with(with(config, "name", NAME), "batch.size", "7");
        var answer = call("updateConnectorConfig", () -> client.updateConnectorConfig(NAME, changed));
        equal(answer.getConfig(), changed);
        becomes("updateConnectorConfig: status", are("RUNNING", 1));
        equal(call("getConnectorConfig changed", () -> client.getConnectorConfig(NAME)), changed);
        fails(
            "updateConnectorConfig badly", InvalidRequestException.class,
            () -> client.updateConnectorConfig(NAME, with(changed, "batch.size", "few")));
        equal(client.getConnectorConfig(NAME), changed);
        equal(call("deleteConnector", () -> client.deleteConnector(NAME)), true);
        equal(client.getConnectors().contains(NAME), false);
        fails("getConnectorStatus", ResourceNotFoundException.class, () -> client.getConnectorStatus(NAME));
        fails("deleteConnector again", ResourceNotFoundException.class, () -> client.deleteConnector(NAME));
    }

    private void changes(String name, Supplier<Boolean> verb, Predicate<ConnectorStatus> isSettled)
        throws Exception {
        equal(call(name, verb), true);
        becomes(name + ": status", isSettled);
    }

    private void becomes(String name, Predicate<ConnectorStatus> isSettled) throws Exception {
        settled(name, isSettled, () -> client.getConnectorStatus(NAME));
    }

    private static Predicate<ConnectorStatus> are(String state, int tasks) {
        return status -> state.equals(status.getConnector().get("state"))
            && status.getTasks().size() == tasks
            && status.getTasks().stream().allMatch(task -> state.equals(task.getState()));
    }

    private static List<ConnectorPlugin> fileStreams(Collection<ConnectorPlugin> all) {
        return all.stream()
            .filter(plugin -> plugin.getClassName().contains(".FileStream"))
            .sorted(Comparator.comparing(ConnectorPlugin::getClassName))
            .toList();
    }

    private static Map<String, Collection<String>> problems(ConnectorPluginConfigValidationResults results) {
        Map<String, Collection<String>> problems = new TreeMap<>();
        for (Config one : results.getConfigs()) {
            if (!one.getValue().getErrors().isEmpty()) {
                problems.put(one.getValue().getName(), one.getValue().getErrors());
            }
        }
        return problems;
    }

    private static Config definition(ConnectorPluginConfigValidationResults results, String key) {
        return results.getConfigs().stream()
            .filter(one -> one.getDefinition().getName().equals(key))
            .findFirst()
            .orElseThrow();
    }

    private static Map<String, String> with(Map<String, String> map, String key, String value) {
        Map<String, String> more = new HashMap<>(map);
        more.put(key, value);
        return more;
    }

    private static <T> T call(String name, Supplier<T> ask) throws Exception {
        return call(name, ask, answer -> answer);
    }

    /** Prints what {@code show} makes of an answer, and gives the answer. */
    private static <T> T call(String name, Supplier<T> ask, Function<T, Object> show) throws Exception {
        T answer = ask.get();
        tell(name, show.apply(answer));
        return answer;
    }

    /** Calls what has to fail with this exception, and prints how. */
    private static void fails(String name, Class<? extends Exception> expected, Runnable ask) throws Exception {
        try {
            ask.run();
        } catch (RuntimeException failure) {
            if (!expected.isInstance(failure)) {
                throw failure;
            }
            tell(name, List.of(failure.getClass().getSimpleName(), String.valueOf(failure.getMessage())));
            return;
        }
        throw new AssertionError(name + " did not fail");
    }

    /** Repeats a call until its answer is as it should be, and prints that one. */
    private static <T> T settled(String name, Predicate<T> isSettled, Supplier<T> ask) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE;
        while (true) {
            T answer = ask.get();
            if (isSettled.test(answer)) {
                tell(name, answer);
                return answer;
            }
            if (System.currentTimeMillis() > deadline) {
                throw new AssertionError(name + " is still " + answer + " after " + PATIENCE + " ms");
            }
            Thread.sleep(30);
        }
    }

    private static void tell(String name, Object answer) throws Exception {
        System.out.println(JSON.writeValueAsString(Arrays.asList(name, answer)));
    }

    private static void equal(Object actual, Object expected) {
        if (!Objects.equals(actual, expected)) {
            throw new AssertionError(actual + " is not " + expected);
        }
    }
}
