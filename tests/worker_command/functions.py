"""Functions of the tests in python.rs, served by examples/worker.py."""

import os

from worker import function, main

PREPARED = []


@function()
def prepare():
    PREPARED.append("dough")


@function(returns="u64")
def prepared():
    return len(PREPARED)


@function()
def leave():
    open(os.environ["LEFT_BEHIND"], "x").close()


@function("bool", returns="bool")
def invert(value):
    return not value


@function("str?", returns="u64")
def count(text):
    return 0 if text is None else len(text)


@function()
def fail_with_a_surrogate():
    raise ValueError("no file " + os.fsdecode(b"\xff"))


class Unreadable(Exception):
    def __str__(self):
        raise self


@function()
def fail_unreadably():
    raise Unreadable


main()
