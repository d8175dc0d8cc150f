"""The serializers of the package confluent-kafka, for tests: who writes and reads beside us.

usage: serializers.py write|read avro|json|protobuf URL TOPIC [SCHEMA]

`write` takes a JSON value per line and prints the serialized bytes in hexadecimal; `read` takes the
hexadecimal bytes per line and prints a JSON value. SCHEMA is the schema to write with; for Protobuf an
object with the `text` of a .proto file and the full name of a `message`.
"""

import base64
import datetime
import decimal
import json
import pathlib
import sys
import tempfile

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
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


def compiled(text):
    """The messages of a .proto text in a pool, compiled by protoc, by their full names."""
    from confluent_kafka.schema_registry.confluent import meta_pb2
    from confluent_kafka.schema_registry.confluent.type import decimal_pb2
    from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2, wrappers_pb2
    from google.type import date_pb2, timeofday_pb2
    from grpc_tools import protoc

    known = descriptor_pb2.FileDescriptorSet()
    modules = [descriptor_pb2, meta_pb2, decimal_pb2, timestamp_pb2, wrappers_pb2, date_pb2, timeofday_pb2]
    for module in modules:
        module.DESCRIPTOR.CopyToProto(known.file.add())
    with tempfile.TemporaryDirectory() as directory:
        there = pathlib.Path(directory)
        (there / "known").write_bytes(known.SerializeToString())
        (there / "schema.proto").write_text(text)
        arguments = ["protoc", f"--proto_path={there}", f"--descriptor_set_in={there / 'known'}"]
        arguments += [f"--descriptor_set_out={there / 'out'}", "schema.proto"]
        if protoc.main(arguments) != 0:
            sys.exit(f"protoc refuses\n{text}")
        found = descriptor_pb2.FileDescriptorSet.FromString((there / "out").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in [*known.file, *found.file]:
        pool.Add(file)
    return found.file[0], pool


class TextRegistry(SchemaRegistryClient):
    """A client that compiles texts itself: Apicurio Registry, unlike Confluent's, does not."""

    def get_schema(self, schema_id, subject_name=None, fmt=None, reference_format=None):
        schema = super().get_schema(schema_id, subject_name, fmt, reference_format)
        if fmt != "serialized" or not schema.schema_str.startswith("syntax"):
            return schema
        file, _ = compiled(schema.schema_str)
        text = base64.b64encode(file.SerializeToString()).decode()
        return Schema(text, schema_type=schema.schema_type)


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
    from google.protobuf import json_format, message_factory

    given_schema = json.loads(schema)
    _, pool = compiled(given_schema["text"])
    cls = message_factory.GetMessageClass(pool.FindMessageTypeByName(given_schema["message"]))
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
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
    from google.protobuf import json_format, message_factory

    def read(data, context):
        # The deserializer wants the class beforehand: that of the schema's first message.
        file, pool = compiled(client.get_schema(int.from_bytes(data[1:5], "big")).schema_str)
        first = file.message_type[0].name
        name = f"{file.package}.{first}" if file.package else first
        cls = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        deserializer = ProtobufDeserializer(cls, {"use.deprecated.format": False}, client)
        return json_format.MessageToDict(
            deserializer(data, context),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            descriptor_pool=pool,
        )

    return read


def main():
    verb, kind, url, topic = sys.argv[1:5]
    schema = sys.argv[5] if len(sys.argv) > 5 else None
    client = TextRegistry({"url": url})
    context = SerializationContext(topic, MessageField.VALUE)
    convert = {"write": writer, "read": reader}[verb](kind, client, schema)
    for line in sys.stdin:
        if verb == "write":
            print(convert(json.loads(line), context).hex())
        else:
            print(json.dumps(convert(bytes.fromhex(line.strip()), context)))


main()
