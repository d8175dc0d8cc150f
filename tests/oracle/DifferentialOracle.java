import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Says what Apache's converters and transforms make of each case on standard input: one JSON line per
 * case, one per answer. tests/integration/differential asks, and its encode.rs describes the lines.
 */
public class DifferentialOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    public static void main(String[] arguments) throws Exception {
        // On a thread with room for deeply nested values.
        Thread thread = new Thread(null, DifferentialOracle::answerAll, "oracle", 256L << 20);
        thread.start();
        thread.join();
    }

    private static void answerAll() {
        try {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                out.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
                out.flush();
            }
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static JsonNode answer(JsonNode question) {
        try {
            switch (question.get("do").textValue()) {
                case "read": return read(question);
                case "write": return write(question);
                default: return transform(question);
            }
        } catch (Throwable e) {
            return error(e);
        }
    }

    private static ObjectNode error(Throwable e) {
        ObjectNode answer = NODES.objectNode();
        answer.putArray("error").add(e.getClass().getName()).add(String.valueOf(e.getMessage()));
        return answer;
    }

    private static Map<String, Object> config(JsonNode node) {
        Map<String, Object> config = new HashMap<>();
        node.fields().forEachRemaining(entry -> config.put(entry.getKey(), entry.getValue().textValue()));
        return config;
    }

    private static Object made(JsonNode node) throws Exception {
        return Class.forName(node.get("class").textValue()).getDeclaredConstructor().newInstance();
    }

    private static Object converter(JsonNode question) throws Exception {
        Object converter = made(question);
        Map<String, Object> config = config(question.get("config"));
        String role = question.get("role").textValue();
        config.put("converter.type", role);
        if (role.equals("header")) {
            ((HeaderConverter) converter).configure(config);
        } else {
            ((Converter) converter).configure(config, role.equals("key"));
        }
        return converter;
    }

    private static JsonNode read(JsonNode question) throws Exception {
        Object converter = converter(question);
        byte[] bytes = bytes(question.get("bytes"));
        SchemaAndValue read = question.get("role").textValue().equals("header")
            ? ((HeaderConverter) converter).toConnectHeader("t", "h", bytes)
            : ((Converter) converter).toConnectData("t", bytes);
        return read == null ? data(null, null) : data(read.schema(), read.value());
    }

    private static JsonNode write(JsonNode question) throws Exception {
        Object converter = converter(question);
        Schema schema = schema(question.get("data").get(0));
        Object value = value(question.get("data").get(1), schema);
        byte[] written = question.get("role").textValue().equals("header")
            ? ((HeaderConverter) converter).fromConnectHeader("t", "h", schema, value)
            : ((Converter) converter).fromConnectData("t", schema, value);
        ObjectNode answer = NODES.objectNode();
        answer.put("bytes", written == null ? null : Base64.getEncoder().encodeToString(written));
        return answer;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static JsonNode transform(JsonNode question) throws Exception {
        List<Transformation> transforms = new ArrayList<>();
        List<Predicate> predicates = new ArrayList<>();
        List<Boolean> negated = new ArrayList<>();
        for (JsonNode step : question.get("chain")) {
            Transformation transform = (Transformation) made(step);
            transform.configure(config(step.get("config")));
            transforms.add(transform);
            Predicate predicate = null;
            if (step.hasNonNull("predicate")) {
                predicate = (Predicate) made(step.get("predicate"));
                predicate.configure(config(step.get("predicate").get("config")));
            }
            predicates.add(predicate);
            negated.add(step.get("negate").booleanValue());
        }
        ArrayNode answers = NODES.arrayNode();
        for (JsonNode encoded : question.get("records")) {
            try {
                ConnectRecord<?> record = record(encoded);
                for (int i = 0; i < transforms.size() && record != null; i++) {
                    if (predicates.get(i) == null || predicates.get(i).test((ConnectRecord) record) != negated.get(i)) {
                        record = transforms.get(i).apply((ConnectRecord) record);
                    }
                }
                answers.add(record == null ? NODES.textNode("filtered") : show(record));
            } catch (Throwable e) {
                answers.add(error(e));
            }
        }
        return answers;
    }

    private static ConnectRecord<?> record(JsonNode node) {
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : node.get("headers")) {
            Schema schema = schema(header.get(1));
            headers.add(header.get(0).textValue(), value(header.get(2), schema), schema);
        }
        String topic = node.get("topic").textValue();
        Integer partition = node.get("partition").isNull() ? null : node.get("partition").intValue();
        Schema keySchema = schema(node.get("key").get(0));
        Object key = value(node.get("key").get(1), keySchema);
        Schema valueSchema = schema(node.get("value").get(0));
        Object value = value(node.get("value").get(1), valueSchema);
        Long timestamp = node.get("timestamp").isNull() ? null : Long.valueOf(node.get("timestamp").longValue());
        if (node.get("offset").isNull()) {
            return new SourceRecord(null, null, topic, partition, keySchema, key, valueSchema, value, timestamp, headers);
        }
        return new SinkRecord(topic, partition, keySchema, key, valueSchema, value,
            node.get("offset").longValue(), timestamp, TimestampType.CREATE_TIME, headers);
    }

    private static JsonNode show(ConnectRecord<?> record) {
        ObjectNode shown = NODES.objectNode();
        shown.put("topic", record.topic());
        shown.put("partition", record.kafkaPartition());
        shown.set("key", data(record.keySchema(), record.key()));
        shown.set("value", data(record.valueSchema(), record.value()));
        shown.put("timestamp", record.timestamp());
        ArrayNode headers = shown.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(show(header.schema())).add(show(header.value()));
        }
        return shown;
    }

    private static ArrayNode data(Schema schema, Object value) {
        return NODES.arrayNode().add(show(schema)).add(show(value));
    }

    private static byte[] bytes(JsonNode node) {
        return node.isNull() ? null : Base64.getDecoder().decode(node.textValue());
    }

    private static Schema schema(JsonNode node) {
        if (node.isNull()) {
            return null;
        }
        Schema.Type type = Schema.Type.valueOf(node.get("type").textValue());
        SchemaBuilder builder;
        switch (type) {
            case ARRAY: builder = SchemaBuilder.array(schema(node.get("values"))); break;
            case MAP: builder = SchemaBuilder.map(schema(node.get("keys")), schema(node.get("values"))); break;
            default: builder = new SchemaBuilder(type);
        }
        if (node.has("fields")) {
            node.get("fields").forEach(field -> builder.field(field.get(0).textValue(), schema(field.get(1))));
        }
        if (node.has("optional")) builder.optional();
        if (node.has("name")) builder.name(node.get("name").textValue());
        if (node.has("version")) builder.version(node.get("version").intValue());
        if (node.has("doc")) builder.doc(node.get("doc").textValue());
        if (node.has("parameters")) {
            node.get("parameters").forEach(pair -> builder.parameter(pair.get(0).textValue(), pair.get(1).textValue()));
        }
        if (node.has("default")) builder.defaultValue(value(node.get("default"), builder));
        return builder.build();
    }

    private static JsonNode show(Schema schema) {
        if (schema == null) {
            return NODES.nullNode();
        }
        ObjectNode node = NODES.objectNode();
        node.put("type", schema.type().name());
        if (schema.type() == Schema.Type.MAP) node.set("keys", show(schema.keySchema()));
        if (schema.type() == Schema.Type.MAP || schema.type() == Schema.Type.ARRAY) {
            node.set("values", show(schema.valueSchema()));
        }
        if (schema.type() == Schema.Type.STRUCT) {
            ArrayNode fields = node.putArray("fields");
            schema.fields().forEach(field -> fields.addArray().add(field.name()).add(show(field.schema())));
        }
        if (schema.isOptional()) node.put("optional", true);
        if (schema.name() != null) node.put("name", schema.name());
        if (schema.version() != null) node.put("version", schema.version());
        if (schema.doc() != null) node.put("doc", schema.doc());
        if (schema.parameters() != null && !schema.parameters().isEmpty()) {
            ArrayNode parameters = node.putArray("parameters");
            schema.parameters().forEach((key, value) -> parameters.addArray().add(key).add(value));
        }
        if (schema.defaultValue() != null) node.set("default", show(schema.defaultValue()));
        return node;
    }

    private static Object value(JsonNode node, Schema context) {
        if (node.isNull()) return null;
        if (node.isBoolean()) return node.booleanValue();
        if (node.isTextual()) return node.textValue();
        JsonNode content = node.get(1);
        switch (node.get(0).textValue()) {
            case "i8": return (byte) content.intValue();
            case "i16": return (short) content.intValue();
            case "i32": return content.intValue();
            case "i64": return content.longValue();
            case "f32": return Float.intBitsToFloat(content.intValue());
            case "f64": return Double.longBitsToDouble(content.longValue());
            case "y": return bytes(content);
            case "d": return new BigDecimal(new BigInteger(content.textValue()), node.get(2).intValue());
            case "date": return new Date(content.longValue());
            case "a": {
                Schema items = context != null && context.type() == Schema.Type.ARRAY ? context.valueSchema() : null;
                List<Object> list = new ArrayList<>();
                content.forEach(item -> list.add(value(item, items)));
                return list;
            }
            case "m": {
                boolean typed = context != null && context.type() == Schema.Type.MAP;
                Map<Object, Object> map = new HashMap<>();
                content.forEach(entry -> map.put(
                    value(entry.get(0), typed ? context.keySchema() : null),
                    value(entry.get(1), typed ? context.valueSchema() : null)));
                return map;
            }
            default: {
                Struct struct = new Struct(node.get(2).isNull() ? context : schema(node.get(2)));
                int index = 0;
                for (Field field : struct.schema().fields()) {
                    Object inner = value(content.get(index++), field.schema());
                    if (inner != null) {
                        struct.put(field, inner);
                    }
                }
                return struct;
            }
        }
    }

    private static JsonNode show(Object value) {
        if (value == null) return NODES.nullNode();
        if (value instanceof Boolean) return NODES.booleanNode((Boolean) value);
        if (value instanceof String) return NODES.textNode((String) value);
        ArrayNode node = NODES.arrayNode();
        if (value instanceof Byte) return node.add("i8").add((Byte) value);
        if (value instanceof Short) return node.add("i16").add((Short) value);
        if (value instanceof Integer) return node.add("i32").add((Integer) value);
        if (value instanceof Long) return node.add("i64").add((Long) value);
        if (value instanceof Float) return node.add("f32").add(Float.floatToIntBits((Float) value));
        if (value instanceof Double) return node.add("f64").add(Double.doubleToLongBits((Double) value));
        if (value instanceof byte[]) return node.add("y").add(Base64.getEncoder().encodeToString((byte[]) value));
        if (value instanceof ByteBuffer) return show(((ByteBuffer) value).array());
        if (value instanceof Date) return node.add("date").add(((Date) value).getTime());
        if (value instanceof BigDecimal) {
            BigDecimal decimal = (BigDecimal) value;
            return node.add("d").add(decimal.unscaledValue().toString()).add(decimal.scale());
        }
        if (value instanceof List) {
            ArrayNode items = node.add("a").addArray();
            ((List<?>) value).forEach(item -> items.add(show(item)));
        } else if (value instanceof Map) {
            ArrayNode entries = node.add("m").addArray();
            ((Map<?, ?>) value).forEach((key, item) -> entries.addArray().add(show(key)).add(show(item)));
        } else if (value instanceof Struct) {
            ArrayNode fields = node.add("st").addArray();
            Struct struct = (Struct) value;
            struct.schema().fields().forEach(field -> fields.add(show(struct.getWithoutDefault(field.name()))));
        } else {
            node.add("class").add(value.getClass().getName());
        }
        return node;
    }
}
