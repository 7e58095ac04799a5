#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks for functions that have no place here: unsafe ones, those that mem.h replaces, and in daemons those that block the loop.

usage: banned.py FILE...

An exception is a comment on the same line or the line above that says why: /* lint: allow NAME: why */
"""
import re
import sys

UNSAFE = {"sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets", "tmpnam": "mkdtemp", "mktemp": "mkdtemp"}
# Where input is hostile or the answer matters: not in tests, which run under sanitizers.
CARELESS = {"strcpy": "snprintf", "strcat": "struct buf", "strncpy": "snprintf", "strncat": "struct buf", "strtok": "strcspn",
            "alloca": "struct arena", "atoi": "strtol", "atol": "strtol", "rand": "random_bytes", "srand": "random_bytes", "random": "random_bytes", "system": "posix_spawn",
            "popen": "posix_spawn"}
MEMORY = {"malloc": "mem_alloc", "calloc": "mem_zalloc", "realloc": "mem_realloc", "strdup": "mem_strdup", "strndup": "mem_strndup",
          "asprintf": "struct buf", "vasprintf": "struct buf"}
BLOCKING = {
    "sleep": "a timer", "usleep": "a timer", "nanosleep": "a timer", "uv_sleep": "a timer", "getaddrinfo": "uv_getaddrinfo",
    "gethostbyname": "uv_getaddrinfo", "gethostbyaddr": "uv_getnameinfo", "PQconnectdb": "PQconnectStart",
    "PQconnectdbParams": "PQconnectStartParams", "PQexec": "PQsendQuery", "PQexecParams": "PQsendQueryParams", "PQexecPrepared": "PQsendQueryPrepared",
    "PQprepare": "PQsendPrepare", "PQreset": "PQresetStart", "redisConnect": "common/redis", "redisCommand": "common/redis",
    "flock": "a worker", "fsync": "a worker",
}
# Comments, strings and characters, which may name anything.
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
ALLOW = re.compile(r"/\* lint: allow (\w+): \S.*\*/")


def is_test(path):
    return path.startswith("tests/") or re.search(r"(_test\.c|_for_test\.h|fixture\.[ch])$|/fake_", path) is not None


def banned_in(path):
    """Name to replacement, for this file."""
    if is_test(path):
        return UNSAFE
    names = UNSAFE | CARELESS
    if not path.startswith("common/base/mem."):
        names |= MEMORY
    # starlingctl is a tool that an operator waits for.
    if not path.startswith("services/starlingctl/"):
        names |= BLOCKING
    return names


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def problems(path, text):
    """Pairs of line number and message."""
    names = banned_in(path)
    lines = text.split("\n")
    found = []
    for match in CALL.finditer(NOISE.sub(blank, text)):
        name = match[1]
        if name not in names:
            continue
        number = text.count("\n", 0, match.start()) + 1
        near = lines[max(0, number - 2):number]
        if not any(name in ALLOW.findall(line) for line in near):
            found.append((number, f"{name}() is banned: use {names[name]}"))
    return found


def self_test():
    assert problems("services/auth/a.c", "x = malloc(3);\n") == [(1, "malloc() is banned: use mem_alloc")]
    assert problems("services/auth/a.c", "\nsleep (3);\n") == [(2, "sleep() is banned: use a timer")]
    assert problems("services/auth/a.c", 'f("sleep(3)"); /* sleep(3) */ // sleep(3)\nuv_strcpy(a); s->free(b); r.system(1);') == []
    assert problems("services/auth/a_test.c", "sleep(3);") == []
    assert problems("services/starlingctl/a.c", "sleep(3); strcpy(a, b);") == [(1, "strcpy() is banned: use snprintf")]
    assert problems("services/auth/a.c", "/* lint: allow fsync: only at start */\nfsync(fd);") == []
    assert problems("services/auth/a.c", "/* lint: allow fsync: */\nfsync(fd);") != []
    assert problems("common/base/mem.c", "malloc(3);") == []


def main():
    self_test()
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            for number, what in problems(path, f.read()):
                print(f"{path}:{number}: {what}")
                failed = True
    sys.exit(1 if failed else 0)


main()
