import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.header.Headers;
import org.apache.kafka.connect.runtime.ConnectMetrics;
import org.apache.kafka.connect.runtime.SinkConnectorConfig;
import org.apache.kafka.connect.runtime.TransformationChain;
import org.apache.kafka.connect.runtime.errors.ErrorHandlingMetrics;
import org.apache.kafka.connect.runtime.errors.Operation;
import org.apache.kafka.connect.runtime.errors.ProcessingContext;
import org.apache.kafka.connect.runtime.errors.RetryWithToleranceOperator;
import org.apache.kafka.connect.runtime.errors.Stage;
import org.apache.kafka.connect.runtime.errors.ToleranceType;
import org.apache.kafka.connect.runtime.isolation.Plugins;
import org.apache.kafka.connect.runtime.standalone.StandaloneConfig;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.util.ConnectUtils;
import org.apache.kafka.connect.util.ConnectorTaskId;

/**
 * Runs records through a sink's converters and transforms as Apache's worker makes and calls them, and
 * back through the same converters: what `ringmain preview --input` has to print (see README.md).
 *
 * Arguments: worker file, then any number of connector file, input file, output file.
 */
public class PreviewOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ConnectorTaskId TASK = new ConnectorTaskId("preview", 0);

    private final Converter keys;
    private final Converter values;
    private final HeaderConverter headers;
    private final TransformationChain<ConsumerRecord<byte[], byte[]>, SinkRecord> chain;
    private final RetryWithToleranceOperator<ConsumerRecord<byte[], byte[]>> operator;

    public static void main(String[] args) throws Exception {
        Map<String, String> worker = read(args[0]);
        for (int i = 1; i < args.length; i += 3) {
            PreviewOracle oracle;
            try {
                oracle = new PreviewOracle(worker, read(args[i]));
            } catch (Exception refused) {
                Files.writeString(Path.of(args[i + 2]), "refused: " + refused + "\n");
                continue;
            }
            try (BufferedReader in = Files.newBufferedReader(Path.of(args[i + 1]));
                 BufferedWriter out = Files.newBufferedWriter(Path.of(args[i + 2]))) {
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    out.write(JSON.writeValueAsString(oracle.answer(JSON.readTree(line))));
                    out.newLine();
                }
            }
        }
    }

    private PreviewOracle(Map<String, String> workerProperties, Map<String, String> properties) {
        StandaloneConfig worker = new StandaloneConfig(workerProperties);
        Plugins plugins = new Plugins(workerProperties);
        SinkConnectorConfig.validate(properties);
        SinkConnectorConfig config = new SinkConnectorConfig(plugins, properties);
        keys = Optional.ofNullable(plugins.newConverter(config, "key.converter", "key.converter.plugin.version"))
            .orElseGet(() -> plugins.newConverter(worker, "key.converter", "key.converter.plugin.version"));
        values = Optional.ofNullable(plugins.newConverter(config, "value.converter", "value.converter.plugin.version"))
            .orElseGet(() -> plugins.newConverter(worker, "value.converter", "value.converter.plugin.version"));
        headers = Optional.ofNullable(plugins.newHeaderConverter(config, "header.converter", "header.converter.plugin.version"))
            .orElseGet(() -> plugins.newHeaderConverter(worker, "header.converter", "header.converter.plugin.version"));
        ConnectMetrics metrics = new ConnectMetrics("oracle", worker, Time.SYSTEM, "none");
        operator = new RetryWithToleranceOperator<>(
            0, 0, ToleranceType.ALL, Time.SYSTEM, new ErrorHandlingMetrics(TASK, metrics));
        chain = new TransformationChain<>(config.<SinkRecord>transformationStages(plugins, TASK, metrics), operator);
        // Metrics of one task have one name.
        metrics.stop();
    }

    private ObjectNode answer(JsonNode line) {
        ConsumerRecord<byte[], byte[]> consumed = consumed(line);
        ProcessingContext<ConsumerRecord<byte[], byte[]>> context = new ProcessingContext<>(consumed);
        try {
            SinkRecord record = read(context, consumed);
            return record == null ? JSON.createObjectNode().put("result", "filtered") : written(context, record);
        } catch (Failed failed) {
            Throwable error = context.error();
            String name = error.getClass().getName();
            return JSON.createObjectNode().put("result", "error").put("stage", failed.stage.name())
                .put("class", name.substring(name.lastIndexOf('.') + 1)).put("message", error.getMessage());
        }
    }

    private SinkRecord read(ProcessingContext<ConsumerRecord<byte[], byte[]>> context,
                            ConsumerRecord<byte[], byte[]> consumed) {
        String topic = consumed.topic();
        SchemaAndValue key = step(context, Stage.KEY_CONVERTER, keys,
            () -> keys.toConnectData(topic, consumed.headers(), consumed.key()));
        SchemaAndValue value = step(context, Stage.VALUE_CONVERTER, values,
            () -> values.toConnectData(topic, consumed.headers(), consumed.value()));
        Headers read = step(context, Stage.HEADER_CONVERTER, headers, () -> readHeaders(consumed));
        SinkRecord record = chain.apply(context, new SinkRecord(topic, consumed.partition(), key.schema(), key.value(),
            value.schema(), value.value(), consumed.offset(), ConnectUtils.checkAndConvertTimestamp(consumed.timestamp()),
            consumed.timestampType(), read));
        if (context.failed()) {
            throw new Failed(Stage.TRANSFORMATION);
        }
        return record;
    }

    private ObjectNode written(ProcessingContext<ConsumerRecord<byte[], byte[]>> context, SinkRecord record) {
        RecordHeaders written = step(context, Stage.HEADER_CONVERTER, headers, () -> writeHeaders(record));
        byte[] key = step(context, Stage.KEY_CONVERTER, keys,
            () -> keys.fromConnectData(record.topic(), written, record.keySchema(), record.key()));
        byte[] value = step(context, Stage.VALUE_CONVERTER, values,
            () -> values.fromConnectData(record.topic(), written, record.valueSchema(), record.value()));
        ObjectNode answer = JSON.createObjectNode().put("result", "record").put("topic", record.topic())
            .put("partition", record.kafkaPartition()).put("timestamp", record.timestamp())
            .put("key", base64(key)).put("value", base64(value));
        ArrayNode list = answer.putArray("headers");
        written.forEach(header -> list.addArray().add(header.key()).add(base64(header.value())));
        return answer;
    }

    /** The context forgets in which stage the error was as soon as the next one begins. */
    private <V> V step(ProcessingContext<ConsumerRecord<byte[], byte[]>> context, Stage stage, Object plugin,
                       Operation<V> operation) {
        V done = operator.execute(context, operation, stage, plugin.getClass());
        if (context.failed()) {
            throw new Failed(stage);
        }
        return done;
    }

    private static class Failed extends RuntimeException {
        private final Stage stage;

        Failed(Stage stage) {
            this.stage = stage;
        }
    }

    private Headers readHeaders(ConsumerRecord<byte[], byte[]> consumed) {
        Headers read = new ConnectHeaders();
        consumed.headers().forEach(header -> read.add(header.key(),
            headers.toConnectHeader(consumed.topic(), header.key(), header.value())));
        return read;
    }

    private RecordHeaders writeHeaders(SinkRecord record) {
        RecordHeaders written = new RecordHeaders();
        for (Header header : record.headers()) {
            written.add(header.key(),
                headers.fromConnectHeader(record.topic(), header.key(), header.schema(), header.value()));
        }
        return written;
    }

    private static ConsumerRecord<byte[], byte[]> consumed(JsonNode line) {
        RecordHeaders headers = new RecordHeaders();
        line.path("headers").forEach(header -> headers.add(header.get(0).asText(), bytes(header.get(1))));
        long timestamp = line.path("timestamp").asLong(ConsumerRecord.NO_TIMESTAMP);
        TimestampType type = TimestampType.forName(line.path("timestampType").asText("CreateTime"));
        return new ConsumerRecord<>(line.get("topic").asText(), line.path("partition").asInt(0),
            line.path("offset").asLong(), timestamp, type, 0, 0, bytes(line.path("key")), bytes(line.path("value")),
            headers, Optional.empty());
    }

    private static byte[] bytes(JsonNode text) {
        return text.isTextual() ? Base64.getDecoder().decode(text.asText()) : null;
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    private static Map<String, String> read(String file) throws Exception {
        Properties properties = new Properties();
        try (FileInputStream in = new FileInputStream(file)) {
            properties.load(in);
        }
        Map<String, String> map = new HashMap<>();
        properties.stringPropertyNames().forEach(name -> map.put(name, properties.getProperty(name)));
        return map;
    }
}
