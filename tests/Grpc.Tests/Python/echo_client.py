"""The reference client against our server: echo_client.py PORT SCENARIO prints what it saw as JSON."""
import hashlib
import json
import os
import sys
import time

import grpc

from echo_wire import SERVICE, Packet

channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
wire = dict(request_serializer=Packet.SerializeToString, response_deserializer=Packet.FromString)
unary = channel.unary_unary("/%s/Unary" % SERVICE, **wire)
upload = channel.stream_unary("/%s/Upload" % SERVICE, **wire)
download = channel.unary_stream("/%s/Download" % SERVICE, **wire)
chat = channel.stream_stream("/%s/Chat" % SERVICE, **wire)
missing = channel.unary_unary("/%s/NotThere" % SERVICE, **wire)
nowhere = channel.unary_unary("/twinkernel.tests.v1.Nowhere/Unary", **wire)


def failure(call):
    try:
        call()
    except grpc.RpcError as e:
        return {"code": e.code().name, "details": e.details(), "trailers": hexed(e.trailing_metadata())}
    return {"code": "OK"}


def hexed(metadata):
    return [[k, v.hex() if isinstance(v, bytes) else v] for k, v in metadata if k.startswith("x-")]


def cancelled():
    return unary(Packet(number=-1), timeout=20).number


def cancelled_reaches(count):
    end = time.monotonic() + 30
    while cancelled() < count:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def scenario_unary():
    payload = os.urandom(3 << 20)
    return {"same": unary(Packet(payload=payload, number=5), timeout=20) == Packet(payload=payload, number=5)}


def scenario_metadata():
    sent = (("x-echo", "one"), ("x-echo", "two"), ("x-echo-bin", bytes(range(256))), ("x-echo-bin", b"\x01"))
    _, call = unary.with_call(Packet(), metadata=sent, timeout=20)
    return {"sent": hexed(sent), "headers": hexed(call.initial_metadata()), "trailers": hexed(call.trailing_metadata())}


def scenario_status():
    text = "Größe 100% 日本\n\"end\"".encode()
    return failure(lambda: unary(Packet(), metadata=(("x-fail-code", "9"), ("x-fail-message-bin", text)), timeout=20))


def scenario_upload():
    chunks = [os.urandom(1 << 20) for _ in range(64)]
    answer = upload((Packet(payload=c) for c in chunks), timeout=60)
    return {"bytes": answer.number, "same": answer.payload == hashlib.sha256(b"".join(chunks)).digest()}


def scenario_upload_refused():
    return failure(lambda: upload((Packet(payload=os.urandom(1 << 20)) for _ in range(64)), metadata=(("x-fail-after", "2"),), timeout=20))


def scenario_download():
    chunk = os.urandom(1 << 20)
    answers = list(download(Packet(payload=chunk, number=64), timeout=60))
    return {"messages": len(answers), "same": all(a.payload == chunk and a.number == i for i, a in enumerate(answers))}


def scenario_empty_streams():
    return {"upload": upload(iter(()), timeout=20).number, "download": len(list(download(Packet(), timeout=20)))}


def scenario_chat():
    last = [None]

    def turns():
        for i in range(50):
            yield Packet(number=i)
            end = time.monotonic() + 20
            while last[0] != i:
                if time.monotonic() > end:
                    return
                time.sleep(0.001)

    for answer in chat(turns(), timeout=60):
        last[0] = answer.number
    return {"last": last[0]}


def scenario_deadline():
    before = cancelled()
    result = failure(lambda: unary(Packet(), metadata=(("x-sleep-ms", "60000"),), timeout=0.3))
    result["seen"] = cancelled_reaches(before + 1)
    return result


def scenario_cancel():
    before = cancelled()
    call = download(Packet(payload=b"x" * 1000, number=-1))
    next(call)
    call.cancel()
    return {"code": call.code().name, "seen": cancelled_reaches(before + 1)}


def scenario_unimplemented():
    return {"method": failure(lambda: missing(Packet(), timeout=20)), "service": failure(lambda: nowhere(Packet(), timeout=20))}


def scenario_too_large():
    return failure(lambda: unary(Packet(payload=b"x" * (5 << 20)), timeout=20))


def scenario_compressed():
    return failure(lambda: unary(Packet(payload=b"x" * 10000), timeout=20, compression=grpc.Compression.Gzip))


print(json.dumps(globals()["scenario_" + sys.argv[2]]()))
