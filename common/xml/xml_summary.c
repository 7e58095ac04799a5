/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_summary: see xml_summary.h. What a message's children mean is one table. */
#include "common/xml/xml_summary.h"

enum capture { CAPTURE_NONE, CAPTURE_BODY, CAPTURE_PRIORITY, CAPTURE_ORIGIN_ID };

#define LIT(text)                                                                                                                          \
	{                                                                                                                                  \
		text, sizeof(text) - 1                                                                                                     \
	}
/* No name: any element of the namespace. No ns: the stanza's own namespace. flag 0: known, and worth no flag. */
static const struct child_rule {
	struct str ns, name;
	uint32_t flag;
	enum capture capture;
} rules[] = {
	{ { NULL, 0 }, LIT("body"), 0, CAPTURE_BODY },
	{ { NULL, 0 }, LIT("subject"), STANZA_SUBJECT, CAPTURE_NONE },
	{ { NULL, 0 }, LIT("thread"), STANZA_THREAD, CAPTURE_NONE },
	{ LIT("http://jabber.org/protocol/chatstates"), { NULL, 0 }, STANZA_CHAT_STATE, CAPTURE_NONE },
	{ LIT("urn:xmpp:receipts"), LIT("received"), STANZA_RECEIPT, CAPTURE_NONE },
	{ LIT("urn:xmpp:receipts"), LIT("request"), STANZA_RECEIPT_REQUEST, CAPTURE_NONE },
	{ LIT("urn:xmpp:chat-markers:0"), LIT("received"), STANZA_MARKER, CAPTURE_NONE },
	{ LIT("urn:xmpp:chat-markers:0"), LIT("displayed"), STANZA_MARKER, CAPTURE_NONE },
	{ LIT("urn:xmpp:chat-markers:0"), LIT("acknowledged"), STANZA_MARKER, CAPTURE_NONE },
	{ LIT("urn:xmpp:eme:0"), LIT("encryption"), STANZA_ENCRYPTED, CAPTURE_NONE },
	{ LIT("eu.siacs.conversations.axolotl"), LIT("encrypted"), STANZA_ENCRYPTED, CAPTURE_NONE },
	{ LIT("urn:xmpp:omemo:1"), LIT("encrypted"), STANZA_ENCRYPTED, CAPTURE_NONE },
	{ LIT("urn:xmpp:omemo:2"), LIT("encrypted"), STANZA_ENCRYPTED, CAPTURE_NONE },
	{ LIT("urn:xmpp:openpgp:0"), LIT("openpgp"), STANZA_ENCRYPTED, CAPTURE_NONE },
	{ LIT("jabber:x:encrypted"), LIT("x"), STANZA_ENCRYPTED, CAPTURE_NONE },
	{ LIT("urn:xmpp:hints"), LIT("no-store"), STANZA_NO_STORE, CAPTURE_NONE },
	{ LIT("urn:xmpp:hints"), LIT("no-permanent-store"), STANZA_NO_PERMANENT_STORE, CAPTURE_NONE },
	{ LIT("urn:xmpp:hints"), LIT("no-copy"), STANZA_NO_COPY, CAPTURE_NONE },
	{ LIT("urn:xmpp:hints"), LIT("store"), STANZA_STORE, CAPTURE_NONE },
	{ LIT("urn:xmpp:carbons:2"), LIT("private"), STANZA_PRIVATE, CAPTURE_NONE },
	{ LIT("urn:xmpp:carbons:2"), LIT("sent"), STANZA_CARBON, CAPTURE_NONE },
	{ LIT("urn:xmpp:carbons:2"), LIT("received"), STANZA_CARBON, CAPTURE_NONE },
	{ LIT("urn:xmpp:delay"), LIT("delay"), STANZA_DELAY, CAPTURE_NONE },
	{ LIT("http://jabber.org/protocol/muc#user"), LIT("x"), STANZA_MUC_USER, CAPTURE_NONE },
	{ LIT("jabber:x:conference"), LIT("x"), STANZA_INVITE, CAPTURE_NONE },
	{ LIT("urn:xmpp:message-retract:1"), LIT("retract"), STANZA_RETRACT, CAPTURE_NONE },
	{ LIT("urn:xmpp:sid:0"), LIT("origin-id"), 0, CAPTURE_ORIGIN_ID },
};

bool xml_summary_begin(struct xml_summary *s, struct str name)
{
	enum stanza_kind kind = STANZA_NONE;

	if (str_is(name, "message"))
		kind = STANZA_MESSAGE;
	else if (str_is(name, "presence"))
		kind = STANZA_PRESENCE;
	else if (str_is(name, "iq"))
		kind = STANZA_IQ;
	*s = (struct xml_summary){ .stanza = { .kind = kind } };
	return kind != STANZA_NONE;
}

