#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that files and functions stay small enough to be read.

usage: size.py FILE...

Fails over 600 lines in a file or 100 in a function; counts what is over 350 and 60, which is where one should begin to think.
An exception is a comment in the file that says why: /* lint: allow size: why */
"""
import re
import sys

FILE_MAX, FILE_SOFT = 600, 350
FUNCTION_MAX, FUNCTION_SOFT = 100, 60
ALLOW = re.compile(r"/\* lint: allow size: \S.*\*/")
NAME = re.compile(r"(\w+)\(")


def functions(lines):
    """Name, first line and length of every function: its braces stand alone at the left margin."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            head = " ".join(lines[max(0, start - 4):start - 1])
            names = NAME.findall(head)
            yield (names[-1] if names else "?", start, number - start - 1)
            start = None


def main():
    failed, soft = False, 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if ALLOW.search(text):
            continue
        lines = text.split("\n")
        count = len(lines) - 1
        if count > FILE_MAX:
            print(f"{path}: {count} lines, at most {FILE_MAX}")
            failed = True
        soft += count > FILE_SOFT
        if not path.endswith(".c"):
            continue
        for name, start, length in functions(lines):
            if length > FUNCTION_MAX:
                print(f"{path}:{start}: {name}() has {length} lines, at most {FUNCTION_MAX}")
                failed = True
            soft += length > FUNCTION_SOFT
    if soft:
        print(f"  note: {soft} files or functions are over {FILE_SOFT} or {FUNCTION_SOFT} lines")
    sys.exit(1 if failed else 0)


main()
