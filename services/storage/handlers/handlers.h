/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods of ipc/proto/storage.proto, by topic. Each is a statement, a bind and an answer (services/storage/op.h). */
#ifndef STORAGE_HANDLERS_H
#define STORAGE_HANDLERS_H

#include "services/storage/op.h"

/* accounts.c */
extern const struct method account_create, credentials_get, credentials_set, account_delete, account_list;
/* roster.c */
extern const struct method roster_load, roster_put, roster_remove;
/* offline.c */
extern const struct method offline_append, offline_fetch, offline_remove, offline_count;
/* small.c */
extern const struct method private_get, private_put, vcard_get, vcard_put, last_get, last_put;
/* log_append.c, log_read.c, log_query.c, log_open.c, log_change.c, log_retract.c: the message log */
extern const struct method log_append, log_fetch, log_metadata, log_query, log_open, log_delivered, archive_prefs_set, log_retract,
        log_erase, log_fence;
extern const char *const log_fetch_ids_sql, *const log_open_offline_sql;
extern const char *const log_query_backward_sql, *const log_query_ids_sql, *const log_query_ids_backward_sql;
extern const char *const log_query_head_sql, *const log_query_head_full_sql;
/* spool_owner.c, spool_append.c, spool_read.c, spool_done.c: stanzas for other servers */
extern const struct method spool_claim, spool_release, spool_append, spool_fetch, spool_domains, spool_done;
/* mqtt_session.c, mqtt_adopt.c, mqtt_subscribe.c, mqtt_queue.c, mqtt_fetch.c, mqtt_done.c, mqtt_receive.c, mqtt_retain.c: an mqtt-broker's */
extern const struct method mqtt_open, mqtt_session_set, mqtt_close, mqtt_subscribe, mqtt_done, mqtt_receive, mqtt_released, mqtt_queue,
        mqtt_fetch, mqtt_adopt, mqtt_retain, mqtt_retained_list;
/* Second halves: of log_open, and of log_retract. */
extern const struct method log_move, log_tombstone;

#endif
