import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Date;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;

/**
 * Asks Apache's converters what they make of each line of a fixture file and writes the file anew.
 * A line: operation, class, configuration, input, answer, separated by tabs (see README.md).
 */
public class ConverterOracle {
    private static final Map<String, String> PACKAGES = Map.of(
        "JsonConverter", "org.apache.kafka.connect.json.",
        "StringConverter", "org.apache.kafka.connect.storage.",
        "SimpleHeaderConverter", "org.apache.kafka.connect.storage.");

    public static void main(String[] files) throws Exception {
        for (String file : files) {
            List<String> answered = new ArrayList<>();
            for (String line : Files.readAllLines(Path.of(file))) {
                answered.add(line.isEmpty() || line.startsWith("#") ? line : answer(line));
            }
            Files.write(Path.of(file), answered);
        }
    }

    private static String answer(String line) {
        String[] columns = line.split("\t", -1);
        String[] question = Arrays.copyOf(columns, 4);
        String answer;
        try {
            answer = ask(question);
        } catch (Exception e) {
            answer = "! " + e.getClass().getName() + " " + base64(String.valueOf(e.getMessage()));
        }
        return String.join("\t", question) + "\t" + answer;
    }

    private static String ask(String[] question) throws Exception {
        String name = PACKAGES.getOrDefault(question[1], "org.apache.kafka.connect.converters.") + question[1];
        Object converter = Class.forName(name).getDeclaredConstructor().newInstance();
        Map<String, String> config = new HashMap<>();
        for (String entry : question[2].isEmpty() ? new String[0] : question[2].split(" ")) {
            String[] pair = entry.split("=", 2);
            config.put(pair[0], new String(Base64.getDecoder().decode(pair[1]), StandardCharsets.UTF_8));
        }
        if (converter instanceof Converter) {
            ((Converter) converter).configure(config, false);
        } else {
            config.put("converter.type", "header");
            ((HeaderConverter) converter).configure(config);
        }
        Deque<String> input = new ArrayDeque<>(Arrays.asList(question[3].split(" ", -1)));
        switch (question[0]) {
            case "read": {
                byte[] bytes = bytes(input.pop());
                SchemaAndValue read = converter instanceof Converter
                    ? ((Converter) converter).toConnectData("topic", bytes)
                    : ((HeaderConverter) converter).toConnectHeader("topic", "header", bytes);
                if (read == null) {
                    return "- n";
                }
                return show(read.schema()) + " " + show(read.value());
            }
            case "write": {
                Schema schema = schema(input.pop());
                Object value = value(input);
                byte[] written = converter instanceof Converter
                    ? ((Converter) converter).fromConnectData("topic", schema, value)
                    : ((HeaderConverter) converter).fromConnectHeader("topic", "header", schema, value);
                return written == null ? "null" : Base64.getEncoder().encodeToString(written) + ".";
            }
            default:
                throw new IllegalArgumentException(question[0]);
        }
    }

    private static byte[] bytes(String text) {
        return text.equals("null") ? null : Base64.getDecoder().decode(text.substring(0, text.length() - 1));
    }

