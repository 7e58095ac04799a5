# SPDX-License-Identifier: Apache-2.0
"""The verdict as a table, for people and for docs/reliability.md."""

PROMISED = {
    "lost": "lost", "undelivered": "undelivered", "missed": "missed by a device that kept its session", "doubled": "doubled", "misnamed": "misnamed",
    "reordered": "reordered", "phantom": "phantoms", "refused": "refused", "protocol": "breaches of XEP-0198",
    "untold": "users whose archive and rows differ", "unwell": "not well again in the end", "logs": "unexpected in the logs",
}
COUNTED_OF_A_PAIR = ("crossed", "told", "told in vain")
COUNTED = {
    "sent": "messages sent", "crossed": "of these to the other server", "acked": "acknowledged",
    "delivered": "delivered (over all devices)", "archived": "archive entries",
    "sent again": "sent again by clients", "repeated": "delivered again under the same id (allowed)",
    "told": "not taken by the other server in time, and its sender told (allowed)", "told in vain": "of these arrived all the same (allowed)",
    "late": "delivered late, marked as delayed (allowed)", "only archived": "only in the archive (users with a device that forgets)",
    "carbons missed": "carbons of sent messages missed (allowed)", "carbons late": "carbons of sent messages out of order (allowed)",
    "sessions": "sessions bound", "resumed": "sessions resumed", "resumed elsewhere": "of these at another edge", "connections lost": "connections lost",
}


def rows(pairs):
    width = max(len(name) for name, _ in pairs)
    return ["| %-*s | %12s |" % (width, name, value) for name, value in pairs]


def table(verdict, checker, faults=()):
    """faults: (fault, target, times)"""
    pairs = [(text, "{:,}".format(verdict.counts[name])) for name, text in COUNTED.items()
             if checker.servers > 1 or name not in COUNTED_OF_A_PAIR]
    pairs += [("time to the ack, median / 99 % / 99.9 %", "%d / %d / %d ms" % tuple(checker.percentile(p) for p in (0.5, 0.99, 0.999))),
              ("longest time to an ack, outages and absence included", "%.1f s" % (verdict.stall_ms / 1000))]
    out = ["| what | |", "|---|---:|"]
    out += rows(pairs + [("**%s**" % text, "{:,}".format(verdict.violations[name])) for name, text in PROMISED.items()])
    if faults:
        out += ["", "| fault | target | times |", "|---|---|---:|"] + ["| %s | %s | %d |" % row for row in faults]
        out += ["", "%d faults." % sum(times for _, _, times in faults)]
    if verdict.stall_of:
        out += ["", "The longest wait: %s." % verdict.stall_of]
    out += ["%s: %s" % example for example in verdict.examples]
    broken = ", ".join("%d %s" % (n, kind) for kind, n in verdict.violations.items() if n)
    return "\n".join(out + ["", "verdict: %s" % ("BROKEN: " + broken if broken else "kept")])
