#!/usr/bin/env python3
"""A worker in Python: serves its functions to a pool, as docs/protocol.md says. Needs no package.

    worker_command("python3").arg("examples/worker.py").pool()

A program that has other functions imports `function` and `main`.
"""

import collections
import itertools
import os
import struct
import sys
import traceback

HELLO, READY, INIT_ERR, RESULT, ERROR, FIN_ERR, BYE = 1, 2, 3, 4, 5, 7, 8
CLOSE, START, CALL = 0x83, 0x84, 0x85
HEAD, MAGIC, VERSION = struct.Struct("<IBB2sQQ"), b"PA", 1
MIN_LIMIT = 256 << 10  # A body of this size is accepted, however low the limit.
STEP = 1 << 20  # A long body is read in pieces of this size: what a frame claims costs nothing before it has come.
NUMBERS = {"u8": "<B", "i8": "<b", "u16": "<H", "i16": "<h", "u32": "<I", "i32": "<i", "u64": "<Q",
           "i64": "<q", "f32": "<f", "f64": "<d", "bool": "<?"}
FUNCTIONS = {}


def function(*arguments, returns=()):
    """Registers a function. Types: "u64" …, "str", "bytes", "str?" (an Option), [type] (a Vec), a tuple; () is None."""
    def register(call):
        FUNCTIONS[call.__name__] = (arguments, returns, call)
        return call
    return register


@function("u64", returns="u64")
def square(n):
    return n * n


@function("str", returns=[("str", "u64")])
def count_words(text):
    return sorted(collections.Counter(text.split()).items())


@function("f64", "f64", returns="f64")
def divide(a, b):
    return a / b


@function("bytes", "u64", returns="bytes")
def repeat(data, times):
    print(f"{times} times", flush=True)  # Goes to standard error: the protocol has standard output for itself.
    return data * times


def read(kind, data, at):
    """The value of this type at this place, and the place behind it."""
    if isinstance(kind, (tuple, list)):
        parts, values = kind, []
        if isinstance(kind, list):
            count, at = read("u64", data, at)
            parts = (kind[0] for _ in range(count))
        for part in parts:
            value, at = read(part, data, at)
            values.append(value)
        return (tuple if isinstance(kind, tuple) else list)(values), at
    if kind.endswith("?"):
        present, at = read("bool", data, at)
        return read(kind[:-1], data, at) if present else (None, at)
    if kind in ("str", "bytes"):
        length, at = read("u64", data, at)
        if length > len(data) - at:
            raise ValueError("the bytes end inside a value")
        value = data[at:at + length]
        return (value.decode() if kind == "str" else value), at + length
    value = struct.unpack_from(NUMBERS[kind], data, at)[0]
    if kind == "bool" and data[at] > 1:
        raise ValueError(f"{data[at]} where 0 or 1 is due")
    return value, at + struct.calcsize(NUMBERS[kind])


def decode(kind, data):
    value, end = read(kind, data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes follow the value")
    return value


def encode(kind, value):
    if kind == ():
        return b""  # The value is None: the function returns nothing.
    if isinstance(kind, tuple):
        return b"".join(map(encode, kind, value))
    if isinstance(kind, list):
        return encode("u64", len(value)) + b"".join(encode(kind[0], item) for item in value)
    if kind.endswith("?"):
        return b"\0" if value is None else b"\1" + encode(kind[:-1], value)
    if kind in ("str", "bytes"):
        raw = value.encode() if kind == "str" else value
        return encode("u64", len(raw)) + raw
    return struct.pack(NUMBERS[kind], value)


def failure(error):
    """The body of ERROR: the chain of causes, place, thread, and the traceback."""
    def told(text):  # A file name, for one, may hold bytes that are no characters.
        return text.encode(errors="backslashreplace").decode()

    links, cause = [], error
    while cause is not None and len(links) < 16:
        # Not `str`, which the error's own class may have made fail.
        message = str(traceback.TracebackException.from_exception(cause, limit=0))
        links.append((told(type(cause).__name__), told(message[:1000])))
        cause = cause.__cause__ or cause.__context__
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return encode(([("str", "str")], "str", "str", "str"), (links, "", "", told(text[-16000:])))


def call(name, arguments, many, limit):
    """The kind and the body of the reply."""
    try:
        if name not in FUNCTIONS:
            raise LookupError(f"the worker has no function {name!r}")
        takes, returns, run = FUNCTIONS[name]
        if many:
            body = encode([returns], [run(*item) for item in decode([takes], arguments)])
        else:
            body = encode(returns, run(*decode(takes, arguments)))
        if len(body) > limit:
            raise OverflowError(f"a result of {len(body)} bytes exceeds the limit of {limit} bytes")
        return RESULT, body
    except Exception as error:
        return ERROR, failure(error)


def serve(requests, replies):
    """Raises ValueError or struct.error for what breaks the protocol."""
    limit = MIN_LIMIT  # Until START says it.

    def receive():
        head = requests.read(HEAD.size)
        if not head:
            sys.exit(0)  # The pool is gone.
        length, kind, flags, magic, task, aux = HEAD.unpack(head)
        if magic != MAGIC or flags != 0 or (kind == CLOSE and length != 0):
            raise ValueError("what arrives is no frame")
        if length > max(limit, MIN_LIMIT):
            raise ValueError(f"a frame of {length} bytes exceeds the limit of {limit} bytes")
        steps = (min(STEP, length - done) for done in range(0, length, STEP))
        body = b"".join(itertools.takewhile(len, map(requests.read, steps)))
        if len(body) < length:
            raise ValueError("the input ends inside a frame")
        return kind, task, aux, body

    def send(kind, task=0, body=b""):
        replies.write(HEAD.pack(len(body), kind, 0, MAGIC, task, 0) + body)
        replies.flush()

    send(HELLO, 0, struct.pack("<IIQ", VERSION, os.getpid(), 0))
    kind, _, _, body = receive()
    if kind != START:
        raise ValueError(f"START was due, not a frame of kind {kind:#x}")
    _name, limit, initializer, finalizer = decode(("str", "u64", "str?", "str?"), body)
    if initializer is not None:
        kind, body = call(initializer, b"", False, limit)
        if kind == ERROR:
            return send(INIT_ERR, 0, body)
    send(READY)
    while (frame := receive())[0] == CALL:
        _, task, aux, body = frame
        length, many = aux & 0xFFFF, aux >> 16
        if many > 1 or length > len(body):
            raise ValueError("a call of an unknown form, or without its whole name")
        reply, answer = call(body[:length].decode(), body[length:], many, limit)
        send(reply, task, answer)
    if frame[0] != CLOSE:
        raise ValueError(f"a frame of kind {frame[0]:#x} is out of turn")
    kind, body = call(finalizer, b"", False, limit) if finalizer is not None else (RESULT, b"")
    return send(FIN_ERR, 0, body) if kind == ERROR else send(BYE)


def main():
    """Serves the functions. From here on nothing that is printed can come between the frames."""
    with os.fdopen(os.dup(0), "rb") as own_in, os.fdopen(os.dup(1), "wb") as own_out:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        try:
            serve(own_in, own_out)
        except (ValueError, struct.error) as error:  # Not a function's: those are replies.
            print(f"worker {os.getpid()} stops: {error}", file=sys.stderr)
            sys.exit(76)


if __name__ == "__main__":
    main()
