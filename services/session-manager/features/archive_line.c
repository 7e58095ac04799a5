/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/features/archive_line.h"

#include "services/session-manager/session.h"

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
		t->run(t);
	}
	return true;
}

void archive_line_leave(struct archive_turn *t)
{
	struct session *s = session_find(t->iq->sm, t->iq->stream);

	if (s && s->archive_line == t)
		s->archive_line = NULL;
	else if (s && s->archive_line)
		s->archive_line->waiting--;
	if (t->next)
		t->next->run(t->next);
}
