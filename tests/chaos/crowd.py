# SPDX-License-Identifier: Apache-2.0
"""A crowd of users with their devices: one process with many clients. Started by chaos.py, which tells it on standard input what phase it is.

    load            log in, talk, misbehave
    reset SHARE     that share of all connections is reset now
    hole SHARE S    that share neither reads nor writes for S seconds, then reconnects
    drain           send nothing new; get everything acknowledged; all come back; wait until it is quiet
    quiet           wait until nothing more comes
    collect         all leave; each user logs in once more with a device that was never there, and reads its archive
    quit

Each line of standard output is JSON: {"phase": ...} when one is over, {"stats": ...} once a second.

A seed decides which devices a user has and when they do what. What they do, by kind:

    steady      stays; reconnects and resumes when cut off
    flaky       breaks its connection every few seconds: reset, in the middle of a stanza, or deaf or mute for a while; resumes
    sleeper     is away for up to a minute without a word, longer than it may resume now and then
    commuter    ends its stream in good order and comes back with a new one
    forgetful   crashes and knows nothing of its session
    plain       no stream management

Users of the first four kinds only are strict: no message to them may be missed, even if they never read their archive.
"""
import asyncio
import json
import random
import sys

from archive import collect
from device import Device
from edges import Edges
from history import device_log, save_setup
from stanza import home

FAITHFUL, FORGETFUL = ("steady", "flaky", "sleeper", "commuter"), ("forgetful", "plain")
RESUME_S = {"sleeper": 20}
CATCH_UP_S = 60     # messages not sent while nobody could are sent later, up to so many seconds' worth


def population(seed, count, first=0, kinds=None):
    """[(user, [kinds])], the same for the same seed. kinds: what everybody has, whatever the seed."""
    if kinds:
        return [("u%02d" % (first + i), list(kinds)) for i in range(count)]
    rng = random.Random("population %s" % seed)
    out = []
    for i in range(count):
        loyal = i % 10 < 7
        kinds = [rng.choice(FAITHFUL) for _ in range(rng.choice((1, 2, 2, 3)))]
        if not loyal:
            kinds[-1] = FORGETFUL[i % 2]
        if i < len(FAITHFUL):
            kinds[0] = FAITHFUL[i]  # each kind is there, however few users
        out.append(("u%02d" % (first + i), kinds))
    return out


def is_strict(kinds):
    return all(k in FAITHFUL for k in kinds)


class Place:
    """What devices of one server share: where it is, which servers there are, and the loop."""

    def __init__(self, config, site, loop):
        self.loop = loop
        self.host, self.address, self.port, self.password = site["host"], site["address"], site["port"], config["password"]
        self.hosts = [s["host"] for s in config["sites"]]
        self.patience = config.get("patience", 25)
        self.start = config["start"]
        self.edges = Edges(site["children"], site["edge_role"]) if site.get("children") else None
        self.tasks = set()

    def now(self):
        return int((self.loop.time() - self.start) * 1000)

    def edge_of(self, transport):
        return self.edges.name(transport) if self.edges else "?"

    def spawn(self, coroutine):
        task = self.loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            raise task.exception()


