// One OpenSearch node of a cluster of its own, on loopback. Arguments: HTTP port, data folder.
import java.nio.file.*;
import java.util.*;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.*;

public class OpenSearch extends Node {
  OpenSearch(Settings settings) {
    super(
        InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "real"),
        List.of(
            org.opensearch.transport.Netty4Plugin.class,
            org.opensearch.index.mapper.MapperExtrasPlugin.class,
            org.opensearch.ingest.common.IngestCommonPlugin.class),
        true);
  }

  public static void main(String[] arguments) throws Exception {
    Path home = Path.of(arguments[1]).toAbsolutePath();
    Files.createDirectories(home.resolve("config"));
    Node node =
        new OpenSearch(
            Settings.builder()
                .put("cluster.name", "real")
                .put("node.name", "real")
                .put("path.home", home.toString())
                .put("network.host", "127.0.0.1")
                .put("http.port", arguments[0])
                .put("transport.port", "0")
                .put("discovery.type", "single-node")
                .put("cluster.routing.allocation.disk.threshold_enabled", "false")
                .build());
    node.start();
    Thread.currentThread().join();
  }
}
