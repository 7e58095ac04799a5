/* SPDX-License-Identifier: Apache-2.0
 *
 * park: stream management as the owner sees it (XEP-0198): enabling it, sessions whose client is away, and their return at any edge. */
#ifndef SESSION_MANAGER_PARK_H
#define SESSION_MANAGER_PARK_H

struct session;

/* Its client is away. A session that can be resumed waits for it; any other ends. */
void park_or_end(struct session *s);
/* From Redis, by an owner without memory of it: waits for its edge to attach, or for what remains of its time. */
void park_adopted(struct session *s);
/* Its client is there, and its numbers are known. */
void park_leave(struct session *s);

#endif
