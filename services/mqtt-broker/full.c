/* SPDX-License-Identifier: Apache-2.0
 *
 * full: a session that lasts has as many messages waiting as may be (limits.queue_full). With drop-old the oldest goes, from the store as well; what its client
 * may have seen never does: it is under way. A message that is on its way to the store cannot be taken out of it, so with several of those a queue is longer
 * for a moment. */
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"

static uint64_t limit_of(const struct mq_session *s)
{
	return (uint64_t)s->tenant->broker->config->queue_messages;
}

/* Rows, without those of which the store only has to be told that they are not wanted. */
static uint64_t count_of(const struct mq_lasting *l)
{
	uint64_t gone = (uint64_t)l->done.n + l->told.n;

	return l->queued > gone ? l->queued - gone : 0;
}

/* Nobody knows how much of it the client has been sent; but in order, and of a queue of so many rows no more than limits.inflight, the lowest. Above these the
 * numbers are at least so high that as many rows have room below. */
void mq_full_begin(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;
	uint64_t inflight = (uint64_t)s->tenant->broker->config->inflight, unsent = l->queued > inflight ? l->queued - inflight : 0;

	l->passed = l->box.next_seq - 1 - unsent;
}

/* While its client is here, what comes next is known, or is just being read. Without one, rows have the numbers behind those that were passed; one that the store had
 * under another number is not there, and counts as dropped all the same, which leaves room for one more. 0: none, or not yet. */
static uint64_t take_oldest(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;

	if (s->client)
		return mq_outbox_drop(&l->box, l->passed);
	return l->state == MQ_LASTING_READY && l->passed + 1 < mq_pending_first(l) ? l->passed + 1 : 0;
}

/* Until there are no more than that. */
static void drop_old(struct mq_session *s, uint64_t most)
{
	uint64_t seq;

	while (count_of(s->lasting) > most && (seq = take_oldest(s)) > 0) {
		metric_inc(&mq_metrics.dropped_queue);
		mq_done(s, seq);
	}
}

void mq_full_trim(struct mq_session *s)
{
	if (s->tenant->broker->config->queue_full == MQ_FULL_DROP_OLD && s->lasts)
		drop_old(s, limit_of(s));
}

bool mq_full_has_room(struct mq_session *s)
{
	int policy = s->tenant->broker->config->queue_full;
	struct mq_lasting *l = s->lasting;

	if (l->queued < limit_of(s))
		return true;
	if (policy == MQ_FULL_DROP_OLD) {
		drop_old(s, limit_of(s) - 1);
		/* There is one, and it goes when it can be taken out. */
		if (count_of(l) < limit_of(s) || l->passed + 1 < l->box.next_seq)
			return true;
	}
	metric_inc(&mq_metrics.dropped_queue);
	if (s->client && policy == MQ_FULL_DISCONNECT)
		mq_client_end_later(s->client, MQTT_QUOTA_EXCEEDED);
	return false;
}
