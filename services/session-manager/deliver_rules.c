/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/deliver_rules.h"

#include <stddef.h>

#include "services/session-manager/packet.h"

#define T(name) (1u << TYPE_##name)

/* Short names for the table. */
enum {
	NO = ACTION_DROP,
	ONE = ACTION_RESOURCE,
	READ = ACTION_READERS,
	ALL = ACTION_AVAILABLE,
	KEEP = ACTION_STORE,
	ERR = ACTION_BOUNCE,
	SELF = ACTION_SERVE
};

static const struct row {
	Starling__StanzaKind kind;
	uint32_t types; /* bits of StanzaType */
	int action[CASES];
} rows[] = {
	/* clang-format off */
	/*                                                         account:   none    bare         full found  full missing
	 *                                                                            read, nobody             reader, nobody */
	{ KIND_MESSAGE,  T(NONE) | T(NORMAL) | T(CHAT),                     { ERR,  READ, KEEP,  ONE,        READ, KEEP } },
	{ KIND_MESSAGE,  T(HEADLINE),                                       { NO,   READ, NO,    ONE,        NO,   NO } },
	{ KIND_MESSAGE,  T(GROUPCHAT),                                      { ERR,  ERR,  ERR,   ONE,        ERR,  ERR } },
	{ KIND_MESSAGE,  T(ERROR),                                          { NO,   NO,   NO,    ONE,        NO,   NO } },
	{ KIND_PRESENCE, T(NONE) | T(UNAVAILABLE) | T(ERROR),               { NO,   ALL,  ALL,   ONE,        NO,   NO } },
	{ KIND_PRESENCE, T(SUBSCRIBE) | T(SUBSCRIBED) | T(UNSUBSCRIBE) |
			 T(UNSUBSCRIBED) | T(PROBE),                        { SELF, SELF, SELF,  SELF,       SELF, SELF } },
	{ KIND_IQ,       T(GET) | T(SET),                                   { ERR,  SELF, SELF,  ONE,        ERR,  ERR } },
	{ KIND_IQ,       T(RESULT) | T(ERROR),                              { NO,   NO,   NO,    ONE,        NO,   NO } },
	/* clang-format on */
};

enum deliver_action deliver_rule(Starling__StanzaKind kind, Starling__StanzaType type, enum deliver_case c)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].kind == kind && rows[i].types & 1u << type)
			return (enum deliver_action)rows[i].action[c];
	}
	return ACTION_DROP;
}

bool deliver_storable(uint32_t flags)
{
	/* Bits that say how a message is to be handled, or what a conversation does at this moment, not what it says. */
	const uint32_t passing = STARLING__STANZA_FLAG__FLAG_CHAT_STATE | STARLING__STANZA_FLAG__FLAG_THREAD |
	                         STARLING__STANZA_FLAG__FLAG_NO_STORE | STARLING__STANZA_FLAG__FLAG_NO_PERMANENT_STORE |
	                         STARLING__STANZA_FLAG__FLAG_NO_COPY | STARLING__STANZA_FLAG__FLAG_PRIVATE |
	                         STARLING__STANZA_FLAG__FLAG_DELAY | STARLING__STANZA_FLAG__FLAG_CARBON | STARLING__STANZA_FLAG__FLAG_EMPTY;

	if (flags & STARLING__STANZA_FLAG__FLAG_NO_STORE)
		return false;
	return flags & ~passing;
}
