/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_store: the message log that fake_flock.h answers from. Included there, in its middle. */
#ifndef SESSION_MANAGER_FAKE_STORE_H
#define SESSION_MANAGER_FAKE_STORE_H

static bool fake_same_key(const Starling__LogAppendRequest *a, const Starling__LogAppendRequest *b)
{
	return a->key_stream == b->key_stream && a->key_number == b->key_number;
}

static bool fake_same_origin(const Starling__LogAppendRequest *a, const Starling__LogAppendRequest *b)
{
	return a->check_origin && strcmp(a->sender, b->sender) == 0 && strcmp(a->meta->to, b->meta->to) == 0 &&
	       strcmp(a->meta->origin_id, b->meta->origin_id) == 0;
}

static void fake_append(struct fake_record *r)
{
	const Starling__LogAppendRequest *q = (const void *)r->message;
	Starling__LogAppendReply reply = STARLING__LOG_APPEND_REPLY__INIT;
	struct fake_row *row = &fake.rows[fake.row_count];

	for (size_t i = 0; i < fake.row_count; i++) {
		const Starling__LogAppendRequest *former = fake.rows[i].request;

		if (!(q->check && fake_same_key(q, former)) && !fake_same_origin(q, former))
			continue;
		reply.id = fake.rows[i].id;
		reply.duplicate = true;
		fake_answer(r, 0, &reply.base);
		return;
	}
	fake.appends++;
	fake.row_count++;
	row->id = reply.id = ++fake.next_id;
	row->request = (void *)ipc_copy_for_test(&q->base);
	row->stanza = mem_strdup(r->payload);
	if (fake.lose_answers)
		fake_answer(r, STARLING__CODE__CODE_PEER_LOST, NULL);
	else
		fake_answer(r, 0, &reply.base);
}

static void fake_open_log(struct fake_record *r)
{
	const Starling__AccountKey *q = (const void *)r->message;
	Starling__LogState state = STARLING__LOG_STATE__INIT;

	state.delivered = fake.delivered;
	state.holes = fake.holes;
	state.n_holes = fake.hole_count;
	for (size_t i = 0; i < fake.row_count; i++) {
		if (strcmp(fake.rows[i].request->recipient, q->account) != 0)
			continue;
		state.last = fake.rows[i].id;
		state.waiting += fake.rows[i].id > fake.delivered;
	}
	fake_answer(r, 0, &state.base);
}

static bool fake_asked(const Starling__LogFetchRequest *q, const struct fake_row *row)
{
	bool received = strcmp(row->request->recipient, q->account) == 0;

	if (!received && (q->received_only || strcmp(row->request->sender, q->account) != 0))
		return false;
	for (size_t k = 0; k < q->n_ids; k++) {
		if (q->ids[k] == row->id)
			return true;
	}
	return q->n_ids == 0 && row->id > q->after;
}

static void fake_fetch(struct fake_record *r)
{
	const Starling__LogFetchRequest *q = (const void *)r->message;
	Starling__LogFetchReply reply = STARLING__LOG_FETCH_REPLY__INIT;
	static Starling__LogEntry entries[500], *pointers[500];

	reply.entries = pointers;
	reply.complete = true;
	for (size_t i = 0; i < fake.row_count; i++) {
		struct fake_row *row = &fake.rows[i];
		Starling__LogEntry *e = &entries[reply.n_entries];

		if (!fake_asked(q, row))
			continue;
		if (reply.n_entries == q->limit) {
			reply.complete = false;
			break;
		}
		starling__log_entry__init(e);
		e->id = row->id;
		e->meta = row->request->meta;
		e->stanza = (ProtobufCBinaryData){ strlen(row->stanza), (uint8_t *)row->stanza };
		e->received = strcmp(row->request->recipient, q->account) == 0;
		e->sent = strcmp(row->request->sender, q->account) == 0;
		e->archived = e->received ? row->request->archived : e->sent;
		pointers[reply.n_entries++] = e;
	}
	fake_answer(r, 0, &reply.base);
}

static void fake_delivered_mark(struct fake_record *r)
{
	const Starling__LogDeliveredRequest *q = (const void *)r->message;

	fake.writes++;
	fake.delivered = q->delivered;
	fake.hole_count = q->n_holes;
	for (size_t i = 0; i < q->n_holes && i < 64; i++)
		fake.holes[i] = q->holes[i];
	fake_answer(r, 0, &(Starling__Empty)STARLING__EMPTY__INIT.base);
}

#endif
