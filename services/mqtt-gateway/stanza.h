/* SPDX-License-Identifier: Apache-2.0
 *
 * stanza: what users say to our domain over XMPP, and what they are answered. Comes by Stanza.Route and Take from session-managers. */
#ifndef MQTT_GATEWAY_STANZA_H
#define MQTT_GATEWAY_STANZA_H

#include "common/base/arena.h"
#include "ipc/proto/stanza.pb-c.h"
#include "services/mqtt-gateway/gateway.h"

/* One stanza that is to be answered. Heap; the functions below free it. Strings are its arena's. */
struct request {
	struct gateway *gateway;
	struct ipc_call *call;
	struct arena *arena;
	bool take; /* came by Stanza.Take */
	uint32_t hops;
	uint64_t trace;
	Starling__StanzaMeta meta; /* as it came */
	struct str bytes;
	uint32_t unsent; /* stanzas of ours that have not been taken */
	int code;        /* why one of them was not */
};

/* Each ends the request. Its call is answered when what we say has been taken, so that its sender knows of a loss. */
void request_handled(struct request *r);
void request_result(struct request *r, struct str child);
/* text may be NULL. An error is never answered by one (RFC 6120 section 8.3.1). */
void request_error(struct request *r, const char *condition, const char *text);
/* types: of presences from the request's address, in that order; ends with TYPE_ERROR. Those about availability come from a resource. */
void request_presence(struct request *r, const Starling__StanzaType *types);

/* iq.c */
void iq_serve(struct request *r);
/* presence.c */
void presence_serve(struct request *r);

#endif
