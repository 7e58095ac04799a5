/* SPDX-License-Identifier: Apache-2.0
 *
 * flow: see flow.h. */
#include "ipc/runtime/flow.h"

void flow_init(struct flow *f, uint32_t window, uint32_t limit)
{
	*f = (struct flow){ .window = window ? window : FLOW_WINDOW, .limit = limit ? limit : FLOW_QUEUE };
	buf_init(&f->queue, 2u * FLOW_QUEUE_BYTES);
}

void flow_fini(struct flow *f)
{
	buf_fini(&f->queue);
}

bool flow_full(const struct flow *f)
{
	return f->queued >= f->limit || f->queue.n - f->queue.start >= FLOW_QUEUE_BYTES;
}

static bool above(const struct flow *f, unsigned quarters)
{
	return f->queued >= (uint64_t)f->limit * quarters / 4 || f->queue.n - f->queue.start >= (uint64_t)FLOW_QUEUE_BYTES * quarters / 4;
}

enum flow_pressure flow_push(struct flow *f, const struct flow_waiting *w, struct str record)
{
	struct flow_waiting head = *w;

	head.size = record.n;
	buf_append(&f->queue, &head, sizeof(head));
	buf_append_str(&f->queue, record);
	f->queued++;
	if (f->pressed || !above(f, 2))
		return FLOW_SAME;
	f->pressed = true;
	return FLOW_HIGH;
}

bool flow_peek(const struct flow *f, struct flow_waiting *out, struct str *out_record)
{
	struct str all = buf_str(&f->queue);

	if (f->queued == 0)
		return false;
	memcpy(out, all.p, sizeof(*out));
	*out_record = str_make(all.p + sizeof(*out), out->size);
	return true;
}

enum flow_pressure flow_pop(struct flow *f)
{
	struct flow_waiting head;
	struct str record;

	if (!flow_peek(f, &head, &record))
		return FLOW_SAME;
	buf_consume(&f->queue, sizeof(head) + head.size);
	f->queued--;
	if (f->queued == 0)
		buf_release(&f->queue);
	if (!f->pressed || above(f, 1))
		return FLOW_SAME;
	f->pressed = false;
	return FLOW_LOW;
}

void flow_credit(struct flow *f, uint32_t records)
{
	f->outstanding -= records < f->outstanding ? records : f->outstanding;
}

void flow_reset(struct flow *f)
{
	f->outstanding = 0;
}

void flow_drop(struct flow *f)
{
	buf_clear(&f->queue);
	buf_release(&f->queue);
	f->queued = 0;
	f->pressed = false;
	f->outstanding = 0;
}

bool flow_consumed(struct flow *f, uint32_t our_window)
{
	f->owed++;
	return f->owed >= (our_window + 3) / 4;
}
