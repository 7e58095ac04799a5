# SPDX-License-Identifier: Apache-2.0
"""Reads a history (history.py) and judges it: was each acknowledged message archived once for both, delivered, in order, and nothing else?

usage: checker.py HISTORY

It streams: of the whole run it keeps two numbers and a bitmap for each pair of sender and recipient; the rest is user by user. The kinds of violation:

    lost         acknowledged, and not in the sender's or not in the recipient's archive
    undelivered  acknowledged, archived, and never came to any device of a user all of whose devices are faithful (crowd.py)
    missed       a device that kept its session did not get a message, though it got one before and one behind it
    doubled      twice in an archive; or twice at a device, under two archive ids or none
    misnamed     delivered under another id than it has in the archive
    reordered    in an archive, or in what a device got for the first time, behind a later message of the same sender's to the same recipient
    phantom      delivered or archived, and never sent so
    refused      came back as an error: overload is to slow down, not to refuse (but see below)
    protocol     the server broke XEP-0198, or a client never got its last messages acknowledged
    untold       the database's rows (sql.py) and the archive as read over XMPP are not the same number
    unwell       after the last fault not all daemons came back to health (chaos.py looks)
    logs         a sanitizer's report, or a warning that no fault explains (chaos.py looks)

Allowed, and counted: the same message again at a device, under the same id; one that had waited (XEP-0203) coming behind a later one, since it was
meant for another device that never came back; a carbon (XEP-0280) of what another device sent that did not come, or came behind a later one: it has no promise.
Of two servers also: a message to the other one that came back as remote-server-timeout. Its sender was told, so it is not lost; it may have
arrived all the same.
"""
import os
import sys

import sql
from history import ARCHIVES, DEVICES, KEY, devices_of, load_setup, names, read, split_key, users
from stanza import home

KINDS = ("lost", "undelivered", "missed", "doubled", "misnamed", "reordered", "phantom", "refused", "protocol", "untold", "unwell", "logs")
SHOWN = 20          # of each kind, in full
TOLD = "remote-server-timeout"


class Sent:
    """From one incarnation of a device to one user: numbers 1 to `last`, and which of them were acknowledged."""
    __slots__ = ("last", "acked")

    def __init__(self):
        self.last, self.acked = 0, bytearray()

    def ack(self, n):
        if len(self.acked) <= n:
            self.acked.extend(bytes(n + 1 - len(self.acked)))
        self.acked[n] = 1

    def acked_numbers(self):
        n = self.acked.find(1)
        while n >= 0:
            yield n
            n = self.acked.find(1, n + 1)


class Verdict:
    def __init__(self):
        self.violations = dict.fromkeys(KINDS, 0)
        self.examples = []
        self.counts = dict.fromkeys(("sent", "acked", "sent again", "crossed", "told", "told in vain", "delivered", "repeated", "late",
                                     "archived", "only archived", "carbons missed", "carbons late", "sessions", "resumed", "resumed elsewhere",
                                     "connections lost"), 0)
        self.stall_ms, self.stall_of = 0, ""

    def violation(self, kind, text):
        self.violations[kind] += 1
        if self.violations[kind] <= SHOWN:
            self.examples.append((kind, text))

    @property
    def ok(self):
        return not any(self.violations.values())


