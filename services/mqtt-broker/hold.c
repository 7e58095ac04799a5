/* SPDX-License-Identifier: Apache-2.0
 *
 * hold: who comes back while a death is not over (peers.c) waits, and asks then whose its session is. Else the store might give it to us behind the back of those
 * who look there for what the dead one had: they would find all with brokers that live, and match a message before anybody has heard of the session's filters. */
#include "services/mqtt-broker/several.h"

bool mq_hold(struct mq_client *c)
{
	struct mq_several *s = c->broker->several;

	/* Who begins anew misses nothing. */
	if (!s->unsettled || c->login->clean)
		return false;
	if (c->state != MQ_LOGIN)
		mq_client_set_state(c, MQ_LOGIN);
	list_push_back(&s->held, &c->login->waiting);
	return true;
}

void mq_held_go_on(struct mq_broker *b)
{
	struct mq_several *s = b->several;

	while (!list_empty(&s->held) && !s->unsettled && !b->stopped) {
		struct mq_login *l = list_entry(s->held.next, struct mq_login, waiting);

		list_remove(&l->waiting);
		mq_connect_accept(l->client);
	}
}
