/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/message.h"

#include "common/base/mem.h"

struct mq_message *mq_message_new(const struct mqtt_message *m, uint64_t expires_ms)
{
	struct mq_message *out = mem_alloc(sizeof(*out) + m->topic.n + m->props_and_payload.n);
	char *bytes = (char *)(out + 1);

	memcpy(bytes, m->topic.p, m->topic.n);
	if (m->props_and_payload.n)
		memcpy(bytes + m->topic.n, m->props_and_payload.p, m->props_and_payload.n);
	*out = (struct mq_message){
		.m = { .topic = str_make(bytes, m->topic.n),
		       .props_and_payload = str_make(bytes + m->topic.n, m->props_and_payload.n),
		       .props_size = m->props_size },
		.expires_ms = expires_ms,
		.refs = 1,
	};
	return out;
}

struct mq_message *mq_message_ref(struct mq_message *m)
{
	m->refs++;
	return m;
}

void mq_message_unref(struct mq_message **m)
{
	if (*m && --(*m)->refs == 0)
		mem_free(*m);
	*m = NULL;
}

size_t mq_message_bytes(const struct mq_message *m)
{
	return sizeof(*m) + m->m.topic.n + m->m.props_and_payload.n;
}

bool mq_message_expiry(uint64_t expires_ms, uint64_t now_ms, struct mqtt_delivery *out)
{
	out->has_expiry = expires_ms != 0;
	if (!out->has_expiry)
		return true;
	if (now_ms >= expires_ms)
		return false;
	out->expiry = (uint32_t)((expires_ms - now_ms + 999) / 1000);
	return true;
}

struct mq_message *mq_publication_keep(struct mq_publication *p)
{
	if (!p->kept)
		p->kept = mq_message_new(&p->m, p->expires_ms);
	return mq_message_ref(p->kept);
}

void mq_publication_end(struct mq_publication *p)
{
	mq_message_unref(&p->kept);
}
