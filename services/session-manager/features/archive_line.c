/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/features/archive_line.h"

#include "common/base/mem.h"
#include "services/session-manager/later.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define ROOM_BYTES ((size_t)1 << 20) /* with a page more, still far below what ends a session (outbox.c) */
#define LOOK_MS    100

bool archive_line_enter(struct archive_turn *t)
{
	struct session *s = session_find(t->iq->sm, t->iq->stream);
	struct archive_turn *last = s ? s->archive_line : NULL;

	if (last && last->waiting >= ARCHIVE_WAITING_MAX)
		return false;
	if (s)
		s->archive_line = t;
	if (last) {
		t->waiting = last->waiting + 1;
		last->next = t;
	} else {
		archive_line_wait(t, t->run);
	}
	return true;
}

struct wait {
	struct archive_turn *turn;
	void (*go)(struct archive_turn *t);
};

bool archive_line_room(const struct archive_turn *t)
{
	const struct session *s = session_find(t->iq->sm, t->iq->stream);

	return !s || s->list.bytes < ROOM_BYTES || t->iq->sm->stopping;
}

static void look_again(void *ctx)
{
	struct wait copy = *(struct wait *)ctx;

	mem_free(ctx);
	archive_line_wait(copy.turn, copy.go);
}

void archive_line_wait(struct archive_turn *t, void (*go)(struct archive_turn *t))
{
	struct wait *w;

	if (archive_line_room(t)) {
		go(t);
		return;
	}
	w = mem_new(struct wait);
	*w = (struct wait){ t, go };
	later_run(t->iq->sm, LOOK_MS, look_again, w);
}

void archive_line_leave(struct archive_turn *t)
{
	struct session *s = session_find(t->iq->sm, t->iq->stream);

	if (s && s->archive_line == t)
		s->archive_line = NULL;
	else if (s && s->archive_line)
		s->archive_line->waiting--;
	if (t->next)
		archive_line_wait(t->next, t->next->run);
}
