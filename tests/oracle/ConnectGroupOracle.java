import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.clients.GroupRebalanceConfig;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocol;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocolCollection;
import org.apache.kafka.common.message.JoinGroupResponseData.JoinGroupResponseMember;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.utils.ExponentialBackoff;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.distributed.ConnectAssignor;
import org.apache.kafka.connect.runtime.distributed.ConnectProtocol;
import org.apache.kafka.connect.runtime.distributed.ConnectProtocolCompatibility;
import org.apache.kafka.connect.runtime.distributed.EagerAssignor;
import org.apache.kafka.connect.runtime.distributed.ExtendedAssignment;
import org.apache.kafka.connect.runtime.distributed.ExtendedWorkerState;
import org.apache.kafka.connect.runtime.distributed.IncrementalCooperativeAssignor;
import org.apache.kafka.connect.runtime.distributed.IncrementalCooperativeConnectProtocol;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

/**
 * Says what Apache's worker group does: one JSON line per question on standard input, one per answer.
 * tests/integration/connect_group asks.
 */
public class ConnectGroupOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Group group = new Group();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(answer(group, JSON.readTree(line))));
            out.flush();
        }
    }

    private static JsonNode answer(Group group, JsonNode question) throws Exception {
        switch (question.get("do").textValue()) {
            case "java": return NODES.numberNode(Runtime.version().feature());
            case "read metadata": return readMetadata(question);
            case "read assignment": return readAssignment(question);
            case "write": return write(question);
            case "backoff": return backoff(question);
            default: return group.history(question);
        }
    }

    private static byte[] bytes(JsonNode node) {
        return Base64.getDecoder().decode(node.textValue());
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static JsonNode readMetadata(JsonNode question) {
        try {
            ExtendedWorkerState state =
                IncrementalCooperativeConnectProtocol.deserializeMetadata(ByteBuffer.wrap(bytes(question.get("bytes"))));
            ObjectNode shown = NODES.objectNode();
            shown.put("url", state.url()).put("offset", state.offset());
            // No assignment is the empty one, which alone has no leader.
            shown.set("assignment", state.assignment().leader() == null ? NODES.nullNode() : show(state.assignment()));
            return shown;
        } catch (RuntimeException e) {
            return NODES.textNode("refused");
        }
    }

    private static JsonNode readAssignment(JsonNode question) {
        try {
            return show(IncrementalCooperativeConnectProtocol.deserializeAssignment(
                ByteBuffer.wrap(bytes(question.get("bytes")))));
        } catch (RuntimeException e) {
            return NODES.textNode("refused");
        }
    }

    private static JsonNode show(ExtendedAssignment assignment) {
        ObjectNode shown = NODES.objectNode();
        shown.put("version", assignment.version()).put("error", assignment.error());
        shown.put("leader", assignment.leader()).put("leaderUrl", assignment.leaderUrl());
        shown.put("offset", assignment.offset()).put("delay", assignment.delay());
        shown.set("assigned", show(assignment.connectors(), assignment.tasks()));
        shown.set("revoked", show(assignment.revokedConnectors(), assignment.revokedTasks()));
        return shown;
    }

    private static ArrayNode show(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        ArrayNode both = NODES.arrayNode();
        ArrayNode names = both.addArray();
        connectors.forEach(names::add);
        ArrayNode ids = both.addArray();
        tasks.forEach(task -> ids.addArray().add(task.connector()).add(task.task()));
        return both;
    }

    private static List<String> connectors(JsonNode both) {
        List<String> names = new ArrayList<>();
        both.get(0).forEach(name -> names.add(name.textValue()));
        return names;
    }

    private static List<ConnectorTaskId> tasks(JsonNode both) {
        List<ConnectorTaskId> ids = new ArrayList<>();
        both.get(1).forEach(id -> ids.add(new ConnectorTaskId(id.get(0).textValue(), id.get(1).intValue())));
        return ids;
    }

    /** The protocols of a JoinGroup request, and an assignment in each version. */
    private static JsonNode write(JsonNode question) {
        JsonNode given = question.get("assignment");
        ExtendedAssignment assignment = given.isNull() ? null : new ExtendedAssignment(
            (short) given.get("version").intValue(), (short) given.get("error").intValue(),
            given.get("leader").textValue(), given.get("leaderUrl").textValue(), given.get("offset").longValue(),
            connectors(given.get("assigned")), tasks(given.get("assigned")),
            connectors(given.get("revoked")), tasks(given.get("revoked")), given.get("delay").intValue());
        ExtendedWorkerState state =
            new ExtendedWorkerState(question.get("url").textValue(), question.get("offset").longValue(), assignment);
        JoinGroupRequestProtocolCollection listed;
        switch (question.get("protocol").textValue()) {
            case "eager": listed = ConnectProtocol.metadataRequest(state); break;
            case "compatible": listed = IncrementalCooperativeConnectProtocol.metadataRequest(state, false); break;
            default: listed = IncrementalCooperativeConnectProtocol.metadataRequest(state, true);
        }
        ObjectNode written = NODES.objectNode();
        ArrayNode protocols = written.putArray("protocols");
        for (JoinGroupRequestProtocol protocol : listed) {
            protocols.addArray().add(protocol.name()).add(base64(protocol.metadata()));
        }
        ArrayNode assignments = written.putArray("assignments");
        if (assignment != null) {
            assignments.add(base64(ConnectProtocol.serializeAssignment(assignment).array()));
            for (boolean sessioned : new boolean[] {false, true}) {
                assignments.add(base64(
                    IncrementalCooperativeConnectProtocol.serializeAssignment(assignment, sessioned).array()));
            }
        }
        return written;
    }

    /** The delays of IncrementalCooperativeAssignor for maximal ones. */
    private static JsonNode backoff(JsonNode question) {
        ArrayNode answer = NODES.arrayNode();
        for (JsonNode max : question.get("max")) {
            ExponentialBackoff backoff =
                new ExponentialBackoff(max.intValue() == 0 ? 0 : 1, 40, max.intValue(), 0);
            ArrayNode delays = answer.addArray();
            for (int attempt = 1; attempt <= 8; attempt++) {
                delays.add(backoff.backoff(attempt));
            }
        }
        return answer;
    }

    private static ClusterConfigState config(JsonNode node) {
        Map<String, Integer> counts = new HashMap<>();
        Map<String, Map<String, String>> configs = new HashMap<>();
        Set<String> inconsistent = new HashSet<>();
        for (JsonNode connector : node.get("connectors")) {
            String name = connector.get(0).textValue();
            configs.put(name, Map.of());
            counts.put(name, connector.get(1).intValue());
            if (connector.get(2).booleanValue()) {
                inconsistent.add(name);
            }
        }
        return new ClusterConfigState(node.get("offset").longValue(), null, counts, configs, Map.of(), Map.of(),
            Map.of(), Map.of(), Map.of(), Set.of(), inconsistent);
    }

    /** The leader's coordinator, as far as assignors ask it. */
    private static class Group extends WorkerCoordinator {
        private final Clock clock = new Clock();
        private final Field connectorOwners;
        private final Field taskOwners;
        private JsonNode round;
        private ClusterConfigState snapshot;
        private LeaderState leaderState;

        Group() throws Exception {
            super(new GroupRebalanceConfig(10_000, 60_000, 3_000, "group", Optional.empty(), null, 100, 1_000),
                new LogContext(), null, new Metrics(), "connect", Time.SYSTEM, "url", null, null,
                ConnectProtocolCompatibility.SESSIONED, 0);
            connectorOwners = LeaderState.class.getDeclaredField("connectorOwners");
            connectorOwners.setAccessible(true);
            taskOwners = LeaderState.class.getDeclaredField("taskOwners");
            taskOwners.setAccessible(true);
        }

        /** What one leader makes of round after round. */
        JsonNode history(JsonNode question) throws Exception {
            ConnectProtocolCompatibility protocol =
                ConnectProtocolCompatibility.compatibility(question.get("protocol").textValue());
            ConnectAssignor assignor = protocol == ConnectProtocolCompatibility.EAGER
                ? new EagerAssignor(new LogContext())
                : new IncrementalCooperativeAssignor(new LogContext(), clock, question.get("maxDelay").intValue());
            ArrayNode answers = NODES.arrayNode();
            for (JsonNode next : question.get("rounds")) {
                round = next;
                snapshot = config(next.get("snapshot"));
                leaderState = null;
                clock.now = next.get("now").longValue();
                List<JoinGroupResponseMember> members = new ArrayList<>();
                for (JsonNode member : next.get("members")) {
                    members.add(new JoinGroupResponseMember()
                        .setMemberId(member.get(0).textValue()).setMetadata(bytes(member.get(1))));
                }
                String leader = next.get("leader").textValue();
                ObjectNode answer = answers.addObject();
                ObjectNode assignments = answer.putObject("assignments");
                assignor.performAssignment(leader, protocol, members, this)
                    .forEach((member, assignment) -> assignments.put(member, base64(assignment.array())));
                answer.set("owners", owners());
            }
            return answers;
        }

        @SuppressWarnings("unchecked")
        private JsonNode owners() throws Exception {
            if (leaderState == null) {
                return NODES.nullNode();
            }
            ObjectNode owners = NODES.objectNode();
            ((Map<String, String>) connectorOwners.get(leaderState)).forEach(owners::put);
            ((Map<ConnectorTaskId, String>) taskOwners.get(leaderState))
                .forEach((task, owner) -> owners.put(task.toString() + " of " + task.connector(), owner));
            return owners;
        }

        @Override
        public int generationId() {
            return round.get("generation").intValue();
        }

        @Override
        public int lastCompletedGenerationId() {
            return round.get("completed").intValue();
        }

        @Override
        public String memberId() {
            return round.get("leader").textValue();
        }

        @Override
        public ClusterConfigState configSnapshot() {
            return snapshot;
        }

        @Override
        public void configSnapshot(ClusterConfigState update) {
            snapshot = update;
        }

        @Override
        public ClusterConfigState configFreshSnapshot() {
            return config(round.get("latest"));
        }

        @Override
        public void leaderState(LeaderState update) {
            leaderState = update;
        }
    }

    private static class Clock implements Time {
        private long now;

        @Override
        public long milliseconds() {
            return now;
        }

        @Override
        public long nanoseconds() {
            return now * 1_000_000;
        }

        @Override
        public void sleep(long ms) {
            now += ms;
        }

        @Override
        public void waitObject(Object object, Supplier<Boolean> condition, long deadlineMs) {
            throw new UnsupportedOperationException();
        }
    }
}
