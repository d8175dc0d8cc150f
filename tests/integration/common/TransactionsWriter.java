// Writes transactions that overlap, one of them aborted, and plain records between them.
// Run as a source file: java -cp KAFKA TransactionsWriter.java BOOTSTRAP TOPIC

import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

class TransactionsWriter {
    static KafkaProducer<String, String> producer(String bootstrap, String id) {
        Map<String, Object> settings = new java.util.HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        if (id != null) {
            settings.put("transactional.id", id);
        }
        var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
        if (id != null) {
            producer.initTransactions();
        }
        return producer;
    }

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        var a = producer(args[0], topic + "-a");
        var b = producer(args[0], topic + "-b");
        var plain = producer(args[0], null);
        for (int round = 0; round < 5; round++) {
            a.beginTransaction();
            b.beginTransaction();
            for (int i = 0; i < 10; i++) {
                a.send(new ProducerRecord<>(topic, 0, null, "aborted-" + round + "-" + i)).get();
                b.send(new ProducerRecord<>(topic, 0, null, "committed-" + round + "-" + i)).get();
                plain.send(new ProducerRecord<>(topic, 0, null, "plain-" + round + "-" + i)).get();
            }
            a.abortTransaction();
            b.commitTransaction();
            a.beginTransaction();
            a.send(new ProducerRecord<>(topic, 0, null, "committed-a-" + round)).get();
            a.commitTransaction();
        }
        b.beginTransaction();
        b.send(new ProducerRecord<>(topic, 0, null, "open")).get();
        plain.send(new ProducerRecord<>(topic, 0, null, "behind the open one")).get();
        // Left open: no close, no abort.
        System.out.println("written");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
