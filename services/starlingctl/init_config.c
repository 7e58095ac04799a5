/* SPDX-License-Identifier: Apache-2.0
 *
 * The starling.yml of a new state folder: short, with the keys that people change. `<daemon> --print-config` shows all of them. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "services/starlingctl/init.h"
#include "services/starlingctl/state_dir.h"

/* Longest folder under which all sockets' names fit sockaddr_un. */
enum { FOLDER_MAX = 72 };

static const char head[] =
        "# Starling's configuration, for all daemons of this flock. Relative paths start at this file's folder.\n"
        "# All keys with their defaults and meanings: <daemon> --print-config. Check a change: <daemon> --check-config --config FILE.\n"
        "# After a change: starlingctl reload, or restart what does not reload (down, up).\n"
        "\n"
        "# Domains served here. For each, a certificate in tls/DOMAIN.pem with its key in tls/DOMAIN.key\n"
        "# (self-signed at first: put real ones in their place; starlingctl init --missing makes one for a new domain).\n"
        "hosts:\n";

/* Takes the folder three times: sockets are named by absolute paths, which hold whatever the working directory is. */
static const char body[] =
        "\n"
        "state_dir: .\n"
        "bus:\n"
        "  routers: [\"ipc://%s/run/router.*.ipc\"]\n"
        "  keys: keys\n"
        "redis:\n"
        "  url: unix://%s/run/redis.sock\n"
        "log:\n"
        "  level: info          # error, warn, info, debug\n"
        "  json: false\n"
        "\n"
        "services:\n"
        "  storage:\n"
        "    dsn: host=%s/run/pg user=starling dbname=starling\n"
        "  # s2s:              # other servers, port 5269; docs/operations.md has the DNS records and the certificates that they want\n"
        "  #   allow: [a.example, \"*.b.example\"]    # with these domains only; scale s2s=0 below: with none\n"
        "  # mqtt-broker:      # MQTT, ports 1883 and 8883; scale mqtt-broker=0 below: none\n"
        "  #   tls: {required: false}    # passwords over connections that are not encrypted, too\n"
        "  # turn-relay:       # media of calls, port 3478 (UDP, TCP) and 5349 (TLS); runs only when asked for: scale turn-relay=1 below\n"
        "  #   relay: {external: [10.0.0.5=192.0.2.5]}    # behind a NAT that maps addresses one to one\n"
        "  # mqtt-bridge:      # links to other MQTT brokers; runs only when asked for: scale mqtt-bridge=1 below\n"
        "  #   bridges: bridges.conf\n"
        "  # mqtt-gateway:     # messages between MQTT topics and users; runs only when asked for: scale mqtt-gateway=1 below\n"
        "  #   rules: gateway.conf\n"
        "  starlingctl:\n"
        "    postgres: private  # kept in pg/, on a socket in run/pg; external: the one that services.storage.dsn names\n"
        "    redis: private     # external: the one that redis.url names\n"
        "    # scale: [c2s-edge=2, router=2, s2s=1, proxy65=1]   # proxy65 (files between clients behind NAT) runs only when asked for\n";

int init_config(const char *const *domains, unsigned count, struct err *e)
{
	struct buf text = { 0 };
	char folder[PATH_MAX];
	int rc;

	if (!getcwd(folder, sizeof(folder)))
		return err_set(e, "%s", strerror(errno));
	if (strlen(folder) > FOLDER_MAX || strpbrk(folder, " '\\\"#*?[]{}"))
		return err_set(e, "sockets cannot be named below %s: at most %d characters, no spaces or quotes", folder, FOLDER_MAX);
	buf_append_cstr(&text, head);
	for (unsigned i = 0; i < count; i++)
		buf_printf(&text, "  - %s\n", domains[i]);
	buf_printf(&text, body, folder, folder, folder);
	rc = state_dir_create(STATE_CONFIG, 0644, buf_str(&text).p, buf_str(&text).n, e);
	buf_fini(&text);
	return rc;
}
