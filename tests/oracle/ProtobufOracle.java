import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.squareup.wire.schema.internal.parser.MessageElement;
import com.squareup.wire.schema.internal.parser.ProtoFileElement;
import com.squareup.wire.schema.internal.parser.ProtoParser;
import com.squareup.wire.schema.internal.parser.TypeElement;
import io.apicurio.registry.resolver.DefaultSchemaResolver;
import io.apicurio.registry.resolver.ParsedSchema;
import io.apicurio.registry.resolver.strategy.ArtifactReference;
import io.apicurio.registry.serde.protobuf.MessageIndexesUtil;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import io.apicurio.registry.serde.protobuf.ProtobufSchemaParser;
import io.apicurio.registry.serde.protobuf.ProtobufSerializerConfig;
import io.apicurio.registry.utils.protobuf.schema.FileDescriptorUtils;
import io.apicurio.registry.utils.protobuf.schema.ProtobufSchema;

/**
 * Writes and reads records of Protobuf in Confluent's wire format: with Apicurio's serializer, its reader of
 * Confluent's message indexes, its registry client and its compiler of .proto texts, and protobuf-java.
 *
 * usage: ProtobufOracle write URL TOPIC PROTO MESSAGE
 *        ProtobufOracle read URL TOPIC
 *
 * `write` takes a JSON value per line for MESSAGE (`Outer.Inner`) of PROTO and prints the record's bytes in
 * hexadecimal; `read` the other way round. An object has the message's fields by name, all that are set or
 * cannot be unset; a map is a list of objects with key and value; floats are "double:" and their bits, bytes are
 * base64, and unsigned numbers are Java's signed ones.
 */
