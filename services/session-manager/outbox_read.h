/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox_read: what waits on a session's list and is in the log is read from there, and built again in the form that the list says. */
#ifndef SESSION_MANAGER_OUTBOX_READ_H
#define SESSION_MANAGER_OUTBOX_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/proto/storage.pb-c.h"

struct buf;
struct packet;
struct session;

/* The first that waits is in the log: it and those behind it are read and sent. */
void outbox_read(struct session *s);
/* The packet that carries a message of the log to this session. Its bytes and extra live in the two buffers, its meta is `meta`. */
void outbox_build(const struct session *s, const Starling__LogEntry *entry, uint32_t form, Starling__StanzaMeta *meta, struct buf *bytes,
                  struct buf *extra, struct packet *out);

#endif
