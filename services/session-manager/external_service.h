/* SPDX-License-Identifier: Apache-2.0
 *
 * external_service: one service outside of XMPP that clients are told of (XEP-0215): from a line of the configuration, to an element for one account.
 *
 * A line is words key=value, in any order; a value with spaces stands in double quotes:
 *   type=turn host=turn.example.org port=3478 transport=udp name="Calls" name.de="Anrufe"
 * type and host must be there; host=* is each turn-relay of this flock that says where clients reach it. Relays (turn, turns) want credentials, made of
 * turn.secrets beside the keys unless the line says otherwise: secret_file=, username= with password_file=, or restricted=false. Files are found from the folder
 * of the keys. */
#ifndef SESSION_MANAGER_EXTERNAL_SERVICE_H
#define SESSION_MANAGER_EXTERNAL_SERVICE_H

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

#define NS_EXTDISCO                "urn:xmpp:extdisco:2"
#define EXTERNAL_SERVICE_NAMES_MAX 8

enum external_credentials {
	EXTERNAL_OPEN,   /* none are needed */
	EXTERNAL_FIXED,  /* the same for everybody */
	EXTERNAL_SHARED, /* made for each account: turn_credentials.h */
};

/* Strings live in the arena that it was read into. */
struct external_service {
	struct str type, host, transport;
	uint16_t port;
	bool of_flock; /* host=*: stands for as many as there are */
	struct {
		struct str lang, text; /* lang empty: for everybody else */
	} names[EXTERNAL_SERVICE_NAMES_MAX];
	uint32_t name_count;
	enum external_credentials credentials;
	struct str username;
	struct str secret; /* password, or what passwords are made of */
};

/* Reads files, too. 0, or -1 with e set. */
int external_service_parse(struct arena *arena, struct str line, const char *keys_dir, struct external_service *out, struct err *e);

/* What credentials are made for, and how the element is to look. */
struct external_reader {
	struct str account; /* bare JID */
	struct str lang;    /* xml:lang of the request; empty: none */
	int64_t now_us, life_us;
};
/* <service/>, with credentials where it has any; action NULL: none. */
void external_service_write(const struct external_service *s, const struct external_reader *reader, const char *action, struct buf *out);

/* The same service for a client: XEP-0215 section 3.3 tells them apart by host, type and port; here by transport as well. */
bool external_service_is(const struct external_service *a, const struct external_service *b);
/* And it would look the same to a client. */
bool external_service_equal(const struct external_service *a, const struct external_service *b);

#endif
