/* SPDX-License-Identifier: Apache-2.0
 *
 * session_end: the one way a session ends while its account stays here: contacts are told, Redis forgets it, the client's stream is closed
 * where that was not the client's doing. */
#ifndef SESSION_MANAGER_SESSION_END_H
#define SESSION_MANAGER_SESSION_END_H

struct session;

enum session_end_reason {
	SESSION_END_CLOSED,   /* the edge said so */
	SESSION_END_LOST,     /* the edge is gone, or does not know it */
	SESSION_END_REPLACED, /* RFC 6120 section 7.7.2.2: conflict */
	SESSION_END_KICKED,   /* by the operator */
	SESSION_END_REMOVED,  /* XEP-0077 section 3.2: the account is no more */
};

/* text for the client; may be NULL. Frees the session. */
void session_end(struct session *s, enum session_end_reason reason, const char *text);

#endif
