import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.crypto.spec.SecretKeySpec;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeConfigsResult;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.internals.KafkaFutureImpl;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.runtime.AbstractStatus;
import org.apache.kafka.connect.runtime.ConnectorStatus;
import org.apache.kafka.connect.runtime.RestartRequest;
import org.apache.kafka.connect.runtime.SessionKey;
import org.apache.kafka.connect.runtime.TargetState;
import org.apache.kafka.connect.runtime.TaskStatus;
import org.apache.kafka.connect.runtime.TopicStatus;
import org.apache.kafka.connect.runtime.WorkerConfig;
import org.apache.kafka.connect.runtime.distributed.DistributedConfig;
import org.apache.kafka.connect.storage.AppliedConnectorConfig;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.storage.ConfigBackingStore;
import org.apache.kafka.connect.storage.ConnectorOffsetBackingStore;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.KafkaConfigBackingStore;
import org.apache.kafka.connect.storage.KafkaOffsetBackingStore;
import org.apache.kafka.connect.storage.KafkaStatusBackingStore;
import org.apache.kafka.connect.storage.OffsetBackingStore;
import org.apache.kafka.connect.storage.OffsetStorageReaderImpl;
import org.apache.kafka.connect.storage.OffsetStorageWriter;
import org.apache.kafka.connect.util.Callback;
import org.apache.kafka.connect.util.ConnectorTaskId;
import org.apache.kafka.connect.util.KafkaBasedLog;
import org.apache.kafka.connect.util.LoggingContext;
import org.apache.kafka.connect.util.TopicAdmin;

/**
 * Drives Apache's stores of the internal topics without a broker: records go to the callbacks that their
 * consumers would call, and what they send is taken down. One JSON line per question on standard input, one
 * per answer; tests/integration/internal_topics asks.
 */
