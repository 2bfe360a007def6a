"""The service of echo.proto on the reference implementation. Prints its port; ends when its input ends."""
import hashlib
import sys
import threading
import time
from concurrent import futures

import grpc

from echo_wire import SERVICE, Packet

cancelled = 0
lock = threading.Lock()


def count_cancelled():
    global cancelled
    with lock:
        cancelled += 1


def begin(context):
    metadata = context.invocation_metadata()
    echoed = [(k, v) for k, v in metadata if k.startswith("x-echo")]
    values = dict(metadata)
    if echoed:
        context.send_initial_metadata(echoed)
    trailers = list(echoed)
    context.set_trailing_metadata(trailers)
    if "x-sleep-ms" in values:
        end = time.monotonic() + int(values["x-sleep-ms"]) / 1000
        while time.monotonic() < end:
            if not context.is_active():
                count_cancelled()
                raise RuntimeError("cancelled")
            time.sleep(0.02)
    if "x-fail-code" in values:
        code = next(c for c in grpc.StatusCode if c.value[0] == int(values["x-fail-code"]))
        context.set_trailing_metadata(trailers + [("x-detail-bin", bytes([0, 255, 1, 254]))])
        context.abort(code, values.get("x-fail-message-bin", b"").decode())
    return values


def unary(request, context):
    if request.number == -1:
        with lock:
            return Packet(number=cancelled)
    begin(context)
    return request


def upload(requests, context):
    fail_after = int(begin(context).get("x-fail-after", "-1"))
    digest, total, messages = hashlib.sha256(), 0, 0
    for packet in requests:
        digest.update(packet.payload)
        total += len(packet.payload)
        messages += 1
        if messages == fail_after:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "enough")
    return Packet(number=total, payload=digest.digest())


def download(request, context):
    begin(context)
    if request.number < 0:
        context.add_callback(count_cancelled)
    i = 0
    while request.number < 0 or i < request.number:
        yield Packet(payload=request.payload, number=i)
        i += 1


def chat(requests, context):
    begin(context)
    for packet in requests:
        yield packet


def main():
    wire = dict(request_deserializer=Packet.FromString, response_serializer=Packet.SerializeToString)
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, **wire),
        "Upload": grpc.stream_unary_rpc_method_handler(upload, **wire),
        "Download": grpc.unary_stream_rpc_method_handler(download, **wire),
        "Chat": grpc.stream_stream_rpc_method_handler(chat, **wire),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0)


main()
