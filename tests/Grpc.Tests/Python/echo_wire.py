"""Packets of echo.proto without generated code."""
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "twinkernel.tests.v1.Echo"


def _packet():
    file = descriptor_pb2.FileDescriptorProto(name="echo.proto", package="twinkernel.tests.v1", syntax="proto3")
    message = file.message_type.add(name="Packet")
    field = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="payload", number=1, type=field.TYPE_BYTES, label=field.LABEL_OPTIONAL)
    message.field.add(name="number", number=2, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("twinkernel.tests.v1.Packet"))


Packet = _packet()