class Checker:
    def __init__(self, folder):
        self.folder = folder
        setup = load_setup(folder)
        self.strict, self.managed = set(setup["strict"]), set(setup["managed"])
        self.servers = setup.get("servers", 1)
        self.sent = {}          # (device with incarnation, recipient): Sent
        self.again = set()      # keys of those that were sent again: they may come long after their place
        self.told = set()       # keys of those that another server did not take in time, as their sender was told
        self.by_recipient = {}  # user: [senders]
        self.by_sender = {}     # user: [(sender, recipient)]
        self.entries = {}       # user: entries that its archive showed
        self.verdict = Verdict()
        self.histogram = [0] * 400  # of the time from sending to the ack, in steps of an eighth of a power of two

    def run(self):
        for device in names(self.folder, DEVICES):
            self.read_sender(device)
        for sender, recipient in self.sent:
            self.by_recipient.setdefault(recipient, []).append(sender)
            self.by_sender.setdefault(sender.split(".")[0], []).append((sender, recipient))
        for user in users(self.folder):
            self.check_user(user)
        self.check_sql(sql.load(self.folder))
        return self.verdict

    def check_sql(self, rows):
        """What the database holds, and what the users were shown of it."""
        if rows is None:
            return
        for key, n in rows["doubled"]:
            self.verdict.violation("doubled", "%s has %d rows in the log" % (key, n))
        for user in sorted(set(rows["entries"]) | set(self.entries)):
            held, shown = rows["entries"].get(user, 0), self.entries.get(user, 0)
            if held != shown:
                self.verdict.violation("untold", "%s has %d entries in the log and was shown %d" % (user, held, shown))

    # --- what was sent ------------------------------------------------------------------------------------------------

    def read_sender(self, device):
        v, counts = self.verdict, self.verdict.counts
        sender, open_since, edge = device + ".0", {}, None
        for line in read(os.path.join(self.folder, DEVICES, device)):
            tag, ms = line[0], line[1]
            if tag == "S":
                recipient, n = line[2], int(line[3])
                sent = self.sent.get((sender, recipient))
                if sent is None:
                    sent = self.sent[(sender, recipient)] = Sent()
                if n != sent.last + 1:
                    raise ValueError("%s: %s to %s follows %d" % (device, n, recipient, sent.last))
                sent.last = n
                open_since[(recipient, n)] = ms
                counts["sent"] += 1
                counts["crossed"] += self.crosses(sender, recipient)
            elif tag == "A":
                recipient, n = line[2], int(line[3])
                if (recipient, n) not in open_since:
                    raise ValueError("%s: %d to %s is acknowledged, but not sent" % (device, n, recipient))
                self.sent[(sender, recipient)].ack(n)
                counts["acked"] += 1
                self.waited(ms - open_since.pop((recipient, n)), device, ms)
            elif tag == "R":
                counts["sent again"] += 1
                self.again.add("%s/%s/%s" % (sender, line[2], line[3]))
            elif tag == "N":
                sender = "%s.%s" % (device, line[2])
                open_since.clear()
            elif tag == "C":
                counts["sessions" if line[2] == "bound" else "resumed"] += 1
                counts["resumed elsewhere"] += line[2] == "resumed" and line[3] != edge
                edge = line[3]
            elif tag == "L":
                counts["connections lost"] += line[2] != "left"
            elif tag == "V":
                v.violation("protocol", "%s at %.1f s: %s" % (device, ms / 1000, line[2]))
            elif tag == "P":
                v.violation("phantom", "%s at %.1f s: %s" % (device, ms / 1000, line[2]))
            elif tag == "E":
                self.came_back(line[2], line[3], ms)

    def crosses(self, sender, recipient):
        return home(sender.split(".")[0], self.servers) != home(recipient, self.servers)

    def came_back(self, key, condition, ms):
        if condition == TOLD and KEY.fullmatch(key) and self.crosses(*split_key(key)[:2]):
            self.verdict.counts["told"] += key not in self.told
            self.told.add(key)
        else:
            self.verdict.violation("refused", "%s at %.1f s: %s" % (key, ms / 1000, condition))

    def waited(self, wait, device, ms):
        v = self.verdict
        self.histogram[min(int((max(wait, 1)).bit_length() * 8 + (wait << 3 >> max(wait, 1).bit_length() - 1 & 7)), 399)] += 1
        if wait > v.stall_ms:
            v.stall_ms, v.stall_of = wait, "%s, %.1f s into the run" % (device, ms / 1000)

    def percentile(self, share):
        """Upper bound of the time in which that share of the messages was acknowledged, in ms."""
        left = share * sum(self.histogram)
        for slot, n in enumerate(self.histogram):
            left -= n
            if left <= 0:
                bits, part = divmod(slot, 8)
                return int(2 ** (bits - 1) * (1 + (part + 1) / 8))
        return 0

    def genuine(self, key, where):
        """The Sent and the number of a key that was sent; None otherwise."""
        sender, recipient, n = split_key(key)
        sent = self.sent.get((sender, recipient))
        if sent is None or not 1 <= n <= sent.last:
            self.verdict.violation("phantom", "%s %s" % (key, where))
            return None
        return sent

    # --- one user -----------------------------------------------------------------------------------------------------

    def check_user(self, user):
        archive = self.read_archive(user)
        reached = set()
        for device in devices_of(self.folder, user):
            self.check_device(user, device, archive, reached)
        v = self.verdict
        for sender in self.by_recipient.get(user, ()):
            for n in self.sent[(sender, user)].acked_numbers():
                key = "%s/%s/%d" % (sender, user, n)
                if key in self.told:
                    v.counts["told in vain"] += key in archive
                elif key not in archive:
                    v.violation("lost", "%s is not in its recipient's archive%s" % (key, "" if key in reached else ", nor was it delivered"))
                elif key not in reached:
                    v.counts["only archived"] += 1
                    if user in self.strict:
                        v.violation("undelivered", key)
        for sender, recipient in self.by_sender.get(user, ()):
            for n in self.sent[(sender, recipient)].acked_numbers():
                if "%s/%s/%d" % (sender, recipient, n) not in archive:
                    v.violation("lost", "%s/%s/%d is not in its sender's archive" % (sender, recipient, n))

    def read_archive(self, user):
        """{key: (id, place among those of its direction)}, in order."""
        v, archive, last, places = self.verdict, {}, {}, {True: 0, False: 0}
        path = os.path.join(self.folder, ARCHIVES, user)
        if not os.path.exists(path):
            return archive
        for _, _, key, name in read(path):
            where = "in the archive of %s, id %s" % (user, name)
            self.entries[user] = self.entries.get(user, 0) + 1
            if key == "!":
                continue
            if key == "?":
                v.violation("phantom", where)
                continue
            sent = self.genuine(key, where)
            sender, recipient, n = split_key(key)
            if sent is None:
                continue
            if user not in (recipient, sender.split(".")[0]):
                v.violation("phantom", "%s %s, where it has no business" % (key, where))
                continue
            if key in archive:
                v.violation("doubled", "%s %s and %s" % (key, where, archive[key][0]))
                continue
            if n < last.get((sender, recipient), 0):
                v.violation("reordered", "%s %s, behind number %d" % (key, where, last[(sender, recipient)]))
            last[(sender, recipient)] = max(n, last.get((sender, recipient), 0))
            received = recipient == user
            archive[key] = (name, places[received])
            places[received] += 1
            v.counts["archived"] += 1
        return archive

    def check_device(self, user, device, archive, reached):
        v, seen = self.verdict, {}
        order = {}              # (sender, recipient): highest number that came, and in which session
        spans = []              # for each session, of messages received and of carbons of sent ones: places of the first and the last live delivery
        came = {True: bytearray(len(archive) + 1), False: bytearray(len(archive) + 1)}
        for line in read(os.path.join(self.folder, DEVICES, device)):
            if line[0] == "C" and line[2] == "bound":
                spans.append({True: [None, None], False: [None, None]})
            if line[0] != "D":
                continue
            _, ms, key, name, kind, flag = line
            where = "at %s, %.1f s into the run, id %s" % (device, ms / 1000, name or "missing")
            sender, recipient, n = split_key(key)
            if self.genuine(key, where) is None:
                continue
            if user != (sender.split(".")[0] if kind == "s" else recipient):
                v.violation("phantom", "%s %s, where it has no business" % (key, where))
                continue
            if key in seen:
                if not name or seen[key] != name:
                    v.violation("doubled", "%s %s, before with id %s" % (key, where, seen[key] or "missing"))
                else:
                    v.counts["repeated"] += 1
                continue
            seen[key] = name
            reached.add(key)
            v.counts["delivered"] += 1
            self.check_order(order, (sender, recipient), n, len(spans), flag, kind, "%s %s" % (key, where))
            if key not in archive:
                continue
            there, place = archive[key]
            if name and name != there:
                v.violation("misnamed", "%s %s, in the archive %s" % (key, where, there))
            received = kind != "s"
            came[received][place] = 1
            if flag == "-" and spans and key not in self.again:
                span = spans[-1][received]
                span[0] = place if span[0] is None else span[0]
                span[1] = place if span[1] is None else max(span[1], place)
        if device in self.managed:
            self.check_spans(user, device, archive, spans, came)

    def check_order(self, order, pair, n, session, flag, kind, text):
        highest, then = order.get(pair, (0, 0))
        if n > highest:
            order[pair] = (n, session)
        elif flag == "d":
            self.verdict.counts["late"] += 1
        elif kind == "s":
            self.verdict.counts["carbons late"] += 1
        else:
            self.verdict.violation("reordered", "%s, behind number %d%s" % (
                text, highest, "" if then == session else ", which came in an earlier session"))

    def check_spans(self, user, device, archive, spans, came):
        """What a session got live is a stretch of the archive without holes: a must of messages received, counted of carbons of sent ones."""
        missing = {True: set(), False: set()}
        for session in spans:
            for received, (first, last) in session.items():
                place = came[received].find(0, first, last) if first is not None else -1
                while place >= 0:
                    missing[received].add(place)
                    place = came[received].find(0, place + 1, last)
        if not missing[True] and not missing[False]:
            return
        for key, (name, place) in archive.items():
            received = split_key(key)[1] == user
            if place not in missing[received]:
                continue
            if received:
                self.verdict.violation("missed", "%s at %s, id %s" % (key, device, name))
            elif not key.startswith(device + "."):  # what it sent itself does not come back
                self.verdict.counts["carbons missed"] += 1


def main():
    from report import table
    checker = Checker(sys.argv[1])
    verdict = checker.run()
    print(table(verdict, checker))
    sys.exit(0 if verdict.ok else 1)


if __name__ == "__main__":
    main()