class Crowd:
    def __init__(self, config, loop):
        self.config, self.loop = config, loop
        self.places = [Place(config, site, loop) for site in config["sites"]]
        self.rng = random.Random("crowd %s %s" % (config["seed"], config["part"]))
        people = population(config["seed"], config["users"], config["first"], config["kinds"])
        self.everybody = [u for u, _ in people]
        self.users = people[config["part"]::config["parts"]]
        self.devices, self.talking, self.misbehaving = [], False, []
        self.contacts = {}
        self.debt, self.talked = 0.0, loop.time()
        for user, kinds in self.users:
            dice = random.Random("user %s %s" % (config["seed"], user))
            self.contacts[user] = dice.sample([u for u in self.everybody if u != user], min(8, len(self.everybody) - 1))
            for i, kind in enumerate(kinds):
                self.devices.append(self.device(user, "d%d" % i, kind))

    def place_of(self, user):
        return self.places[home(user, len(self.places))]

    def device(self, user, name, kind):
        rng, place = random.Random("device %s %s.%s" % (self.config["seed"], user, name)), self.place_of(user)
        log = device_log(self.config["history"], "%s.%s" % (user, name), place.now)
        device = Device(place, user, name, rng, log, managed=kind != "plain", resume_s=RESUME_S.get(kind, 0))
        device.kind = kind
        return device

    # --- what they do -------------------------------------------------------------------------------------------------

    async def load(self):
        for i, d in enumerate(self.devices):
            self.loop.call_later(i * 0.02, d.start)
        deadline = self.loop.time() + 60
        while self.loop.time() < deadline and not all(d.state == "online" for d in self.devices):
            await asyncio.sleep(0.1)
        self.talking = True
        self.misbehaving = [self.loop.create_task(getattr(self, "be_" + d.kind)(d)) for d in self.devices if hasattr(self, "be_" + d.kind)]

    async def be_flaky(self, d):
        while True:
            await asyncio.sleep(d.rng.uniform(6, 40))
            how, length, pause = d.rng.choice(("reset", "half", "deaf", "mute")), d.rng.uniform(0.5, 6), d.rng.uniform(0, 5)
            if d.state != "online":
                continue
            if how == "half":
                d.link.send("<message type='chat' to='%s@%s'><body>half a " % (self.everybody[0], self.places[0].host))
            elif how != "reset":
                setattr(d.link, how, True)
                await asyncio.sleep(length)
            if d.state == "online":
                await asyncio.sleep(0)  # what is half sent goes out first
                d.lose(how, pause)

    async def be_sleeper(self, d):
        while True:
            await asyncio.sleep(d.rng.uniform(10, 60))
            pause = d.rng.uniform(5, 60)
            if d.state == "online":
                d.lose("asleep", pause)

    async def be_commuter(self, d):
        while True:
            await asyncio.sleep(d.rng.uniform(15, 60))
            pause = d.rng.uniform(3, 40)
            d.quiet = True
            for _ in range(50):  # what is on its way may arrive first
                if not d.unacked and not d.again:
                    break
                await asyncio.sleep(0.1)
            d.leave()
            await asyncio.sleep(pause)
            d.quiet = False
            d.start()

    async def be_forgetful(self, d):
        while True:
            await asyncio.sleep(d.rng.uniform(10, 40))
            pause = d.rng.uniform(0, 10)
            if d.state == "online":
                d.lose("crashed", pause)
                d.give_up()

    be_plain = be_flaky

    def talk(self):
        """Sends what the rate says is due. Who cannot send now leaves it to others."""
        now = self.loop.time()
        seconds, self.talked = min(now - self.talked, 1), now
        self.debt = min(self.debt + self.config["rate"] / self.config["parts"] * seconds, self.config["rate"] * CATCH_UP_S)
        due = min(int(self.debt), 2 + int(3 * self.config["rate"] * seconds))
        self.debt -= due
        for _ in range(due):
            d = self.rng.choice(self.devices)
            if d.can_send() and not getattr(d, "quiet", False):
                d.message(self.rng.choice(self.contacts[d.user]))
            else:
                self.debt += 1

    def some(self, share):
        return [d for d in self.devices if d.state == "online" and self.rng.random() < share]

    def reset(self, share):
        for d in self.some(share):
            d.lose("reset")

    def hole(self, share, seconds):
        for d in self.some(share):
            link = d.link
            link.deaf = link.mute = True
            self.loop.call_later(seconds, lambda d=d, link=link: d.link is link and d.lose("hole"))

    # --- the end ------------------------------------------------------------------------------------------------------

    async def drain(self):
        self.talking = False
        for task in self.misbehaving:
            task.cancel()
        for d in self.devices:
            d.tries = 0
            if d.link is None:
                d.later(0, None)
            elif d.link.mute or d.link.deaf:
                d.lose("in the end")
            d.start()
        deadline = self.loop.time() + self.config.get("drain", 120)
        while self.loop.time() < deadline:
            await asyncio.sleep(0.5)
            last = max(d.last_delivery for d in self.devices)
            if all(d.state == "online" and not d.unacked and not d.again for d in self.devices) and self.loop.time() - last > 3:
                break
        for d in self.devices:
            if d.unacked or d.again or d.state != "online":
                d.log.add("V", "in the end %s with %d unacknowledged" % (d.state, len(d.unacked) + len(d.again)))

    async def quiet(self):
        deadline = self.loop.time() + 30
        while self.loop.time() < min(deadline, max(d.last_delivery for d in self.devices) + 3):
            await asyncio.sleep(0.2)

    async def collect(self):
        for d in self.devices:
            d.leave()
        await asyncio.sleep(3)
        await collect(self, self.users)
        for d in self.devices:
            d.log.flush()

    def stats(self):
        out = {}
        for d in self.devices:
            for name, n in d.counts.items():
                out[name] = out.get(name, 0) + n
        out["online"] = sum(d.state == "online" for d in self.devices)
        out["devices"] = len(self.devices)
        out["unacked"] = sum(len(d.unacked) + len(d.again) for d in self.devices)
        return out


async def every(seconds, what):
    while True:
        await asyncio.sleep(seconds)
        what()


def say(**line):
    print(json.dumps(line), flush=True)


async def main(config):
    loop = asyncio.get_running_loop()
    crowd = Crowd(config, loop)
    tasks = [loop.create_task(every(0.05, lambda: crowd.talking and crowd.talk())),
             loop.create_task(every(1, lambda: say(stats=crowd.stats()))),
             loop.create_task(every(1, lambda: [d.tick() for d in crowd.devices])),
             loop.create_task(every(5, lambda: [d.log.flush() for d in crowd.devices]))]
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        words = (await reader.readline()).decode().split()
        if not words or words[0] == "quit":
            break
        result = getattr(crowd, words[0])(*map(float, words[1:]))
        if asyncio.iscoroutine(result):
            await result
            say(phase=words[0], stats=crowd.stats())
    for task in tasks:
        task.cancel()


def setup(folder, config):
    """Writes what the checker must know of the crowd."""
    people = population(config["seed"], config["users"], config["first"], config["kinds"])
    save_setup(folder, {"seed": config["seed"], "servers": config["servers"], "strict": [u for u, kinds in people if is_strict(kinds)],
                        "managed": ["%s.d%d" % (u, i) for u, kinds in people for i, kind in enumerate(kinds) if kind != "plain"]})


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
