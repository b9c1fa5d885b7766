"""The process jobs on pools for Python: makes one measurement and prints the number.

    pools.py POOL JOB NUMBER...

The jobs and their units are those of `src/processes/jobs`; each takes what its function here takes.
"""

import math
import os
import signal
import statistics
import sys
import threading
import time
from collections import deque

DEADLINE = 55.0  # Somewhat less than that of the program that has started this one.
PAUSE = 0.002
PATIENCE = 2.0
MIB = 1 << 20


# What workers are asked to do.


def number(value):
    return value


def echo(payload):
    return payload


def trivial(item):
    item ^= 0x5555
    return (item << 1 | item >> 63) & 0xFFFF_FFFF_FFFF_FFFF


def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


# The pools.


class Multiprocessing:
    def __init__(self, workers):
        import multiprocessing

        self.pool = multiprocessing.Pool(workers)

    def submit(self, function, argument):
        return self.pool.apply_async(function, (argument,))

    def wait(self, handle):
        return handle.get()

    def run(self, function, argument):
        return self.pool.apply(function, (argument,))

    def map(self, function, items, chunk_size):
        return self.pool.imap(function, items, chunk_size)

    def shutdown(self):
        self.pool.close()
        self.pool.join()


class Futures:
    def __init__(self, workers):
        import concurrent.futures

        self.pool = concurrent.futures.ProcessPoolExecutor(workers)

    def submit(self, function, argument):
        return self.pool.submit(function, argument)

    def wait(self, handle):
        return handle.result()

    def run(self, function, argument):
        return self.wait(self.submit(function, argument))

    def map(self, function, items, chunk_size):
        return self.pool.map(function, items, chunksize=chunk_size)

    def shutdown(self):
        self.pool.shutdown()


class Asyncpal:
    def __init__(self, workers):
        import asyncpal

        self.pool = asyncpal.ProcessPool(workers)

    def submit(self, function, argument):
        return self.pool.submit(function, argument)

    def wait(self, handle):
        return handle.collect()

    def run(self, function, argument):
        return self.pool.run(function, argument)

    def map(self, function, items, chunk_size):
        return self.pool.map(function, items, chunk_size=chunk_size)

    def shutdown(self):
        self.pool.shutdown()


POOLS = {"multiprocessing": Multiprocessing, "concurrent.futures": Futures, "asyncpal": Asyncpal}


# The jobs.


def p50(repetitions, timed, question=number, pause=0.0):
    """Median microseconds."""

    def once(index):
        if pause:
            time.sleep(pause)
        asked = question(index)
        begun = time.perf_counter()
        answer = timed(asked)
        elapsed = time.perf_counter() - begun
        assert answer == asked, "the answer belongs to the question"
        return elapsed * 1e6

    return statistics.median(once(index) for index in range(repetitions))


def payload(size):
    return lambda index: index.to_bytes(8, "little") + b"\x5a" * (size - 8)


def trips(new, workers, size, repetitions, ask, pause=0.0):
    pool = new(workers)
    trip = lambda bytes_: ask(pool, bytes_)
    p50(1 + repetitions // 5, trip, payload(size), pause)
    micros = p50(repetitions, trip, payload(size), pause)
    pool.shutdown()
    return micros


def run(new, workers, size, repetitions):
    return trips(new, workers, size, repetitions, lambda pool, bytes_: pool.run(echo, bytes_))


def submit(new, workers, size, repetitions):
    return trips(new, workers, size, repetitions, lambda pool, bytes_: pool.wait(pool.submit(echo, bytes_)))


def idle(new, size, repetitions):
    return trips(new, 1, size, repetitions, lambda pool, bytes_: pool.run(echo, bytes_), PAUSE)


def throughput(new, workers, batch, tasks):
    pool = new(workers)

    def submit_and_collect():
        handles = [pool.submit(number, index) for index in range(batch)]
        assert sum(pool.wait(handle) for handle in handles) == batch * (batch - 1) // 2

    submit_and_collect()
    batches = -(-tasks // batch)
    begun = time.perf_counter()
    for _ in range(batches):
        submit_and_collect()
    elapsed = time.perf_counter() - begun
    pool.shutdown()
    return elapsed * 1e6 / (batches * batch)


def map_(new, workers, items, chunks, repetitions):
    pool = new(workers)
    expected = [trivial(item) for item in range(items)]

    def once():
        begun = time.perf_counter()
        results = list(pool.map(trivial, range(items), items // chunks))
        elapsed = time.perf_counter() - begun
        assert results == expected, "every item once and in order"
        return elapsed * 1e9 / items

    once()
    nanos = statistics.median(once() for _ in range(repetitions))
    pool.shutdown()
    return nanos


def mebibytes(new, in_flight, payloads):
    pool = new(2)

    def echo_all(count):
        asked = [payload(MIB)(index) for index in range(count)]
        begun = time.perf_counter()
        pending = deque()

        def collect():
            question, handle = pending.popleft()
            answer = pool.wait(handle)
            assert len(answer) == MIB and answer[:8] == question[:8]

        for question in asked:
            if len(pending) == in_flight:
                collect()
            pending.append((question, pool.submit(echo, question)))
        while pending:
            collect()
        return (time.perf_counter() - begun) * 1e3

    echo_all(4)
    millis = echo_all(payloads)
    pool.shutdown()
    return millis


def cold(new, workers, starts):
    def start(index):
        pool = new(workers)
        answer = pool.run(number, index)
        pool.shutdown()
        return answer

    p50(2, start)
    return p50(starts, start) / 1e3


def killed(new, kills):
    millis = []
    for _ in range(kills):
        millis.append(killed_once(new))
        if math.isinf(millis[-1]):
            return math.inf
    return statistics.median(millis)


def killed_once(new):
    pool = new(1)
    worker = pool.run(nap, 0)
    handle = pool.submit(nap, 60)
    noticed = []

    def wait():
        try:
            pool.wait(handle)
        except BaseException:
            noticed.append(time.perf_counter())

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    time.sleep(0.03)
    begun = time.perf_counter()
    os.kill(worker, signal.SIGKILL)
    waiter.join(PATIENCE)
    return (noticed[0] - begun) * 1e3 if noticed else math.inf


def children():
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = stat.read().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid():
            yield entry


def memory(new, line):
    workers = 2
    pool = new(workers)
    for handle in [pool.submit(nap, 0.05) for _ in range(workers)]:
        pool.wait(handle)
    time.sleep(0.05)
    kibibytes = 0
    for child in children():
        with open(f"/proc/{child}/smaps_rollup") as rollup:
            kibibytes += sum(int(text.split()[1]) for text in rollup if text.startswith(line))
    pool.shutdown()
    return kibibytes / 1024 / workers


JOBS = {
    "run": run,
    "submit": submit,
    "idle": idle,
    "throughput": throughput,
    "map": map_,
    "mebibytes": mebibytes,
    "cold": cold,
    "killed": killed,
    "proportional-memory": lambda new: memory(new, "Pss:"),
    "resident-memory": lambda new: memory(new, "Rss:"),
}


def end(status):
    """A pool that has lost a worker may never end by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    os._exit(status)


def main():
    pool, job, *numbers = sys.argv[1:]
    watchdog = threading.Timer(DEADLINE, lambda: os.killpg(0, signal.SIGKILL))
    watchdog.daemon = True
    watchdog.start()
    print(JOBS[job](POOLS[pool], *map(int, numbers)), flush=True)
    end(0)


if __name__ == "__main__":
    main()
