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


def look(server, folder):
    """Writes what is in the log to the history; nothing where the server has none."""
    if not hasattr(server, "postgres"):
        return
    import psycopg2
    connection = psycopg2.connect(server.postgres)
    with connection.cursor() as cursor:
        cursor.execute(DOUBLED)
        doubled = cursor.fetchall()
        cursor.execute(ENTRIES)
        entries = dict(cursor.fetchall())
    connection.close()
    with open(os.path.join(folder, "sql.json"), "w") as f:
        json.dump({"doubled": doubled, "entries": entries}, f)


def load(folder):
    try:
        with open(os.path.join(folder, "sql.json")) as f:
            return json.load(f)
    except FileNotFoundError:
        return None