    private static String text(String encoded) {
        return new String(bytes(encoded), StandardCharsets.UTF_8);
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8)) + ".";
    }

    private static Schema schema(String encoded) throws Exception {
        if (encoded.equals("-")) {
            return null;
        }
        JsonConverter json = new JsonConverter();
        json.configure(Map.of(), false);
        return json.asConnectSchema(new ObjectMapper().readTree(bytes(encoded)));
    }

    private static Object value(Deque<String> input) throws Exception {
        switch (input.pop()) {
            case "n": return null;
            case "bool": return Boolean.valueOf(input.pop());
            case "i8": return Byte.valueOf(input.pop());
            case "i16": return Short.valueOf(input.pop());
            case "i32": return Integer.valueOf(input.pop());
            case "i64": return Long.valueOf(input.pop());
            case "f32": return Float.valueOf(input.pop());
            case "f64": return Double.valueOf(input.pop());
            case "s": return text(input.pop());
            case "y": return bytes(input.pop());
            case "d": return new BigDecimal(new BigInteger(input.pop()), Integer.parseInt(input.pop()));
            case "date": return new Date(Long.parseLong(input.pop()));
            case "a": {
                List<Object> list = new ArrayList<>();
                for (int left = Integer.parseInt(input.pop()); left > 0; left--) {
                    list.add(value(input));
                }
                return list;
            }
            case "m": {
                Map<Object, Object> map = new HashMap<>();
                for (int left = Integer.parseInt(input.pop()); left > 0; left--) {
                    Object key = value(input);
                    map.put(key, value(input));
                }
                return map;
            }
            case "st": {
                Struct struct = new Struct(schema(input.pop()));
                for (Field field : struct.schema().fields()) {
                    Object value = value(input);
                    if (value != null) {
                        struct.put(field, value);
                    }
                }
                return struct;
            }
            default: throw new IllegalArgumentException();
        }
    }

    private static String show(Object value) {
        if (value == null) return "n";
        if (value instanceof Boolean) return "bool " + value;
        if (value instanceof Byte) return "i8 " + value;
        if (value instanceof Short) return "i16 " + value;
        if (value instanceof Integer) return "i32 " + value;
        if (value instanceof Long) return "i64 " + value;
        if (value instanceof Float) return "f32 " + value;
        if (value instanceof Double) return "f64 " + value;
        if (value instanceof String) return "s " + base64((String) value);
        if (value instanceof byte[]) return "y " + Base64.getEncoder().encodeToString((byte[]) value) + ".";
        if (value instanceof ByteBuffer) return show(((ByteBuffer) value).array());
        if (value instanceof Date) return "date " + ((Date) value).getTime();
        if (value instanceof BigDecimal) {
            return "d " + ((BigDecimal) value).unscaledValue() + " " + ((BigDecimal) value).scale();
        }
        StringBuilder out = new StringBuilder();
        if (value instanceof List) {
            out.append("a ").append(((List<?>) value).size());
            ((List<?>) value).forEach(item -> out.append(' ').append(show(item)));
        } else if (value instanceof Map) {
            out.append("m ").append(((Map<?, ?>) value).size());
            ((Map<?, ?>) value).forEach((key, item) ->
                out.append(' ').append(show(key)).append(' ').append(show(item)));
        } else {
            Struct struct = (Struct) value;
            out.append("st");
            for (Field field : struct.schema().fields()) {
                out.append(' ').append(show(struct.getWithoutDefault(field.name())));
            }
        }
        return out.toString();
    }

    /** TYPE[?], then in brackets the attributes that are set, then the parts. */
    private static String show(Schema schema) {
        if (schema == null) {
            return "-";
        }
        StringBuilder out = new StringBuilder(schema.type().name()).append(schema.isOptional() ? "?" : "");
        if (schema.name() != null) out.append("[name=").append(base64(schema.name())).append(']');
        if (schema.version() != null) out.append("[version=").append(schema.version()).append(']');
        if (schema.doc() != null) out.append("[doc=").append(base64(schema.doc())).append(']');
        if (schema.parameters() != null) {
            schema.parameters().forEach((key, value) ->
                out.append('[').append(base64(key)).append('=').append(base64(value)).append(']'));
        }
        if (schema.defaultValue() != null) {
            out.append("[default=").append(show(schema.defaultValue()).replace(' ', '_')).append(']');
        }
        switch (schema.type()) {
            case ARRAY: return out + "<" + show(schema.valueSchema()) + ">";
            case MAP: return out + "<" + show(schema.keySchema()) + "," + show(schema.valueSchema()) + ">";
            case STRUCT: {
                out.append('{');
                for (Field field : schema.fields()) {
                    out.append(base64(field.name())).append(':').append(show(field.schema())).append(';');
                }
                return out.append('}').toString();
            }
            default: return out.toString();
        }
    }
}
