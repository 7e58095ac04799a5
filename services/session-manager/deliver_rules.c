/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/deliver_rules.h"

#include <stddef.h>

#include "services/session-manager/packet.h"

#define ROW(...)                                                                                                                           \
	{                                                                                                                                  \
		__VA_ARGS__                                                                                                                \
	}

static const struct row {
	Starling__StanzaKind kind;
	uint32_t types; /* bits of StanzaType */
	enum deliver_action action[CASES];
} rows[] = {
	/* clang-format off */
	/*                                                        no account     bare, reader      bare, nobody   full found       full, reader    full, nobody */
	{ KIND_MESSAGE, 1u << TYPE_NONE | 1u << TYPE_NORMAL | 1u << TYPE_CHAT,
	                                                      ROW(ACTION_BOUNCE, ACTION_READERS,   ACTION_STORE,  ACTION_RESOURCE, ACTION_READERS, ACTION_STORE) },
	{ KIND_MESSAGE, 1u << TYPE_HEADLINE,                  ROW(ACTION_DROP,   ACTION_READERS,   ACTION_DROP,   ACTION_RESOURCE, ACTION_DROP,    ACTION_DROP) },
	{ KIND_MESSAGE, 1u << TYPE_GROUPCHAT,                 ROW(ACTION_BOUNCE, ACTION_BOUNCE,    ACTION_BOUNCE, ACTION_RESOURCE, ACTION_BOUNCE,  ACTION_BOUNCE) },
	{ KIND_MESSAGE, 1u << TYPE_ERROR,                     ROW(ACTION_DROP,   ACTION_DROP,      ACTION_DROP,   ACTION_RESOURCE, ACTION_DROP,    ACTION_DROP) },
	{ KIND_PRESENCE, 1u << TYPE_NONE | 1u << TYPE_UNAVAILABLE | 1u << TYPE_ERROR,
	                                                      ROW(ACTION_DROP,   ACTION_AVAILABLE, ACTION_AVAILABLE, ACTION_RESOURCE, ACTION_DROP, ACTION_DROP) },
	{ KIND_PRESENCE, 1u << TYPE_SUBSCRIBE | 1u << TYPE_SUBSCRIBED | 1u << TYPE_UNSUBSCRIBE | 1u << TYPE_UNSUBSCRIBED | 1u << TYPE_PROBE,
	                                                      ROW(ACTION_SERVE,  ACTION_SERVE,     ACTION_SERVE,  ACTION_SERVE,    ACTION_SERVE,   ACTION_SERVE) },
	{ KIND_IQ, 1u << TYPE_GET | 1u << TYPE_SET,           ROW(ACTION_BOUNCE, ACTION_SERVE,     ACTION_SERVE,  ACTION_RESOURCE, ACTION_BOUNCE,  ACTION_BOUNCE) },
	{ KIND_IQ, 1u << TYPE_RESULT | 1u << TYPE_ERROR,      ROW(ACTION_DROP,   ACTION_DROP,      ACTION_DROP,   ACTION_RESOURCE, ACTION_DROP,    ACTION_DROP) },
	/* clang-format on */
};

enum deliver_action deliver_rule(Starling__StanzaKind kind, Starling__StanzaType type, enum deliver_case c)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].kind == kind && rows[i].types & 1u << type)
			return rows[i].action[c];
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
