/* SPDX-License-Identifier: Apache-2.0
 *
 * stanza: the words of RFC 6120 section 8: kinds, types and error conditions. */
#include "common/xmpp/stanza.h"

static const struct {
	const char *name;
	enum stanza_type type;
	uint8_t kinds;
} types[] = {
#define IN(kind) (1u << (kind))
	{ "error", STANZA_TYPE_ERROR, IN(STANZA_MESSAGE) | IN(STANZA_PRESENCE) | IN(STANZA_IQ) },
	{ "normal", STANZA_TYPE_NORMAL, IN(STANZA_MESSAGE) },
	{ "chat", STANZA_TYPE_CHAT, IN(STANZA_MESSAGE) },
	{ "groupchat", STANZA_TYPE_GROUPCHAT, IN(STANZA_MESSAGE) },
	{ "headline", STANZA_TYPE_HEADLINE, IN(STANZA_MESSAGE) },
	{ "unavailable", STANZA_TYPE_UNAVAILABLE, IN(STANZA_PRESENCE) },
	{ "subscribe", STANZA_TYPE_SUBSCRIBE, IN(STANZA_PRESENCE) },
	{ "subscribed", STANZA_TYPE_SUBSCRIBED, IN(STANZA_PRESENCE) },
	{ "unsubscribe", STANZA_TYPE_UNSUBSCRIBE, IN(STANZA_PRESENCE) },
	{ "unsubscribed", STANZA_TYPE_UNSUBSCRIBED, IN(STANZA_PRESENCE) },
	{ "probe", STANZA_TYPE_PROBE, IN(STANZA_PRESENCE) },
	{ "get", STANZA_TYPE_GET, IN(STANZA_IQ) },
	{ "set", STANZA_TYPE_SET, IN(STANZA_IQ) },
	{ "result", STANZA_TYPE_RESULT, IN(STANZA_IQ) },
};

enum stanza_type stanza_type_parse(enum stanza_kind kind, struct str text, bool *out_valid)
{
	*out_valid = true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if ((types[i].kinds & IN(kind)) && str_is(text, types[i].name))
			return types[i].type;
	}
	*out_valid = false;
	return kind == STANZA_MESSAGE ? STANZA_TYPE_NORMAL : STANZA_TYPE_NONE;
}

const char *stanza_type_name(enum stanza_type t)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == t)
			return types[i].name;
	}
	return NULL;
}

/* RFC 6120 section 8.3.3. Where the RFC leaves a choice, the type that fits a server's answer. */
static const struct {
	const char *condition, *type;
} errors[] = {
	{ "bad-request", "modify" },
	{ "conflict", "cancel" },
	{ "feature-not-implemented", "cancel" },
	{ "forbidden", "auth" },
	{ "gone", "cancel" },
	{ "internal-server-error", "cancel" },
	{ "item-not-found", "cancel" },
	{ "jid-malformed", "modify" },
	{ "not-acceptable", "modify" },
	{ "not-allowed", "cancel" },
	{ "not-authorized", "auth" },
	{ "policy-violation", "modify" },
	{ "recipient-unavailable", "wait" },
	{ "redirect", "modify" },
	{ "registration-required", "auth" },
	{ "remote-server-not-found", "cancel" },
	{ "remote-server-timeout", "wait" },
	{ "resource-constraint", "wait" },
	{ "service-unavailable", "cancel" },
	{ "subscription-required", "auth" },
	{ "undefined-condition", "cancel" },
	{ "unexpected-request", "wait" },
};

const char *stanza_error_type(const char *condition)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].condition, condition) == 0)
			return errors[i].type;
	}
	return "cancel";
}
