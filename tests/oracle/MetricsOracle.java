import java.util.TreeSet;
import org.apache.kafka.common.MetricNameTemplate;
import org.apache.kafka.connect.runtime.ConnectMetricsRegistry;

/** Prints group and attribute of every metric of Kafka Connect, sorted, with a tab between. */
public class MetricsOracle {
    public static void main(String[] args) {
        TreeSet<String> lines = new TreeSet<>();
        for (MetricNameTemplate template : new ConnectMetricsRegistry().getAllTemplates()) {
            lines.add(template.group() + "\t" + template.name());
        }
        lines.forEach(System.out::println);
    }
}
