# SPDX-License-Identifier: Apache-2.0
"""The end of a run: each user logs in with a device that was never there, takes what waits for it, and reads its whole archive (XEP-0313)."""
import asyncio
import random

from device import Device
from history import archive_log, device_log
from stanza import MAM, genuine

PAGE = 200
AT_ONCE = 4         # users who read at the same time
TRIES = 20          # for a page
QUIET_S = 3         # nothing came for so long: nothing more waits
RSM = "{http://jabber.org/protocol/rsm}"


async def page(device, after):
    """(results, last id, complete) of one page; None when there was none: the connection broke, or the server refused it."""
    answer = asyncio.get_running_loop().create_future()
    name = "m%d" % id(answer)
    device.pages = (name, [])
    device.query("<query xmlns='%s' queryid='%s'><set xmlns='%s'><max>%d</max>%s</set></query>" % (
        MAM[1:-1], name, RSM[1:-1], PAGE, "<after>%s</after>" % after if after else ""), lambda e: answer.done() or answer.set_result(e))
    device.ask()
    try:
        iq = await asyncio.wait_for(answer, 30)
    except asyncio.TimeoutError:
        return None
    fin = iq.find(MAM + "fin") if iq is not None else None
    if fin is None:
        return None
    results = device.pages[1]
    return results, fin.findtext("%sset/%slast" % (RSM, RSM)), fin.get("complete") in ("true", "1")


async def read_archive(device, log, hosts):
    after, complete, tries = None, False, 0
    while not complete:
        got = await page(device, after) if device.live else None
        if got is None:
            tries += 1
            if tries > TRIES:
                device.log.add("V", "the archive cannot be read")
                return
            await asyncio.sleep(0.5)
            continue
        results, last, complete = got
        for name, message in results:
            key = genuine(message, hosts) if message is not None else None
            # An error is an answer to the user, noted when it came; that some servers archive it is their business.
            log.add("M", "!" if message is not None and message.get("type") == "error" else key or "?", name)
        if not complete and (last is None or last == after):
            device.log.add("V", "the archive does not come to an end")
            return
        after = last


async def last_visit(crowd, user):
    history, place = crowd.config["history"], crowd.place_of(user)
    log = device_log(history, user + ".final", place.now)
    device = Device(place, user, "final", random.Random(user), log)
    device.start()
    deadline = place.loop.time() + 60
    while not device.live and place.loop.time() < deadline:
        await asyncio.sleep(0.05)
    device.last_delivery = place.loop.time()
    while place.loop.time() - device.last_delivery < QUIET_S and place.loop.time() < deadline:
        await asyncio.sleep(0.2)
    archive = archive_log(history, user, place.now)
    await read_archive(device, archive, place.hosts)
    archive.close()
    device.leave()
    log.close()


async def collect(crowd, users):
    gate = asyncio.Semaphore(AT_ONCE)

    async def visit(user):
        async with gate:
            await last_visit(crowd, user)

    await asyncio.gather(*(visit(user) for user, _ in users))
