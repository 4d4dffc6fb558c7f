"""The event log on a Kafka topic, with FastStream."""
