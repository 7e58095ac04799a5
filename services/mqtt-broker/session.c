/* SPDX-License-Identifier: Apache-2.0
 *
 * session: what a client subscribed to and is owed (MQTT 5.0 section 4.1): its beginning, its clients, its end. */
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"

struct mq_session *mq_session_new(struct mq_tenant *t, struct str id, const char *user)
{
	size_t user_n = user ? strlen(user) + 1 : 0;
	struct mq_session *s = mem_zalloc(sizeof(*s) + id.n + 1 + user_n);
	char *text = (char *)(s + 1);

	s->refs = 1;
	s->tenant = t;
	memcpy(text, id.p, id.n);
	s->id = str_make(text, id.n);
	if (user)
		s->user = memcpy(text + id.n + 1, user, user_n);
	list_init(&s->spreads);
	mq_names_put(&t->sessions, s);
	return s;
}

struct mq_session *mq_session_ref(struct mq_session *s)
{
	s->refs++;
	return s;
}

/* The broker may be gone when the last reference goes: nothing of it is touched. */
void mq_session_unref(struct mq_session **out)
{
	struct mq_session *s = *out;

	*out = NULL;
	if (!s || --s->refs > 0)
		return;
	mem_free(s);
}

bool mq_session_is_of(const struct mq_session *s, const char *user)
{
	return !s->user == !user && (!user || strcmp(s->user, user) == 0);
}

void mq_session_attach(struct mq_session *s, struct mq_client *c)
{
	const struct mq_config *cfg = c->broker->config;

	s->client = c;
	c->session = s;
	mq_subs_here(s, true);
	if (c->login->will) {
		mq_will_free(&s->will);
		s->will = c->login->will;
		c->login->will = NULL;
	}
	s->receive_max = c->login->receive_max < cfg->inflight ? c->login->receive_max : (uint16_t)cfg->inflight;
	if (c->peer.version != MQTT_5)
		return;
	c->peer.topic_alias_max = (uint16_t)cfg->aliases_in;
	c->alias_max = c->login->alias_max < cfg->aliases_out ? c->login->alias_max : (uint16_t)cfg->aliases_out;
}

/* All but its subscriptions. */
static void take_apart(struct mq_session *s)
{
	s->ended = true;
	mq_subs_here(s, false);
	if (s->client)
		s->client->session = NULL;
	s->client = NULL;
	mq_names_remove(&s->tenant->sessions, s->id);
	mq_replay_end(s);
	mq_queue_fini(&s->queue);
	mq_inflight_fini(&s->inflight);
	mq_received_fini(&s->received);
	mq_will_free(&s->will);
	if (s->lasting)
		mq_lasting_free(&s->lasting);
	mq_claimed_look(s->tenant->broker);
}

void mq_session_end(struct mq_session *s)
{
	if (s->ended)
		return;
	mq_subs_remove_all(s);
	take_apart(s);
	mq_session_unref(&s);
}

void mq_session_leave(struct mq_session *s)
{
	s->elsewhere = true;
	take_apart(s);
	mq_session_unref(&s);
}

/* Of one that ends with its connection the will is due now, whatever its delay ([MQTT-3.1.3-9]). */
void mq_session_detach(struct mq_client *c)
{
	struct mq_session *s = c->session;
	struct mq_will *will;

	if (!s)
		return;
	c->session = NULL;
	s->client = NULL;
	if (s->lasting) {
		mq_subs_here(s, false);
		mq_replay_end(s);
		mq_inflight_fini(&s->inflight);
		mq_queue_fini(&s->queue);
		mq_outbox_rewind(&s->lasting->box);
		mq_lasting_leave(s);
		return;
	}
	will = s->will;
	s->will = NULL;
	mq_session_ref(s);
	mq_session_end(s);
	if (will)
		mq_will_send(s, &will, NULL);
	mq_session_unref(&s);
}
