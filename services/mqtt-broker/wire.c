/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/wire.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/mq.h"

#define DEADLINE_MS 10000u

char *mq_wire_name(const struct mq_tenant *t, struct str text)
{
	char *out = mem_alloc(t->name.n + 1 + text.n + 1);

	memcpy(out, t->name.p, t->name.n);
	out[t->name.n] = '/';
	memcpy(out + t->name.n + 1, text.p, text.n);
	out[t->name.n + 1 + text.n] = '\0';
	return out;
}

struct mq_tenant *mq_wire_tenant(struct mq_broker *b, struct str name, struct str *out_rest)
{
	const char *slash = name.n ? memchr(name.p, '/', name.n) : NULL;
	struct str host = str_make(name.p, slash ? (size_t)(slash - name.p) : 0);

	for (uint32_t i = 0; slash && i < b->tenant_count; i++) {
		if (!str_eq(b->tenants[i].name, host))
			continue;
		*out_rest = str_make(slash + 1, name.n - host.n - 1);
		return &b->tenants[i];
	}
	return NULL;
}

static int64_t to_wall(const struct mq_broker *b, uint64_t at_ms)
{
	return clock_wall_us() + ((int64_t)at_ms - (int64_t)net_now(b->net)) * 1000;
}

/* What has expired long ago has done so now: the loop's clock may be younger than that. */
static uint64_t from_wall(const struct mq_broker *b, int64_t at_us)
{
	int64_t left_ms = (at_us - clock_wall_us()) / 1000;

	return net_now(b->net) + (left_ms > 0 ? (uint64_t)left_ms : 0);
}

static ProtobufCBinaryData bytes(struct str s)
{
	return (ProtobufCBinaryData){ s.n, (uint8_t *)(uintptr_t)s.p };
}

void mq_wire_init(struct mq_wire *w, const struct mq_tenant *t, const struct mq_message *m, unsigned qos, bool retain, bool payload_inside)
{
	Starling__MqttMessage empty = STARLING__MQTT_MESSAGE__INIT;
	const struct str all = m->m.props_and_payload;

	w->message = empty;
	w->topic = mq_wire_name(t, m->m.topic);
	w->payload = str_make(all.p + m->m.props_size, all.n - m->m.props_size);
	w->message.topic = w->topic;
	w->message.qos = qos;
	w->message.retain = retain;
	w->message.properties = bytes(str_make(all.p, m->m.props_size));
	w->message.expires_us = m->expires_ms ? to_wall(t->broker, m->expires_ms) : 0;
	w->message.time_us = clock_wall_us();
	if (payload_inside)
		w->message.payload = bytes(w->payload);
}

void mq_wire_fini(struct mq_wire *w)
{
	mem_free(w->topic);
}

static struct str view(ProtobufCBinaryData d)
{
	return str_make((const char *)d.data, d.len);
}

struct mq_message *mq_wire_message(struct mq_broker *b, const Starling__MqttMessage *m, struct str payload, struct mq_tenant **out_tenant)
{
	struct mqtt_message out = { .props_size = (uint32_t)m->properties.len };
	struct mq_message *made;
	struct buf both = { 0 };

	*out_tenant = mq_wire_tenant(b, str_from(m->topic), &out.topic);
	if (!*out_tenant || out.topic.n == 0)
		return NULL;
	buf_append_str(&both, view(m->properties));
	buf_append_str(&both, m->payload.len ? view(m->payload) : payload);
	out.props_and_payload = buf_str(&both);
	made = mq_message_new(&out, m->expires_us ? from_wall(b, m->expires_us) : 0);
	buf_fini(&both);
	return made;
}

struct ipc_opts mq_wire_opts(struct mq_broker *b)
{
	return (struct ipc_opts){ .deadline_ms = DEADLINE_MS, .in_line = true, .trace = mq_trace(b) };
}

bool mq_wire_doubtful(int code)
{
	return code == STARLING__CODE__CODE_TIMEOUT || code == STARLING__CODE__CODE_PEER_LOST;
}

bool mq_wire_passing(int code)
{
	return mq_wire_doubtful(code) || code == STARLING__CODE__CODE_UNAVAILABLE || code == STARLING__CODE__CODE_OVERLOAD;
}
