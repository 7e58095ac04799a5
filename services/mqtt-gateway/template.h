/* SPDX-License-Identifier: Apache-2.0
 *
 * template: texts with places to be filled in, as the rule file has them: "$1: $payload", "${alarm.text}". Pure.
 *
 *   $1 ... $9      what the wildcards of the topic filter stand for
 *   $topic         the topic's name
 *   $payload       the payload as text
 *   ${a.b}         member b of member a of the payload, which is JSON: a string's text, anything else as it is written
 *   $user $domain  who wrote: localpart and domain
 *   $name          to whom: the localpart
 *   $$             a dollar */
#ifndef MQTT_GATEWAY_TEMPLATE_H
#define MQTT_GATEWAY_TEMPLATE_H

#include "common/base/buf.h"
#include "common/text/json_read.h"

#define TEMPLATE_LEVELS 9u

enum piece_kind { PIECE_TEXT, PIECE_LEVEL, PIECE_JSON, PIECE_TOPIC, PIECE_PAYLOAD, PIECE_USER, PIECE_DOMAIN, PIECE_NAME, PIECE_KINDS };

#define PIECES_OF_PUBLISH (1u << PIECE_LEVEL | 1u << PIECE_JSON | 1u << PIECE_TOPIC | 1u << PIECE_PAYLOAD)
#define PIECES_OF_STANZA  (1u << PIECE_USER | 1u << PIECE_DOMAIN | 1u << PIECE_NAME)

struct piece {
	enum piece_kind kind;
	unsigned number; /* LEVEL: from 0; JSON: names in text */
	char *text;      /* TEXT; JSON: so many names, each with its NUL */
};

/* Zeroed: the empty text. */
struct template
{
	struct piece *pieces;
	size_t count;
};

struct template_values {
	struct str texts[PIECE_KINDS]; /* of those from TOPIC on */
	struct str levels[TEMPLATE_LEVELS];
	const struct json_value *json; /* NULL: the payload is none */
};

/* pieces: bits of those that there are values for. In a zeroed template. NULL, or what is wrong with it, a static text. */
const char *template_parse(struct template *t, struct str text, unsigned pieces);
void template_fini(struct template *t);
/* Appended. False: a member is missing, is there twice, or does not fit. */
bool template_render(const struct template *t, const struct template_values *v, struct buf *out);
/* Nothing is to be filled in. */
bool template_fixed(const struct template *t);
/* Is something of that kind to be filled in? */
bool template_uses(const struct template *t, enum piece_kind kind);
/* The highest $1 ... $9 in it; 0: none. */
unsigned template_levels(const struct template *t);

#endif
