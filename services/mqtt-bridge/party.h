/* SPDX-License-Identifier: Apache-2.0
 *
 * party: one broker as its client sees it: where it is, how it proves who it is, and how we do. Ours and the remote ones alike. */
#ifndef MQTT_BRIDGE_PARTY_H
#define MQTT_BRIDGE_PARTY_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/dns/dns_name.h"
#include "common/net/tls_client.h"
#include "common/net/tls_trust.h"

#define PARTY_ADDRESSES_MAX 8u
#define PARTY_SYSTEM        "system" /* as trust: what the system trusts */

struct party_address {
	char host[DNS_NAME_MAX + 1]; /* A-labels, or a literal: IPv6 in brackets */
	uint16_t port;
};

/* All texts are owned; a zeroed one is empty. */
struct party {
	struct party_address addresses[PARTY_ADDRESSES_MAX]; /* tried in turn */
	size_t address_count;
	uint8_t version; /* MQTT_3_1_1, MQTT_5 */
	char *id;        /* client identifier */
	char *user;      /* NULL or empty: none */
	char *password_file;
	bool tls, verify;
	char *trust;       /* PARTY_SYSTEM, or the path of a file of certificates */
	char *name;        /* in its certificate; NULL: the host of its address */
	char *certificate; /* path of our own, NAME.pem with NAME.key beside it; NULL: none */
	uint16_t keep_alive_s;

	/* Made by party_load. */
	char *password;
	size_t password_n;
	struct tls_trust *store;
	struct tls_client *client;
	char *own; /* NAME of the certificate; NULL: none */
};

/* HOST:PORT, one more. 0, or -1 with e set. */
int party_add_address(struct party *p, struct str text, struct err *e);
/* Reads the files that it names. 0, or -1 with e set. */
int party_load(struct party *p, struct err *e);
void party_fini(struct party *p);

#endif
