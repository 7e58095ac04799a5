/* SPDX-License-Identifier: Apache-2.0
 *
 * stanza: what clients say to the relay over XMPP, and what it answers (XEP-0030, XEP-0065 sections 4 and 6). Comes by Stanza.Route from session-managers, and from another
 * instance of proxy65 that looks for the stream of an activation (activate.h). */
#ifndef PROXY65_STANZA_H
#define PROXY65_STANZA_H

#include "common/base/arena.h"
#include "common/xml/xml.h"
#include "ipc/proto/stanza.pb-c.h"
#include "services/proxy65/proxy65.h"

#define NS_BYTESTREAMS "http://jabber.org/protocol/bytestreams"

/* One IQ get or set, or a message to be refused. Heap; an answer or a hand-back frees it. Strings and tree are its arena's. */
struct request {
	struct proxy65 *proxy;
	struct ipc_call *call;
	struct arena *arena;
	bool take;      /* came by Stanza.Take */
	bool forwarded; /* from another instance */
	bool set;
	uint32_t hops;
	uint64_t trace;
	Starling__StanzaMeta meta; /* as it came */
	struct str bytes;
	struct xml_node *child; /* its only one */
};

/* Each ends the request. The Route call is answered when the answer has been taken, so that its sender knows of a loss. */
void request_result(struct request *r, struct str child);
void request_error(struct request *r, const char *condition, const char *text);
/* Another instance has answered. */
void request_handled(struct request *r);
/* Back to the instance that forwarded it: not here. */
void request_not_here(struct request *r, int code);

#endif
