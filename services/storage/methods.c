/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of ipc/proto/storage.proto, and the statements that every batch uses. */
#include "ipc/gen/storage.client.h"
#include "services/storage/handlers/handlers.h"

#define AT(number) [((number)&0xff) - 1]

const struct method *const methods[METHOD_ALL] = {
	AT(METHOD_STORAGE_ACCOUNT_CREATE) = &account_create,
	AT(METHOD_STORAGE_CREDENTIALS_GET) = &credentials_get,
	AT(METHOD_STORAGE_CREDENTIALS_SET) = &credentials_set,
	AT(METHOD_STORAGE_ACCOUNT_DELETE) = &account_delete,
	AT(METHOD_STORAGE_ACCOUNT_LIST) = &account_list,
	AT(METHOD_STORAGE_ROSTER_LOAD) = &roster_load,
	AT(METHOD_STORAGE_ROSTER_PUT) = &roster_put,
	AT(METHOD_STORAGE_ROSTER_REMOVE) = &roster_remove,
	AT(METHOD_STORAGE_OFFLINE_APPEND) = &offline_append,
	AT(METHOD_STORAGE_OFFLINE_FETCH) = &offline_fetch,
	AT(METHOD_STORAGE_OFFLINE_REMOVE) = &offline_remove,
	AT(METHOD_STORAGE_OFFLINE_COUNT) = &offline_count,
	AT(METHOD_STORAGE_PRIVATE_GET) = &private_get,
	AT(METHOD_STORAGE_PRIVATE_PUT) = &private_put,
	AT(METHOD_STORAGE_VCARD_GET) = &vcard_get,
	AT(METHOD_STORAGE_VCARD_PUT) = &vcard_put,
	AT(METHOD_STORAGE_LAST_GET) = &last_get,
	AT(METHOD_STORAGE_LAST_PUT) = &last_put,
	AT(METHOD_STORAGE_LOG_APPEND) = &log_append,
	AT(METHOD_STORAGE_LOG_OPEN) = &log_open,
	AT(METHOD_STORAGE_LOG_FETCH) = &log_fetch,
	AT(METHOD_STORAGE_LOG_QUERY) = &log_query,
	AT(METHOD_STORAGE_LOG_METADATA) = &log_metadata,
	AT(METHOD_STORAGE_LOG_DELIVERED) = &log_delivered,
	AT(METHOD_STORAGE_ARCHIVE_PREFS_SET) = &archive_prefs_set,
	AT(METHOD_STORAGE_LOG_RETRACT) = &log_retract,
	AT(METHOD_STORAGE_LOG_ERASE) = &log_erase,
	AT(METHOD_STORAGE_LOG_FENCE) = &log_fence,
	AT(METHOD_STORAGE_SPOOL_CLAIM) = &spool_claim,
	AT(METHOD_STORAGE_SPOOL_RELEASE) = &spool_release,
	AT(METHOD_STORAGE_SPOOL_APPEND) = &spool_append,
	AT(METHOD_STORAGE_SPOOL_FETCH) = &spool_fetch,
	AT(METHOD_STORAGE_SPOOL_DONE) = &spool_done,
	AT(METHOD_STORAGE_SPOOL_DOMAINS) = &spool_domains,
	AT(METHOD_STORAGE_MQTT_OPEN) = &mqtt_open,
	AT(METHOD_STORAGE_MQTT_SESSION_SET) = &mqtt_session_set,
	AT(METHOD_STORAGE_MQTT_CLOSE) = &mqtt_close,
	AT(METHOD_STORAGE_MQTT_SUBSCRIBE) = &mqtt_subscribe,
	AT(METHOD_STORAGE_MQTT_DONE) = &mqtt_done,
	AT(METHOD_STORAGE_MQTT_RECEIVE) = &mqtt_receive,
	AT(METHOD_STORAGE_MQTT_RELEASED) = &mqtt_released,
	AT(METHOD_STORAGE_MQTT_QUEUE) = &mqtt_queue,
	AT(METHOD_STORAGE_MQTT_FETCH) = &mqtt_fetch,
	AT(METHOD_STORAGE_MQTT_ADOPT) = &mqtt_adopt,
	AT(METHOD_STORAGE_MQTT_RETAIN) = &mqtt_retain,
	AT(METHOD_STORAGE_MQTT_RETAINED_LIST) = &mqtt_retained_list,
	[METHOD_LOG_MOVE] = &log_move,
	[METHOD_LOG_TOMBSTONE] = &log_tombstone,
};
_Static_assert((METHOD_STORAGE_MQTT_RETAINED_LIST & 0xff) == METHOD_COUNT, "one row a method");

