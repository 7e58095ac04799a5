/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_line: what a session asks of its archive and of its offline messages is done one thing at a time, in the order asked: so one page of them is in memory,
 * however many it asks for. Those that wait are held back by their receipts, too: the edge reads no more from a client that has too much unanswered.
 *
 * What has been sent is on the session's list until its client has it (unacked.h); the next piece is read when that is short. So a client that
 * does not read gets no more, and keeps its session.
 *
 * The session knows the last turn in line and each turn the next, so that a line goes on to its end when the session is gone. */
#ifndef SESSION_MANAGER_FEATURES_ARCHIVE_LINE_H
#define SESSION_MANAGER_FEATURES_ARCHIVE_LINE_H

#include "services/session-manager/iq.h"

#define ARCHIVE_WAITING_MAX 16

/* First member of whatever the request is, which lives until its iq is answered. */
struct archive_turn {
	struct iq *iq;
	void (*run)(struct archive_turn *t); /* leads to exactly one archive_line_leave */
	struct archive_turn *next;           /* in line behind it */
	uint32_t waiting;                    /* of the last one in line: how many do not run yet */
};

/* Runs it now or later. False: there are too many in line before it. */
bool archive_line_enter(struct archive_turn *t);
/* The client has nearly all that it was sent, or is gone. */
bool archive_line_room(const struct archive_turn *t);
/* Calls it at once when there is room, else as soon as there is. */
void archive_line_wait(struct archive_turn *t, void (*go)(struct archive_turn *t));
/* Before the answer. */
void archive_line_leave(struct archive_turn *t);

#endif
