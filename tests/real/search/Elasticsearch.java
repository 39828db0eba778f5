// One Elasticsearch node of a cluster of its own, on loopback. Arguments: HTTP port, home folder.
import java.nio.file.*;
import java.util.*;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.*;

public class Elasticsearch {
  public static void main(String[] arguments) throws Exception {
    org.elasticsearch.common.logging.LogConfigurator.configureESLogging();
    Path home = Path.of(arguments[1]).toAbsolutePath();
    Path config = home.resolve("config");
    Files.createDirectories(config);
    Settings settings =
        Settings.builder()
            .put("cluster.name", "real")
            .put("node.name", "real")
            .put("path.home", home.toString())
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[0])
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", "false")
            .build();
    Node node =
        new Node(
            InternalSettingsPreparer.prepareEnvironment(
                settings, Map.of(), config, () -> "real"));
    node.start();
    Thread.currentThread().join();
  }
}
