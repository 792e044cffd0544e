"""A server and a client in one process, with streams that are open in both directions."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from ground import watched


class Echo(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: (r[::-1] for r in requests))


server = grpc.server(ThreadPoolExecutor(8), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
call = channel.stream_stream("/zoo/echo")


class Stream:
    def __init__(self) -> None:
        self.requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.replies = call(iter(self.requests.get, None))


def build() -> list[Stream]:
    streams = [Stream() for _ in range(8)]
    for stream in streams:
        stream.requests.put(b"abc")
        assert next(stream.replies) == b"cba"
    return streams


streams = watched(build)
for stream in streams:
    stream.requests.put(b"xyz")
    assert next(stream.replies) == b"zyx"
    stream.requests.put(None)
    assert list(stream.replies) == []
channel.close()
server.stop(None).wait()
print(threading.active_count() >= 1)
