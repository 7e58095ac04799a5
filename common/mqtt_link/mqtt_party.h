/* SPDX-License-Identifier: Apache-2.0
 *
 * party: one broker as its client sees it: where it is, how it proves who it is, and how we do. Ours and the remote ones alike. */
#ifndef COMMON_MQTT_LINK_MQTT_PARTY_H
#define COMMON_MQTT_LINK_MQTT_PARTY_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/dns/dns_name.h"
#include "common/net/tls_client.h"
#include "common/net/tls_trust.h"

#define MQTT_PARTY_ADDRESSES_MAX 8u
#define MQTT_PARTY_SYSTEM        "system" /* as trust: what the system trusts */
#define MQTT_PARTY_KEEP_ALIVE_S  60u      /* where nothing is said */

struct mqtt_party_address {
	char host[DNS_NAME_MAX + 1]; /* A-labels, or a literal: IPv6 in brackets */
	uint16_t port;
};

/* All texts are owned; a zeroed one is empty. */
struct mqtt_party {
	struct mqtt_party_address addresses[MQTT_PARTY_ADDRESSES_MAX]; /* tried in turn */
	size_t address_count;
	uint8_t version; /* MQTT_3_1_1, MQTT_5 */
	char *id;        /* client identifier */
	char *user;      /* NULL or empty: none */
	char *password_file;
	bool tls, verify;
	char *trust;       /* MQTT_PARTY_SYSTEM, or the path of a file of certificates */
	char *name;        /* in its certificate; NULL: the host of its address */
	char *certificate; /* path of our own, NAME.pem with NAME.key beside it; NULL: none */
	uint16_t keep_alive_s;

	/* Made by mqtt_party_load. */
	char *password;
	size_t password_n;
	struct tls_trust *store;
	struct tls_client *client;
	char *own; /* NAME of the certificate; NULL: none */
};

/* What `local.*` says in a daemon that is a client of our own broker. */
struct mqtt_party_local {
	const char *address, *trust, *name, *user, *password_file;
	bool tls;
};

/* Our broker, for MQTT 5, with STARLING_PORT_OFFSET of the environment added to its port; host is its name where none is said. `id` is left to
 * the caller. In a zeroed struct. 0, or -1 with e set. */
int mqtt_party_set_local(struct mqtt_party *p, const struct mqtt_party_local *local, const char *host, struct err *e);
/* HOST:PORT, one more. 0, or -1 with e set. */
int mqtt_party_add_address(struct mqtt_party *p, struct str text, struct err *e);
/* Reads the files that it names. 0, or -1 with e set. */
int mqtt_party_load(struct mqtt_party *p, struct err *e);
void mqtt_party_fini(struct mqtt_party *p);

#endif
