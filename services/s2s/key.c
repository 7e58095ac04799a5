/* SPDX-License-Identifier: Apache-2.0
 *
 * key: what a message is called between two Starlings (docs/decisions/0032-federation.md): stream and number that its sender's log gave it, whether it
 * is sent again, and how many seconds ago it was first. The last child of the stanza, put there behind everything else by the one end, taken off by the other. */
#include <inttypes.h>

#include "services/s2s/s2s.h"

#define OPEN "<key xmlns='" S2S_NS_KEY "'"
#define END  "/></message>"

enum { LONGEST = 256, AGE_MAX_S = 86400 };

void s2s_key_add(struct buf *extra, const struct s2s_key *key)
{
	buf_printf(extra, OPEN " s='%016" PRIx64 "' n='%" PRIu64 "'%s", key->stream, key->number, key->again ? " again='1'" : "");
	if (key->again && key->age_s > 0 && key->age_s <= AGE_MAX_S)
		buf_printf(extra, " age='%" PRIu64 "'", key->age_s);
	buf_append_cstr(extra, "/>");
}

/* 0 for what is no number of the base. */
static uint64_t number_of(struct str text, unsigned base)
{
	uint64_t v = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;

		if (digit >= base || v > (UINT64_MAX - digit) / base)
			return 0;
		v = v * base + digit;
	}
	return v;
}

/* Canonical bytes: no text or attribute can look like it, and what ends right before the end of the message is no grandchild. */
struct str s2s_key_take(struct buf *out, struct arena *arena, struct str bytes, struct s2s_key *key)
{
	size_t n = sizeof(OPEN) - 1, tail = sizeof(END) - 1, from = bytes.n > LONGEST ? bytes.n - LONGEST : 0;
	const char *at = NULL;
	struct xml_node *node;
	bool alone;

	if (bytes.n < n + tail || memcmp(bytes.p + bytes.n - tail, END, tail) != 0)
		return bytes;
	for (size_t i = bytes.n - n - tail + 1; i > from && !at; i--) {
		if (bytes.p[i - 1] == '<' && memcmp(bytes.p + i - 1, OPEN, n) == 0)
			at = bytes.p + i - 1;
	}
	node = at ? xml_parse(arena, str_make(at, (size_t)(bytes.p + bytes.n - tail + 2 - at)), STR(S2S_NS_SERVER)) : NULL;
	if (!node)
		return bytes;
	key->stream = number_of(xml_get(node, "s"), 16);
	key->number = number_of(xml_get(node, "n"), 10);
	key->again = str_is(xml_get(node, "again"), "1");
	key->age_s = key->again ? number_of(xml_get(node, "age"), 10) : 0;
	if (key->age_s > AGE_MAX_S)
		key->age_s = 0;
	buf_clear(out);
	alone = memchr(bytes.p, '>', bytes.n) == at - 1; /* canonical is then the short form */
	buf_append(out, bytes.p, (size_t)(at - bytes.p) - alone);
	buf_append_cstr(out, alone ? "/>" : "</message>");
	return buf_str(out);
}
