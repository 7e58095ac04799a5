/* SPDX-License-Identifier: Apache-2.0
 *
 * log: what the methods of the message log share (migrations/0002_log.sql has the columns). */
#ifndef STORAGE_HANDLERS_LOG_H
#define STORAGE_HANDLERS_LOG_H

#include "ipc/proto/storage.pb-c.h"
#include "services/storage/op.h"

#define LOG_PAGE_MAX 500u

/* What stands for a JID or an id in columns and indexes. Nobody can make up another JID with the same number at will, as with FNV; who looks for
 * messages with somebody must not find a stranger's. Never 0. */
int64_t log_hash(struct str text);
/* The bare JID's part of a JID. */
struct str log_bare(struct str jid);
/* One parameter: the hash of a full JID, null for a bare one. */
void log_bind_full(struct op *op, struct str jid);
/* One parameter: the packed meta. */
void log_bind_meta(struct op *op, const Starling__StanzaMeta *meta);
/* Six parameters: name, origin, from_bare, to_bare, from_full, to_full. */
void log_bind_names(struct op *op, const Starling__StanzaMeta *meta);
void log_bind_ids(struct op *op, const uint64_t *ids, size_t n);

/* A result with these columns: id, sent, received, archived, meta, stanza; in the scratch arena. */
void log_read_entry(struct op *op, const PGresult *res, int row, Starling__LogEntry *out);
/* All rows of a result, as a repeated field; returns how many. */
size_t log_read_entries(struct op *op, const PGresult *res, Starling__LogEntry ***out);

#endif
