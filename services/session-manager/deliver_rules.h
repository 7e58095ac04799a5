/* SPDX-License-Identifier: Apache-2.0
 *
 * deliver_rules: RFC 6121 section 8.5 as a table: what happens to a stanza for a local account, by its kind and type and by who is there. Pure. */
#ifndef SESSION_MANAGER_DELIVER_RULES_H
#define SESSION_MANAGER_DELIVER_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/proto/types.pb-c.h"

/* Columns. */
enum deliver_case {
	CASE_NO_ACCOUNT,  /* 8.5.1 */
	CASE_BARE_READER, /* 8.5.2.1: to the bare JID, and a resource is there that reads messages (available, priority not negative) */
	CASE_BARE_NOBODY, /* 8.5.2.2: to the bare JID, no such resource */
	CASE_FULL_FOUND,  /* 8.5.3.1: a connected resource matches */
	CASE_FULL_READER, /* 8.5.3.2: none matches, but another would read messages */
	CASE_FULL_NOBODY, /* 8.5.3.2: none matches, and none would */
	CASES
};

enum deliver_action {
	ACTION_DROP,      /* silently ignored */
	ACTION_RESOURCE,  /* to the resource that matches */
	ACTION_READERS,   /* to every available resource whose priority is not negative: the choice that 8.5.2.1.1 leaves to the server */
	ACTION_AVAILABLE, /* to every available resource */
	ACTION_STORE,     /* kept for later (XEP-0160), if it is worth it */
	ACTION_BOUNCE,    /* service-unavailable */
	ACTION_SERVE,     /* the server itself acts: subscriptions, probes, IQs to the account */
};

enum deliver_action deliver_rule(Starling__StanzaKind kind, Starling__StanzaType type, enum deliver_case c);
/* XEP-0160 section 3, XEP-0334: does the message hold anything that someone who was away wants to see? */
bool deliver_storable(uint32_t flags);

#endif