/* Advisory locks of two 32-bit numbers: a class of ours, then an account's hash. In a batch they are taken in ascending order by all instances, so
 * no two batches wait for each other in a circle. -1 is the lock on fences: shared by those who write under one, held alone by those who raise one. Below are the
 * slots of the spool and of MQTT's sessions, and the stripes of retained messages (handlers/spool.h, handlers/mqtt.h). */
#define CLASS_ACCOUNT "1398031700"
#define CLASS_FENCE   "1398031701"
#define CLASS_SPOOL   "1398031704"
#define CLASS_SESSION "1398031705"
#define CLASS_RETAIN  "1398031706"

static const char *all[STATEMENT_COUNT] = {
	/* From INT32_MIN the spool's slots, which end at -2147482624; from -2146435072 the sessions', each alone and then shared; from -2145386496 the stripes. */
	[STATEMENT_LOCK] = "SELECT count(CASE WHEN k >= 0 THEN pg_advisory_xact_lock(" CLASS_ACCOUNT ", k) IS NULL "
	                   "WHEN k = -1 THEN pg_advisory_xact_lock_shared(" CLASS_FENCE ", 0) IS NULL "
	                   "WHEN k < -2147482624 THEN pg_advisory_xact_lock(" CLASS_SPOOL ", k & 1023) IS NULL "
	                   "WHEN k >= -2145386496 THEN pg_advisory_xact_lock(" CLASS_RETAIN ", k & 63) IS NULL "
	                   "WHEN k & 1 = 0 THEN pg_advisory_xact_lock(" CLASS_SESSION ", k >> 1 & 1023) IS NULL "
	                   "ELSE pg_advisory_xact_lock_shared(" CLASS_SESSION ", k >> 1 & 1023) IS NULL END) FROM unnest($1::int4[]) k",
	[STATEMENT_FENCE_LOCK] = "SELECT pg_advisory_xact_lock(" CLASS_FENCE ", 0) IS NULL",
	[STATEMENT_FENCE_RAISE] =
	        "INSERT INTO slot_fence AS f (slot, epoch) SELECT slot, max(epoch) FROM unnest($1::int4[], $2::int8[]) u (slot, epoch) "
	        "GROUP BY slot ON CONFLICT (slot) DO UPDATE SET epoch = excluded.epoch WHERE f.epoch < excluded.epoch",
};

const char *const *statements_all(void)
{
	for (uint32_t i = 0; i < METHOD_ALL; i++)
		all[i] = methods[i]->sql;
	all[STATEMENT_LOG_FETCH_IDS] = log_fetch_ids_sql;
	all[STATEMENT_LOG_OPEN_OFFLINE] = log_open_offline_sql;
	all[STATEMENT_LOG_QUERY_BACKWARD] = log_query_backward_sql;
	all[STATEMENT_LOG_QUERY_IDS] = log_query_ids_sql;
	all[STATEMENT_LOG_QUERY_IDS_BACKWARD] = log_query_ids_backward_sql;
	all[STATEMENT_LOG_QUERY_HEAD] = log_query_head_sql;
	all[STATEMENT_LOG_QUERY_HEAD_FULL] = log_query_head_full_sql;
	return all;
}