bool xml_summary_attr(struct xml_summary *s, struct arena *a, struct str name, struct str value)
{
	struct stanza *st = &s->stanza;

	if (str_is(name, "to")) {
		st->to_raw = arena_str(a, value);
		st->has_to = true;
		return false;
	}
	if (str_is(name, "from")) {
		st->from_raw = arena_str(a, value);
		st->has_from = true;
		return false;
	}
	if (str_is(name, "id")) {
		st->id = arena_str(a, value);
		st->has_id = true;
	} else if (str_is(name, "type")) {
		bool valid;

		st->type = stanza_type_parse(st->kind, value, &valid);
		s->has_type = true;
		s->bad_type = !valid;
	}
	return true;
}

static const struct child_rule *find_rule(struct str name, struct str ns, bool own_ns)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct child_rule *r = &rules[i];

		if ((r->ns.p ? str_eq(ns, r->ns) : own_ns) && (!r->name.p || str_eq(name, r->name)))
			return r;
	}
	return NULL;
}

void xml_summary_child(struct xml_summary *s, struct arena *a, struct str name, struct str ns, bool own_ns)
{
	struct stanza *st = &s->stanza;

	s->capture = CAPTURE_NONE;
	st->children++;
	if (st->kind == STANZA_IQ && st->children == 1) {
		st->child_name = arena_str(a, name);
		st->child_ns = arena_str(a, ns);
	} else if (st->kind == STANZA_PRESENCE && own_ns && str_is(name, "priority")) {
		s->capture = CAPTURE_PRIORITY;
		s->has_priority = true;
		s->priority_n = 0;
	} else if (st->kind == STANZA_MESSAGE) {
		const struct child_rule *r = find_rule(name, ns, own_ns);

		st->flags |= r ? r->flag : STANZA_OTHER_PAYLOAD;
		s->capture = r ? r->capture : CAPTURE_NONE;
	}
}

void xml_summary_child_attr(struct xml_summary *s, struct arena *a, struct str name, struct str value)
{
	if (s->capture == CAPTURE_ORIGIN_ID && str_is(name, "id"))
		s->stanza.origin_id = arena_str(a, value);
}

void xml_summary_text(struct xml_summary *s, struct str text)
{
	if (s->capture == CAPTURE_BODY && text.n > 0) {
		s->stanza.flags |= STANZA_BODY;
	} else if (s->capture == CAPTURE_PRIORITY) {
		for (size_t i = 0; i < text.n; i++) {
			if (s->priority_n == sizeof(s->priority))
				s->bad_priority = true;
			else
				s->priority[s->priority_n++] = text.p[i];
		}
	}
}

/* xs:byte, RFC 6121 appendix A.2: white space around it does not count. */
static bool parse_byte(const char *p, size_t n, int *out)
{
	static const char space[] = " \t\r\n";
	int value = 0;
	bool negative = false;

	while (n && memchr(space, p[0], 4))
		p++, n--;
	while (n && memchr(space, p[n - 1], 4))
		n--;
	if (n && (p[0] == '-' || p[0] == '+')) {
		negative = p[0] == '-';
		p++, n--;
	}
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || value > 128)
			return false;
		value = 10 * value + (p[i] - '0');
	}
	*out = negative ? -value : value;
	return *out >= -128 && *out <= 127;
}

void xml_summary_child_end(struct xml_summary *s)
{
	if (s->capture == CAPTURE_PRIORITY && !parse_byte(s->priority, s->priority_n, &s->stanza.priority)) {
		s->bad_priority = true;
		s->stanza.priority = 0;
	}
	s->capture = CAPTURE_NONE;
}

/* What makes a stanza one that must be answered with bad-request. */
static const char *find_fault(const struct xml_summary *s)
{
	const struct stanza *st = &s->stanza;

	/* An error or a result is never answered (RFC 6120 sections 8.2.3 and 8.3.1). */
	if (st->type == STANZA_TYPE_ERROR || st->type == STANZA_TYPE_RESULT)
		return NULL;
	/* A message of an unknown type is a normal one (RFC 6121 section 5.2.2). */
	if (s->bad_type && st->kind != STANZA_MESSAGE)
		return "unknown type";
	if (s->bad_priority)
		return "priority is not a number from -128 to 127";
	if (st->kind != STANZA_IQ)
		return NULL;
	/* RFC 6120 section 8.2.3. */
	if (!s->has_type)
		return "iq without a type";
	if (!st->has_id)
		return "iq without an id";
	if ((st->type == STANZA_TYPE_GET || st->type == STANZA_TYPE_SET) && st->children != 1)
		return "an iq of type get or set has exactly one child element";
	return NULL;
}

void xml_summary_finish(struct xml_summary *s, struct str bytes)
{
	struct stanza *st = &s->stanza;

	if (st->kind == STANZA_MESSAGE && st->children == 0)
		st->flags |= STANZA_EMPTY;
	st->fault = find_fault(s);
	st->bytes = bytes;
}
