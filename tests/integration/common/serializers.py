"""The serializers of the package confluent-kafka, for tests: who writes and reads beside us.

usage: serializers.py write|read avro|json|protobuf URL TOPIC [SCHEMA]

`write` takes a JSON value per line and prints the serialized bytes in hexadecimal; `read` takes the
hexadecimal bytes per line and prints a JSON value. SCHEMA is the schema to write with.
"""

import base64
import datetime
import decimal
import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext


def plain(value):
    """What JSON has for a value of Python's."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return {"time": value.isoformat()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def given(value):
    """The other way round."""
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return base64.b64decode(value["bytes"])
        if set(value) == {"decimal"}:
            return decimal.Decimal(value["decimal"])
        if set(value) == {"date"}:
            return datetime.date.fromisoformat(value["date"])
        if set(value) == {"millis"}:
            seconds = datetime.timedelta(milliseconds=value["millis"])
            return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + seconds
        return {key: given(item) for key, item in value.items()}
    if isinstance(value, list):
        return [given(item) for item in value]
    return value


def message_class(fields):
    """A message class of the fields [name, number, type], in a file and a package of its own."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="acme/order.proto", package="acme", syntax="proto3"
    )
    # The message is the second of its file, so that its index is not the short form.
    file.message_type.add(name="Other")
    outer = file.message_type.add(name="Outer")
    message = outer.nested_type.add(name="Order")
    for name, number, kind in fields:
        field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
        if kind == "timestamp":
            file.dependency[:] = ["google/protobuf/timestamp.proto"]
            field.type = kinds.TYPE_MESSAGE
            field.type_name = ".google.protobuf.Timestamp"
        elif kind.startswith("repeated "):
            field.label = kinds.LABEL_REPEATED
            field.type = getattr(kinds, "TYPE_" + kind.split()[1].upper())
        else:
            field.type = getattr(kinds, "TYPE_" + kind.upper())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("acme.Outer.Order")
    return message_factory.GetMessageClass(descriptor)


def writer(kind, client, schema):
    if kind == "avro":
        from confluent_kafka.schema_registry.avro import AvroSerializer

        serializer = AvroSerializer(client, schema)
        return lambda value, context: serializer(given(value), context)
    if kind == "json":
        from confluent_kafka.schema_registry.json_schema import JSONSerializer

        serializer = JSONSerializer(schema, client)
        return lambda value, context: serializer(value, context)
    from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
    from google.protobuf import json_format

    cls = message_class(json.loads(schema))
    serializer = ProtobufSerializer(cls, client, {"use.deprecated.format": False})
    return lambda value, context: serializer(json_format.ParseDict(value, cls()), context)


def reader(kind, client, schema):
    if kind == "avro":
        from confluent_kafka.schema_registry.avro import AvroDeserializer

        deserializer = AvroDeserializer(client)
        return lambda data, context: plain(deserializer(data, context))
    if kind == "json":
        from confluent_kafka.schema_registry.json_schema import JSONDeserializer

        deserializer = JSONDeserializer(None, schema_registry_client=client)
        return lambda data, context: plain(deserializer(data, context))
    from google.protobuf import json_format

    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer

    cls = message_class(json.loads(schema))
    deserializer = ProtobufDeserializer(cls, {"use.deprecated.format": False}, client)
    return lambda data, context: json_format.MessageToDict(
        deserializer(data, context), preserving_proto_field_name=True
    )


def main():
    verb, kind, url, topic = sys.argv[1:5]
    schema = sys.argv[5] if len(sys.argv) > 5 else None
    client = SchemaRegistryClient({"url": url})
    context = SerializationContext(topic, MessageField.VALUE)
    convert = {"write": writer, "read": reader}[verb](kind, client, schema)
    for line in sys.stdin:
        if verb == "write":
            print(convert(json.loads(line), context).hex())
        else:
            print(json.dumps(convert(bytes.fromhex(line.strip()), context)))


main()
