import java.lang.reflect.Field;
import java.lang.reflect.Method;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.runtime.SinkConnectorConfig;
import org.apache.kafka.connect.runtime.SourceConnectorConfig;
import org.apache.kafka.connect.runtime.distributed.Crypto;

/** Prints every key of Kafka's clients, workers and connectors with its type, default and display data. */
public class ConfigKeysOracle {
    static void print(String section, ConfigDef def) {
        for (ConfigDef.ConfigKey key : def.configKeys().values()) {
            String value = "<required>";
            if (key.hasDefault()) {
                value = key.defaultValue == null ? "<null>" : ConfigDef.convertToString(key.defaultValue, key.type);
            }
            System.out.println(String.join("\t", section, key.name, key.type.name(),
                value.replace("class org.apache", "org.apache"), key.importance.name(),
                String.valueOf(key.group), String.valueOf(key.orderInGroup), key.width.name(), key.displayName));
        }
    }

    public static void main(String[] args) throws Exception {
        print("producer", ProducerConfig.configDef());
        print("consumer", ConsumerConfig.configDef());
        print("admin", AdminClientConfig.configDef());
        String runtime = "org.apache.kafka.connect.runtime.";
        Field standalone = Class.forName(runtime + "standalone.StandaloneConfig").getDeclaredField("CONFIG");
        standalone.setAccessible(true);
        print("standalone", (ConfigDef) standalone.get(null));
        Method distributed = Class.forName(runtime + "distributed.DistributedConfig")
            .getDeclaredMethod("config", Crypto.class);
        distributed.setAccessible(true);
        print("distributed", (ConfigDef) distributed.invoke(null, Crypto.SYSTEM));
        print("sink", SinkConnectorConfig.configDef());
        print("source", SourceConnectorConfig.configDef());
    }
}
