import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.apicurio.registry.rest.client.RegistryClient;
import io.apicurio.registry.rest.client.RegistryClientFactory;
import io.apicurio.registry.rest.v2.beans.IfExists;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.types.ArtifactType;

/**
 * Writes and reads records with Apicurio's serializers for JSON Schema, in Confluent's wire format.
 *
 * usage: JsonSchemaOracle write|read URL TOPIC [SCHEMA]
 *
 * `write` registers SCHEMA for the topic's values, takes a JSON value per line and prints the record's bytes in
 * hexadecimal; `read` the other way round. Both validate values against their schema. Fractions are printed as
 * "double:" and their bits, which JSON's readers cannot round.
 */
public class JsonSchemaOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private interface Conversion {
        String of(String line) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[1];
        String topic = arguments[2];
        Map<String, Object> config = new HashMap<>();
        config.put("apicurio.registry.url", url);
        config.put("apicurio.registry.headers.enabled", false);
        config.put("apicurio.registry.as-confluent", true);
        config.put("apicurio.registry.use-id", "contentId");
        config.put("apicurio.registry.find-latest", true);
        config.put("apicurio.registry.serde.validation-enabled", true);
        if (arguments[0].equals("write")) {
            register(url, topic, arguments[3]);
            JsonSchemaKafkaSerializer<JsonNode> serializer = new JsonSchemaKafkaSerializer<>();
            serializer.configure(config, false);
            convert(line -> HexFormat.of().formatHex(serializer.serialize(topic, JSON.readTree(line))));
        } else {
            JsonSchemaKafkaDeserializer<JsonNode> deserializer = new JsonSchemaKafkaDeserializer<>();
            deserializer.configure(config, false);
            convert(line -> shown(deserializer.deserialize(topic, HexFormat.of().parseHex(line))).toString());
        }
    }

    private static void register(String url, String topic, String schema) {
        RegistryClient client = RegistryClientFactory.create(url);
        client.createArtifact(null, topic + "-value", null, ArtifactType.JSON, IfExists.RETURN_OR_UPDATE, false,
            new ByteArrayInputStream(schema.getBytes(StandardCharsets.UTF_8)));
    }

    private static void convert(Conversion conversion) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                out.println(conversion.of(line));
            } catch (Exception e) {
                throw new IllegalStateException(line, e);
            }
        }
        out.flush();
    }

    private static JsonNode shown(JsonNode node) {
        if (node.isFloatingPointNumber()) {
            return NODES.textNode("double:" + Long.toHexString(Double.doubleToRawLongBits(node.doubleValue())));
        }
        if (node.isObject()) {
            ObjectNode members = NODES.objectNode();
            node.fields().forEachRemaining(member -> members.set(member.getKey(), shown(member.getValue())));
            return members;
        }
        if (node.isArray()) {
            ArrayNode items = NODES.arrayNode();
            node.forEach(item -> items.add(shown(item)));
            return items;
        }
        return node;
    }
}