public class ProtobufOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String DOUBLE = "double:";

    private interface Conversion {
        String of(String line) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[2];
        Map<String, Object> config = new HashMap<>();
        config.put("apicurio.registry.url", arguments[1]);
        config.put("apicurio.registry.headers.enabled", false);
        config.put("apicurio.registry.use-id", "contentId");
        config.put("apicurio.registry.auto-register", true);
        // It looks for messages at the top of a file only.
        config.put("apicurio.registry.serde.validation-enabled", false);
        config.put(ProtobufSerializerConfig.SEND_INDEXES, true);
        config.put(ProtobufSerializerConfig.SEND_TYPE_REF, false);
        if (arguments[0].equals("write")) {
            Descriptor descriptor = message(new Parser().parseSchema(bytes(arguments[3]), Map.of()), arguments[4]);
            ProtobufKafkaSerializer<Message> serializer = new ProtobufKafkaSerializer<>();
            serializer.configure(config, false);
            convert(line -> {
                DynamicMessage.Builder builder = DynamicMessage.newBuilder(descriptor);
                fill(builder, JSON.readTree(line));
                return HexFormat.of().formatHex(serializer.serialize(topic, builder.build()));
            });
        } else {
            DefaultSchemaResolver<ProtobufSchema, Message> resolver = new DefaultSchemaResolver<>();
            resolver.configure(config, new Parser());
            convert(line -> shown(read(resolver, HexFormat.of().parseHex(line))).toString());
        }
        // The registry client has threads of its own.
        System.exit(0);
    }

    /** Knows the files that Confluent's libraries bring along. */
    private static class Parser extends ProtobufSchemaParser<Message> {
        private final Map<String, String> texts = new HashMap<>();
        private final Map<String, FileDescriptor> files = new HashMap<>();

        Parser() throws DescriptorValidationException {
            know("meta.proto", "confluent", "import \"google/protobuf/descriptor.proto\";\n"
                + "message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }"
                + " extend google.protobuf.FieldOptions { Meta field_meta = 1088; }");
            know("decimal.proto", "confluent.type",
                "message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }");
        }

        private void know(String name, String scope, String body) throws DescriptorValidationException {
            String path = scope.replace('.', '/') + "/" + name;
            String text = "syntax = \"proto3\";\npackage " + scope + ";\n" + body;
            FileDescriptorProto file =
                FileDescriptorUtils.toFileDescriptorProto(text, name, Optional.of(scope), Map.of());
            file = file.toBuilder().setName(path).build();
            files.put(path, FileDescriptor.buildFrom(file, FileDescriptorUtils.baseDependencies()));
            texts.put(path, text);
        }

        @Override
        public ProtobufSchema parseSchema(byte[] bytes, Map<String, ParsedSchema<ProtobufSchema>> references) {
            String text = new String(bytes, StandardCharsets.UTF_8);
            ProtoFileElement element = ProtoParser.Companion.parse(FileDescriptorUtils.DEFAULT_LOCATION, text);
            try {
                FileDescriptor file = FileDescriptorUtils.protoFileToFileDescriptor(
                    text, "schema.proto", Optional.ofNullable(element.getPackageName()), texts, files);
                return new ProtobufSchema(file, element);
            } catch (DescriptorValidationException e) {
                throw new IllegalStateException(text, e);
            }
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
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

    private static Descriptor message(ProtobufSchema schema, String name) {
        FileDescriptor file = schema.getFileDescriptor();
        String[] parts = name.split("\\.");
        Descriptor found = file.findMessageTypeByName(parts[0]);
        for (int i = 1; i < parts.length; i++) {
            found = found.findNestedTypeByName(parts[i]);
        }
        return found;
    }

    private static Message read(DefaultSchemaResolver<ProtobufSchema, Message> resolver, byte[] data) throws Exception {
        ByteBuffer head = ByteBuffer.wrap(data);
        if (head.get() != 0) {
            throw new IllegalStateException("Unknown magic byte!");
        }
        ArtifactReference id = ArtifactReference.builder().contentId((long) head.getInt()).build();
        ProtobufSchema schema = resolver.resolveSchemaByArtifactReference(id).getParsedSchema().getParsedSchema();
        ByteArrayInputStream rest = new ByteArrayInputStream(data, head.position(), head.remaining());
        // Indexes are those of the text: the compiler's descriptor may have messages of other files, too.
        List<? extends TypeElement> types = schema.getProtoFileElement().getTypes();
        Descriptor descriptor = null;
        for (int index : MessageIndexesUtil.readFrom(rest)) {
            TypeElement type = types.stream().filter(MessageElement.class::isInstance).toList().get(index);
            descriptor = descriptor == null
                ? schema.getFileDescriptor().findMessageTypeByName(type.getName())
                : descriptor.findNestedTypeByName(type.getName());
            types = type.getNestedTypes();
        }
        return DynamicMessage.parseFrom(descriptor, rest);
    }

    private static ObjectNode shown(Message message) {
        ObjectNode fields = NODES.objectNode();
        for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
            if (field.isRepeated()) {
                ArrayNode items = fields.putArray(field.getName());
                for (Object item : (List<?>) message.getField(field)) {
                    items.add(shown(field, item));
                }
            } else if (!field.hasPresence() || message.hasField(field)) {
                fields.set(field.getName(), shown(field, message.getField(field)));
            }
        }
        return fields;
    }

    private static JsonNode shown(FieldDescriptor field, Object value) {
        switch (field.getJavaType()) {
            case INT:
            case LONG: return NODES.numberNode(((Number) value).longValue());
            case FLOAT:
            case DOUBLE: return NODES.textNode(
                DOUBLE + Long.toHexString(Double.doubleToRawLongBits(((Number) value).doubleValue())));
            case BOOLEAN: return NODES.booleanNode((Boolean) value);
            case STRING: return NODES.textNode((String) value);
            case BYTE_STRING: return NODES.textNode(Base64.getEncoder().encodeToString(((ByteString) value).toByteArray()));
            case ENUM: return NODES.textNode(((EnumValueDescriptor) value).getName());
            default: return shown((Message) value);
        }
    }

    private static void fill(Message.Builder builder, JsonNode fields) {
        fields.fields().forEachRemaining(member -> {
            FieldDescriptor field = builder.getDescriptorForType().findFieldByName(member.getKey());
            if (!field.isRepeated()) {
                builder.setField(field, filled(builder, field, member.getValue()));
                return;
            }
            for (JsonNode item : member.getValue()) {
                builder.addRepeatedField(field, filled(builder, field, item));
            }
        });
    }

    private static Object filled(Message.Builder builder, FieldDescriptor field, JsonNode value) {
        switch (field.getJavaType()) {
            case INT: return (int) value.longValue();
            case LONG: return value.longValue();
            case FLOAT: return (float) number(value);
            case DOUBLE: return number(value);
            case BOOLEAN: return value.booleanValue();
            case STRING: return value.textValue();
            case BYTE_STRING: return ByteString.copyFrom(Base64.getDecoder().decode(value.textValue()));
            case ENUM: return field.getEnumType().findValueByName(value.textValue());
            default:
                Message.Builder inner = builder.newBuilderForField(field);
                fill(inner, value);
                return inner.build();
        }
    }

    private static double number(JsonNode value) {
        return Double.longBitsToDouble(Long.parseUnsignedLong(value.textValue().substring(DOUBLE.length()), 16));
    }
}