public class InternalTopicsOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static DistributedConfig shared;

    public static void main(String[] arguments) throws Exception {
        shared = worker(NODES.objectNode());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
            out.flush();
        }
        System.exit(0);
    }

    private static JsonNode answer(JsonNode question) throws Exception {
        switch (question.get("do").textValue()) {
            case "config": return new ConfigTopic().run(question.get("steps"));
            case "status": return new StatusTopic(question).run(question.get("steps"));
            case "offsets": return new Offsets().run(question.get("steps"));
            case "topic": return topic(question);
            case "create": return create(question);
            default: return partitions(question);
        }
    }

    private interface Steps {
        JsonNode step(JsonNode step) throws Exception;

        default JsonNode run(JsonNode steps) throws Exception {
            ArrayNode answers = NODES.arrayNode();
            for (JsonNode step : steps) {
                answers.add(step(step));
            }
            return answers;
        }
    }

    private static byte[] bytes(JsonNode node) {
        return node.isNull() ? null : Base64.getDecoder().decode(node.textValue());
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    private static Object field(Object object, Class<?> declaring, String name) throws Exception {
        Field field = declaring.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    private static void set(Object object, Class<?> declaring, String name, Object value) throws Exception {
        Field field = declaring.getDeclaredField(name);
        field.setAccessible(true);
        field.set(object, value);
    }

    private static Converter converter(boolean isKey) {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", "false"), isKey);
        return converter;
    }

    private static DistributedConfig worker(JsonNode more) throws Exception {
        Map<String, String> props = new HashMap<>();
        props.put("bootstrap.servers", "localhost:1");
        props.put("group.id", "g");
        props.put("key.converter", JsonConverter.class.getName());
        props.put("value.converter", JsonConverter.class.getName());
        props.put("config.storage.topic", "configs");
        props.put("offset.storage.topic", "offsets");
        props.put("status.storage.topic", "statuses");
        more.fields().forEachRemaining(entry -> props.put(entry.getKey(), entry.getValue().textValue()));
        DistributedConfig worker = new DistributedConfig(props);
        // Else it is looked up.
        set(worker, WorkerConfig.class, "kafkaClusterId", "cluster");
        return worker;
    }

    /** Takes down what is sent; a send ends at once, well or not, when its callback is not kept. */
    private static final class Log<K> extends KafkaBasedLog<K, byte[]> {
        final List<Object[]> sent = new ArrayList<>();
        final List<org.apache.kafka.clients.producer.Callback> callbacks = new ArrayList<>();
        boolean keepsCallbacks;
        boolean fails;
        int partitions = 1;
        Consumer<Log<K>> onSend = log -> { };

        Log() {
            super("t", Map.of(), Map.of(), () -> null, (error, record) -> { }, Time.SYSTEM, admin -> { });
        }

        @Override public void start() { }
        @Override public void stop() { }
        @Override public void flush() { }
        @Override public int partitionCount() { return partitions; }
        @Override public void readToEnd(Callback<Void> callback) { callback.onCompletion(null, null); }
        @Override public Future<Void> readToEnd() { return CompletableFuture.completedFuture(null); }

        @Override public Future<RecordMetadata> sendWithReceipt(K key, byte[] value) {
            return sendWithReceipt(key, value, null);
        }

        @Override public void send(K key, byte[] value, org.apache.kafka.clients.producer.Callback callback) {
            sendWithReceipt(key, value, callback);
        }

        @Override public Future<RecordMetadata> sendWithReceipt(
                K key, byte[] value, org.apache.kafka.clients.producer.Callback callback) {
            sent.add(new Object[] {key, value});
            onSend.accept(this);
            if (keepsCallbacks) {
                callbacks.add(callback);
            } else if (callback != null) {
                callback.onCompletion(null, fails ? new ConnectException("refused") : null);
            }
            return CompletableFuture.completedFuture(null);
        }

        ArrayNode takeSent() {
            ArrayNode records = NODES.arrayNode();
            for (Object[] record : sent) {
                Object key = record[0];
                byte[] keyBytes = key instanceof String ? ((String) key).getBytes(StandardCharsets.UTF_8) : (byte[]) key;
                records.addArray().add(base64(keyBytes)).add(base64((byte[]) record[1]));
            }
            sent.clear();
            return records;
        }
    }

    private static ConsumerRecord<String, byte[]> record(long offset, JsonNode key, JsonNode value) {
        byte[] keyBytes = bytes(key);
        String text = keyBytes == null ? null : new StringDeserializer().deserialize("t", keyBytes);
        return new ConsumerRecord<>("t", 0, offset, text, bytes(value));
    }

    private static Map<String, String> texts(JsonNode node) {
        Map<String, String> texts = new LinkedHashMap<>();
        node.fields().forEachRemaining(entry -> texts.put(entry.getKey(), entry.getValue().textValue()));
        return texts;
    }

    private static final class ConfigTopic implements Steps, ConfigBackingStore.UpdateListener {
        private final KafkaConfigBackingStore store =
            new KafkaConfigBackingStore(converter(false), shared, null, () -> null, "client");
        private final Callback<ConsumerRecord<String, byte[]>> callback;
        private final Log<String> log = new Log<>();
        private ArrayNode events = NODES.arrayNode();

        @SuppressWarnings("unchecked")
        ConfigTopic() throws Exception {
            Object own = field(store, KafkaConfigBackingStore.class, "configLog");
            callback = (Callback<ConsumerRecord<String, byte[]>>) field(own, KafkaBasedLog.class, "consumedCallback");
            set(store, KafkaConfigBackingStore.class, "configLog", log);
            store.setUpdateListener(this);
        }

        @Override
        public JsonNode step(JsonNode step) throws Exception {
            switch (step.get(0).textValue()) {
                case "record": {
                    events = NODES.arrayNode();
                    try {
                        callback.onCompletion(null, record(step.get(1).longValue(), step.get(2), step.get(3)));
                    } catch (RuntimeException e) {
                        // The worker's thread, or its start, ends here. The state is as it was.
                        if (events.size() > 0) {
                            events.add("failed after");
                        }
                    }
                    return events;
                }
                case "start":
                    store.start();
                    return NODES.nullNode();
                case "state":
                    return state();
                default:
                    put(step);
                    return log.takeSent();
            }
        }

        private void put(JsonNode step) {
            String name = step.get(1).textValue();
            switch (step.get(0).textValue()) {
                case "put-connector": {
                    JsonNode state = step.get(3);
                    store.putConnectorConfig(name, texts(step.get(2)),
                        state.isNull() ? null : TargetState.valueOf(state.textValue()));
                    return;
                }
                case "put-removal": store.removeConnectorConfig(name); return;
                case "put-tasks": {
                    List<Map<String, String>> configs = new ArrayList<>();
                    step.get(2).forEach(config -> configs.add(texts(config)));
                    store.putTaskConfigs(name, configs);
                    return;
                }
                case "put-target": store.putTargetState(name, TargetState.valueOf(step.get(2).textValue())); return;
                case "put-count": store.putTaskCountRecord(name, step.get(2).intValue()); return;
                case "put-session":
                    store.putSessionKey(new SessionKey(
                        new SecretKeySpec(bytes(step.get(2)), name), step.get(3).longValue()));
                    return;
                case "put-restart":
                    store.putRestartRequest(new RestartRequest(
                        name, step.get(2).booleanValue(), step.get(3).booleanValue()));
                    return;
                case "put-level": store.putLoggerLevel(name, step.get(2).textValue()); return;
                default: throw new IllegalArgumentException(step.toString());
            }
        }

        @SuppressWarnings("unchecked")
        private <T> T of(ClusterConfigState state, String name) throws Exception {
            return (T) field(state, ClusterConfigState.class, name);
        }

        private JsonNode state() throws Exception {
            ClusterConfigState state = store.snapshot();
            ObjectNode node = NODES.objectNode();
            node.put("offset", state.offset());
            node.set("session", session(state.sessionKey()));
            ObjectNode configs = node.putObject("connectors");
            ObjectNode runs = node.putObject("runs");
            for (String name : state.connectors()) {
                configs.set(name, config(state.rawConnectorConfig(name)));
                ArrayNode tasks = runs.putArray(name);
                try {
                    state.tasks(name).forEach(id -> tasks.add(id.task()));
                } catch (IllegalArgumentException e) {
                    // A list of less than no tasks.
                }
            }
            ObjectNode counts = node.putObject("counts");
            this.<Map<String, Integer>>of(state, "connectorTaskCounts").forEach((name, count) -> {
                if (count != 0) counts.put(name, count);
            });
            ObjectNode targets = node.putObject("targets");
            this.<Map<String, TargetState>>of(state, "connectorTargetStates")
                .forEach((name, target) -> targets.put(name, target.name()));
            ObjectNode tasks = node.putObject("tasks");
            this.<Map<ConnectorTaskId, Map<String, String>>>of(state, "taskConfigs")
                .forEach((id, config) -> tasks.set(id.toString(), config(config)));
            ObjectNode records = node.putObject("records");
            this.<Map<String, Integer>>of(state, "connectorTaskCountRecords").forEach(records::put);
            ObjectNode generations = node.putObject("generations");
            this.<Map<String, Integer>>of(state, "connectorTaskConfigGenerations").forEach(generations::put);
            ObjectNode applied = node.putObject("applied");
            this.<Map<String, AppliedConnectorConfig>>of(state, "appliedConnectorConfigs")
                .forEach((name, config) -> applied.set(name, config(config.transformedConfig(null))));
            ObjectNode pending = node.putObject("pending");
            this.<Set<String>>of(state, "connectorsPendingFencing").forEach(name -> pending.put(name, true));
            ObjectNode inconsistent = node.putObject("inconsistent");
            state.inconsistentConnectors().forEach(name -> inconsistent.put(name, true));
            return node;
        }

        private static JsonNode session(SessionKey key) {
            if (key == null) {
                return NODES.nullNode();
            }
            return NODES.arrayNode().add(base64(key.key().getEncoded())).add(key.key().getAlgorithm())
                .add(key.creationTimestamp());
        }

        private static ObjectNode config(Map<?, ?> config) {
            ObjectNode node = NODES.objectNode();
            config.forEach((key, value) -> node.put(String.valueOf(key), value == null ? null : String.valueOf(value)));
            return node;
        }

        @Override public void onConnectorConfigRemove(String connector) {
            events.addArray().add("removed").add(connector);
        }

        @Override public void onConnectorConfigUpdate(String connector) {
            events.addArray().add("updated").add(connector);
        }

        @Override public void onTaskConfigUpdate(Collection<ConnectorTaskId> tasks) {
            ObjectNode ids = NODES.objectNode();
            tasks.forEach(id -> ids.put(id.toString(), true));
            events.addArray().add("tasks").add(ids);
        }

        @Override public void onConnectorTargetStateChange(String connector) {
            events.addArray().add("target").add(connector);
        }

        @Override public void onSessionKeyUpdate(SessionKey key) {
            events.addArray().add("session").add(session(key));
        }

        @Override public void onRestartRequest(RestartRequest request) {
            events.addArray().add("restart").add(request.connectorName())
                .add(request.onlyFailed()).add(request.includeTasks());
        }

        @Override public void onLoggingLevelUpdate(String namespace, String level) {
            events.addArray().add("level").add(namespace).add(level);
        }
    }

    private static final class StatusTopic implements Steps {
        private final Log<String> log = new Log<>();
        private final KafkaStatusBackingStore store;
        private final ExecutorService retries;
        private final JsonNode names;
        private final JsonNode topics;

        StatusTopic(JsonNode question) throws Exception {
            Constructor<KafkaStatusBackingStore> made = KafkaStatusBackingStore.class.getDeclaredConstructor(
                Time.class, Converter.class, String.class, Supplier.class, KafkaBasedLog.class);
            made.setAccessible(true);
            log.keepsCallbacks = true;
            store = made.newInstance(Time.SYSTEM, converter(false), "t", null, log);
            retries = (ExecutorService) field(store, KafkaStatusBackingStore.class, "sendRetryExecutor");
            names = question.get("names");
            topics = question.get("topics");
        }

        @Override
        public JsonNode run(JsonNode steps) throws Exception {
            try {
                return Steps.super.run(steps);
            } finally {
                retries.shutdown();
            }
        }

        @Override
        public JsonNode step(JsonNode step) throws Exception {
            switch (step.get(0).textValue()) {
                case "record": {
                    Method read = KafkaStatusBackingStore.class.getDeclaredMethod("read", ConsumerRecord.class);
                    read.setAccessible(true);
                    try {
                        read.invoke(store, record(0, step.get(1), step.get(2)));
                    } catch (java.lang.reflect.InvocationTargetException e) {
                        // A record without a key.
                    }
                    return NODES.nullNode();
                }
                case "put": put(step); return log.takeSent();
                case "used":
                    store.put(new TopicStatus(step.get(2).textValue(), step.get(1).textValue(),
                        step.get(3).intValue(), step.get(4).longValue()));
                    return log.takeSent();
                case "unused":
                    store.deleteTopic(step.get(1).textValue(), step.get(2).textValue());
                    return log.takeSent();
                case "fail":
                    log.callbacks.get(step.get(1).intValue()).onCompletion(null, new TimeoutException("late"));
                    retries.submit(() -> { }).get();
                    return log.takeSent();
                default: return state();
            }
        }

        private void put(JsonNode step) {
            boolean safe = step.get(1).booleanValue();
            String name = step.get(2).textValue();
            AbstractStatus.State state = AbstractStatus.State.valueOf(step.get(4).textValue());
            String trace = step.get(5).textValue();
            String worker = step.get(6).textValue();
            int generation = step.get(7).intValue();
            String version = step.get(8).textValue();
            if (step.get(3).isNull()) {
                ConnectorStatus status = new ConnectorStatus(name, state, trace, worker, generation, version);
                if (safe) store.putSafe(status); else store.put(status);
            } else {
                ConnectorTaskId id = new ConnectorTaskId(name, step.get(3).intValue());
                TaskStatus status = new TaskStatus(id, state, worker, generation, trace, version);
                if (safe) store.putSafe(status); else store.put(status);
            }
        }

        private JsonNode state() {
            ObjectNode node = NODES.objectNode();
            ObjectNode known = node.putObject("known");
            store.connectors().forEach(name -> known.put(name, true));
            for (JsonNode each : names) {
                String name = each.textValue();
                ObjectNode of = node.putObject("of " + name);
                of.set("connector", show(store.get(name)));
                ObjectNode tasks = of.putObject("tasks");
                store.getAll(name).forEach(status -> tasks.set(String.valueOf(status.id().task()), show(status)));
                ObjectNode used = of.putObject("used");
                for (JsonNode topic : topics) {
                    TopicStatus status = store.getTopic(name, topic.textValue());
                    if (status != null) used.set(topic.textValue(), show(status));
                }
                ObjectNode all = of.putObject("topics");
                store.getAllTopics(name).forEach(status -> all.put(show(status).toString(), true));
            }
            return node;
        }

        private static JsonNode show(TopicStatus status) {
            return NODES.arrayNode().add(status.topic()).add(status.connector()).add(status.task())
                .add(status.discoverTimestamp());
        }

        private static JsonNode show(AbstractStatus<?> status) {
            if (status == null) {
                return NODES.nullNode();
            }
            String worker = status.workerId() == null ? "" : status.workerId();
            return NODES.arrayNode().add(status.state().name()).add(status.trace()).add(worker)
                .add(status.generation()).add(status.version());
        }
    }

    private static final class Offsets implements Steps {
        private final Converter keys = converter(true);
        private final Converter values = converter(false);
        private final Map<String, Log<byte[]>> logs = new HashMap<>();
        private final Map<String, OffsetBackingStore> stores = new HashMap<>();
        /** Sends of both in their order, as groups to one store. */
        private final List<List<Object>> groups = new ArrayList<>();

        Offsets() throws Exception {
            KafkaOffsetBackingStore worker = store("worker");
            KafkaOffsetBackingStore connector = store("connector");
            stores.put("both", ConnectorOffsetBackingStore.withConnectorAndWorkerStores(
                () -> LoggingContext.forConnector("c"), worker, connector, "own", new TopicAdmin(Map.of(), admin(null))));
        }

        private KafkaOffsetBackingStore store(String name) throws Exception {
            KafkaOffsetBackingStore store = new KafkaOffsetBackingStore(() -> null, () -> "client", keys);
            Log<byte[]> log = new Log<>();
            log.onSend = sending -> {
                Object[] record = sending.sent.remove(0);
                if (groups.isEmpty() || !groups.get(groups.size() - 1).get(0).equals(name)) {
                    groups.add(new ArrayList<>(List.of(name, new TreeMap<String, String>())));
                }
                @SuppressWarnings("unchecked")
                Map<String, String> group = (Map<String, String>) groups.get(groups.size() - 1).get(1);
                group.put(base64((byte[]) record[0]), base64((byte[]) record[1]));
            };
            set(store, KafkaOffsetBackingStore.class, "offsetLog", log);
            logs.put(name, log);
            stores.put(name, store);
            return store;
        }

        private static Map<String, Object> map(JsonNode node) {
            if (node.isNull()) {
                return null;
            }
            @SuppressWarnings("unchecked")
            Map<String, Object> map = (Map<String, Object>) value(node);
            return map;
        }

        private static Object value(JsonNode node) {
            if (node.isObject()) {
                Map<String, Object> map = new LinkedHashMap<>();
                node.fields().forEachRemaining(entry -> map.put(entry.getKey(), value(entry.getValue())));
                return map;
            }
            if (node.isArray()) {
                List<Object> items = new ArrayList<>();
                node.forEach(item -> items.add(value(item)));
                return items;
            }
            if (node.isNull()) return null;
            if (node.isBoolean()) return node.booleanValue();
            if (node.isTextual()) return node.textValue();
            if (node.isIntegralNumber()) return node.longValue();
            return node.doubleValue();
        }

        @Override
        @SuppressWarnings("unchecked")
        public JsonNode step(JsonNode step) throws Exception {
            String which = step.get(1).textValue();
            OffsetBackingStore store = stores.get(which);
            switch (step.get(0).textValue()) {
                case "record": {
                    Callback<ConsumerRecord<byte[], byte[]>> callback = (Callback<ConsumerRecord<byte[], byte[]>>)
                        field(store, KafkaOffsetBackingStore.class, "consumedCallback");
                    callback.onCompletion(null,
                        new ConsumerRecord<>("t", 0, 0, bytes(step.get(2)), bytes(step.get(3))));
                    return NODES.nullNode();
                }
                case "offset": {
                    OffsetStorageReaderImpl reader =
                        new OffsetStorageReaderImpl(store, step.get(2).textValue(), keys, values);
                    return JSON.valueToTree(reader.offset(map(step.get(3))));
                }
                case "partitions": {
                    ObjectNode found = NODES.objectNode();
                    for (Map<String, Object> partition : store.connectorPartitions(step.get(2).textValue())) {
                        found.put(JSON.writeValueAsString(new TreeMap<>(partition)), true);
                    }
                    return found;
                }
                case "stored": {
                    Map<ByteBuffer, ByteBuffer> data = (Map<ByteBuffer, ByteBuffer>)
                        field(store, KafkaOffsetBackingStore.class, "data");
                    ArrayNode stored = NODES.arrayNode();
                    for (JsonNode key : step.get(2)) {
                        ByteBuffer value = data.get(ByteBuffer.wrap(bytes(key)));
                        stored.add(value == null ? null : base64(value.array()));
                    }
                    return stored;
                }
                default: return write(store, step);
            }
        }

        private JsonNode write(OffsetBackingStore store, JsonNode step) {
            logs.forEach((name, log) -> log.fails = name.equals(step.get(4).textValue()));
            groups.clear();
            OffsetStorageWriter writer = new OffsetStorageWriter(store, step.get(2).textValue(), keys, values);
            for (JsonNode offset : step.get(3)) {
                writer.offset(map(offset.get(0)), map(offset.get(1)));
            }
            List<String> outcome = new ArrayList<>();
            if (writer.beginFlush()) {
                writer.doFlush((error, done) -> outcome.add(error == null ? "done" : error.getMessage()));
            } else {
                outcome.add("done");
            }
            ObjectNode answer = NODES.objectNode();
            answer.set("sent", JSON.valueToTree(groups));
            answer.set("outcome", JSON.valueToTree(outcome));
            return answer;
        }
    }

    /** What the brokers say. */
    private static final class Brokers {
        Throwable onCreate;
        String policy;
        NewTopic asked;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Admin admin(Brokers brokers) {
        return (Admin) Proxy.newProxyInstance(Admin.class.getClassLoader(), new Class<?>[] {Admin.class},
            (proxy, method, arguments) -> {
                switch (method.getName()) {
                    case "createTopics": {
                        brokers.asked = ((Collection<NewTopic>) arguments[0]).iterator().next();
                        KafkaFutureImpl future = new KafkaFutureImpl();
                        if (brokers.onCreate == null) future.complete(null);
                        else future.completeExceptionally(brokers.onCreate);
                        return made(CreateTopicsResult.class, Map.of(brokers.asked.name(), future));
                    }
                    case "describeConfigs": {
                        ConfigResource resource = ((Collection<ConfigResource>) arguments[0]).iterator().next();
                        List<ConfigEntry> entries = new ArrayList<>();
                        if (brokers.policy != null) entries.add(new ConfigEntry("cleanup.policy", brokers.policy));
                        KafkaFutureImpl future = new KafkaFutureImpl();
                        future.complete(new Config(entries));
                        return made(DescribeConfigsResult.class, Map.of(resource, future));
                    }
                    default: return null;
                }
            });
    }

    private static <T> T made(Class<T> type, Map<?, ?> futures) throws Exception {
        Constructor<T> made = type.getDeclaredConstructor(Map.class);
        made.setAccessible(true);
        return made.newInstance(futures);
    }

    /** The initializer of a topic, as a worker's start runs it. */
    @SuppressWarnings("unchecked")
    private static JsonNode topic(JsonNode question) throws Exception {
        DistributedConfig worker = worker(question.get("worker"));
        Object log;
        switch (question.get("topic").textValue()) {
            case "config":
                log = field(new KafkaConfigBackingStore(converter(false), worker, null, () -> null, "client"),
                    KafkaConfigBackingStore.class, "configLog");
                break;
            case "offset": {
                KafkaOffsetBackingStore store = new KafkaOffsetBackingStore(() -> null, () -> "client", converter(true));
                store.configure(worker);
                log = field(store, KafkaOffsetBackingStore.class, "offsetLog");
                break;
            }
            default: {
                KafkaStatusBackingStore store =
                    new KafkaStatusBackingStore(Time.SYSTEM, converter(false), () -> null, "client");
                store.configure(worker);
                log = field(store, KafkaStatusBackingStore.class, "kafkaLog");
            }
        }
        Brokers brokers = new Brokers();
        brokers.policy = question.get("policy").textValue();
        brokers.onCreate = error(question.get("create"));
        Consumer<TopicAdmin> initializer = (Consumer<TopicAdmin>) field(log, KafkaBasedLog.class, "initializer");
        ObjectNode answer = NODES.objectNode();
        try {
            initializer.accept(new TopicAdmin(Map.of(), admin(brokers)));
            answer.putNull("error");
        } catch (RuntimeException e) {
            answer.put("error", e.getMessage());
        }
        answer.put("name", brokers.asked.name());
        answer.put("partitions", brokers.asked.numPartitions());
        answer.put("replicas", brokers.asked.replicationFactor());
        answer.set("configs", JSON.valueToTree(brokers.asked.configs()));
        return answer;
    }

    private static Throwable error(JsonNode node) throws Exception {
        if (node.isNull()) {
            return null;
        }
        String name = "org.apache.kafka.common.errors." + node.get(0).textValue();
        Constructor<?> made = Class.forName(name).getDeclaredConstructor(String.class);
        return (Throwable) made.newInstance(node.get(1).textValue());
    }

    private static JsonNode create(JsonNode question) throws Exception {
        Brokers brokers = new Brokers();
        brokers.onCreate = error(question.get("create"));
        TopicAdmin admin = new TopicAdmin(Map.of(), admin(brokers));
        try {
            boolean created = admin.createTopic(TopicAdmin.defineTopic("t").partitions(1).build());
            return NODES.arrayNode().add(created ? "created" : "existing");
        } catch (ConnectException e) {
            Method again = TopicAdmin.class.getDeclaredMethod("retryableTopicCreationException", ConnectException.class);
            again.setAccessible(true);
            return NODES.arrayNode().add((Boolean) again.invoke(admin, e) ? "again" : "failed").add(e.getMessage());
        }
    }

    private static JsonNode partitions(JsonNode question) throws Exception {
        KafkaConfigBackingStore store =
            new KafkaConfigBackingStore(converter(false), shared, null, () -> null, "client");
        Log<String> log = new Log<>();
        log.partitions = question.get("partitions").intValue();
        set(store, KafkaConfigBackingStore.class, "configLog", log);
        try {
            store.start();
            return NODES.nullNode();
        } catch (RuntimeException e) {
            return NODES.textNode(e.getMessage());
        }
    }
}
