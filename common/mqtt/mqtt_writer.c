/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt/mqtt_writer.h"

#include "common/mqtt/mqtt_props_table.h"

#define USER   (1ull << MQTT_PROP_USER)
#define REASON (1ull << MQTT_PROP_REASON_STRING)

/* Is it small enough with these properties? The draft has its sizes then. */
static bool fits(struct mqtt_draft *d, uint64_t has)
{
	size_t size = has ? mqtt_props_size(d->props, has) : 0;

	d->has = has;
	d->props_size = size;
	d->short_form = d->may_shorten && !has;
	if (size > MQTT_VARINT_MAX || d->others > MQTT_VARINT_MAX)
		return false;
	d->body = d->others;
	if (d->short_form)
		d->body -= d->shortened_by;
	else if (d->props)
		d->body += mqtt_varint_size(size) + size;
	if (d->body > MQTT_VARINT_MAX)
		return false;
	d->size = 1 + mqtt_varint_size(d->body) + d->body;
	return d->to->packet_max == 0 || d->size <= d->to->packet_max;
}

/* With as much of what helps a person as there is room for, and as the receiver wants to have. Other packets' user properties belong to
 * what they say. */
static bool fits_somehow(struct mqtt_draft *d)
{
	bool helps = (mqtt_prop_rows[MQTT_PROP_REASON_STRING].packets & 1u << d->type) != 0;
	uint64_t has = d->props ? mqtt_props_of(d->props->has, d->type) : 0;

	/* MQTT-3.1.2-29 */
	if (d->to->no_problem_info && helps && d->type != MQTT_CONNACK && d->type != MQTT_DISCONNECT)
		has &= ~(USER | REASON);
	if (fits(d, has))
		return true;
	return helps && has & (USER | REASON) && (fits(d, has & ~USER) || fits(d, has & ~REASON) || fits(d, has & ~(USER | REASON)));
}

uint8_t *mqtt_draft_begin(struct mqtt_draft *d)
{
	char *room;

	if (d->to->version != MQTT_5)
		d->props = NULL;
	room = fits_somehow(d) ? buf_reserve(d->out, d->size) : NULL;
	if (!room)
		return NULL;
	uint8_t *w = mqtt_put_u8((uint8_t *)room, d->first);
	return w + mqtt_varint_write((uint32_t)d->body, w);
}

uint8_t *mqtt_draft_props(const struct mqtt_draft *d, uint8_t *w)
{
	if (!d->props || d->short_form)
		return w;
	w += mqtt_varint_write((uint32_t)d->props_size, w);
	return d->has ? mqtt_props_write(w, d->props, d->has) : w;
}

size_t mqtt_draft_end(const struct mqtt_draft *d)
{
	buf_commit(d->out, d->size);
	return d->size;
}
