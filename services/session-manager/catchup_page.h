/* SPDX-License-Identifier: Apache-2.0
 *
 * catchup_page: one page of the message log, read for a session that catches up (catchup.h): which of its messages the session gets, and in which form. */
#ifndef SESSION_MANAGER_CATCHUP_PAGE_H
#define SESSION_MANAGER_CATCHUP_PAGE_H

struct session;

/* Asks for what follows catchup.after; catchup.fetching until it has come and was given, then catchup_go_on. A store that does not answer is asked again. */
void catchup_page_fetch(struct session *s);

#endif
