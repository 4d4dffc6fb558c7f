"""The event log as a Kafka topic, through FastStream.

`endpoints` has the subscriber and the publisher, `delivery` the middleware that makes them at-least-once, `consumer` what keeps a
subscriber running, `log` the adapter of the port.
"""
