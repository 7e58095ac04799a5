# SPDX-License-Identifier: Apache-2.0
"""A second look at the message log, past the server: the rows themselves. What clients were told over XMPP must agree with it."""
import json
import os

KEY = r"'<body>(u\d+\.\w+\.\d+/u\d+/\d+) '"
DOUBLED = "SELECT key, count(*) FROM (SELECT substring(convert_from(stanza, 'UTF8') FROM " + KEY + """) AS key FROM message_log) AS keys
WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1 LIMIT 1000"""
# A message has one row, which stands in the archive of its sender and, when archived, in that of its recipient.
ENTRIES = """SELECT a.local, count(*) FROM (SELECT sender AS owner FROM message_log WHERE sender IS NOT NULL
UNION ALL SELECT recipient FROM message_log WHERE archived) AS entry JOIN accounts a ON a.id = owner GROUP BY 1"""


SPOOLED = "SELECT count(*) FROM spool"


def ask(server, *queries):
    """[rows of each query] of the server's database."""
    import psycopg2
    connection = psycopg2.connect(server.postgres)
    try:
        with connection.cursor() as cursor:
            return [(cursor.execute(query), cursor.fetchall())[1] for query in queries]
    finally:
        connection.close()


def look(servers, folder):
    """Writes what is in the logs to the history; nothing of servers that have none. An account is on one server, a message once on each."""
    found = [ask(server, DOUBLED, ENTRIES) for server in servers if hasattr(server, "postgres")]
    if not found:
        return
    with open(os.path.join(folder, "sql.json"), "w") as f:
        json.dump({"doubled": [row for doubled, _ in found for row in doubled], "entries": dict(row for _, entries in found for row in entries)}, f)


def spooled(server):
    """So many stanzas wait in its store for other servers."""
    return ask(server, SPOOLED)[0][0][0]


def load(folder):
    try:
        with open(os.path.join(folder, "sql.json")) as f:
            return json.load(f)
    except FileNotFoundError:
        return None
