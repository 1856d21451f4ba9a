"""runtime: the only place that knows Faust, Kafka and RocksDB."""
