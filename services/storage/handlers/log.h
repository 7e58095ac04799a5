/* SPDX-License-Identifier: Apache-2.0
 *
 * log: what the methods of the message log share (migrations/0002_log.sql has the columns). */
#ifndef STORAGE_HANDLERS_LOG_H
#define STORAGE_HANDLERS_LOG_H

#include "ipc/proto/storage.pb-c.h"
#include "services/storage/op.h"

#define LOG_PAGE_MAX 500u

/* What stands for a bare JID in columns and indexes. Nobody can make up another JID with the same number at will, as with FNV; who looks for messages
 * with somebody must not find a stranger's. */
int64_t log_hash(struct str jid);
/* The bare JID's part of a JID. */
struct str log_bare(struct str jid);
/* What else a message is recognised by, 8 bytes each in the column marks. Part of the stored format. */
enum log_mark { MARK_KEY = 'k', MARK_ID = 'i', MARK_ORIGIN = 'o', MARK_FROM = 'f', MARK_TO = 't' };
#define LOG_MARK_SIZE 8u
/* Writes one; returns its size. */
size_t log_mark(enum log_mark kind, struct str text, uint8_t *out);
/* One parameter: the mark, or null for an empty text. */
void log_bind_mark(struct op *op, enum log_mark kind, struct str text);
/* Two parameters, the marks of a full JID as sender and as addressee; null for a bare one. */
void log_bind_full(struct op *op, struct str jid);
/* One parameter: the packed meta. */
void log_bind_meta(struct op *op, const Starling__StanzaMeta *meta);
/* Three parameters: from_bare, to_bare, and the marks; key_stream 0: no key. */
void log_bind_names(struct op *op, const Starling__StanzaMeta *meta, uint64_t key_stream, uint64_t key_number, struct str stanza);
void log_bind_ids(struct op *op, const uint64_t *ids, size_t n);

/* A result with these columns: id, sent, received, archived, meta, stanza; in the scratch arena. */
void log_read_entry(struct op *op, const PGresult *res, int row, Starling__LogEntry *out);
/* All rows of a result, as a repeated field; returns how many. */
size_t log_read_entries(struct op *op, const PGresult *res, Starling__LogEntry ***out);

#endif
