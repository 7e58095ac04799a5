/* SPDX-License-Identifier: Apache-2.0
 *
 * serve: from the bus to the store and back; nothing else happens here. */
#include "ipc/gen/storage.client.h"
#include "ipc/gen/storage.server.h"
#include "services/storage/storage.h"
#include "services/storage/store.h"

static void on_done(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	struct ipc_call *call = ctx;

	if (reply)
		ipc_reply(call, reply);
	else
		ipc_fail(call, code, "%s", text);
}

static void serve(struct ipc_call *call, uint32_t method, const ProtobufCMessage *request)
{
	struct storage *storage = ipc_call_daemon(call);

	store_submit(storage->store, method & 0xff, request, ipc_call_payload(call), ipc_call_deadline(call), on_done, call);
}

#define SERVE(name, method, type)                                                                                                          \
	void on_storage_##name(struct ipc_call *call, const type *request)                                                                 \
	{                                                                                                                                  \
		serve(call, METHOD_STORAGE_##method, &request->base);                                                                      \
	}

SERVE(account_create, ACCOUNT_CREATE, Starling__Credentials)
SERVE(credentials_get, CREDENTIALS_GET, Starling__AccountKey)
SERVE(credentials_set, CREDENTIALS_SET, Starling__Credentials)
SERVE(account_delete, ACCOUNT_DELETE, Starling__AccountKey)
SERVE(account_list, ACCOUNT_LIST, Starling__AccountListRequest)
SERVE(roster_load, ROSTER_LOAD, Starling__RosterLoadRequest)
SERVE(roster_put, ROSTER_PUT, Starling__RosterPutRequest)
SERVE(roster_remove, ROSTER_REMOVE, Starling__RosterRemoveRequest)
SERVE(offline_append, OFFLINE_APPEND, Starling__OfflineAppendRequest)
SERVE(offline_fetch, OFFLINE_FETCH, Starling__OfflineFetchRequest)
SERVE(offline_remove, OFFLINE_REMOVE, Starling__OfflineRemoveRequest)
SERVE(offline_count, OFFLINE_COUNT, Starling__AccountKey)
SERVE(private_get, PRIVATE_GET, Starling__PrivateKey)
SERVE(private_put, PRIVATE_PUT, Starling__PrivatePutRequest)
SERVE(vcard_get, VCARD_GET, Starling__AccountKey)
SERVE(vcard_put, VCARD_PUT, Starling__VcardPutRequest)
SERVE(last_get, LAST_GET, Starling__AccountKey)
SERVE(last_put, LAST_PUT, Starling__LastPutRequest)
SERVE(log_append, LOG_APPEND, Starling__LogAppendRequest)
SERVE(log_open, LOG_OPEN, Starling__AccountKey)
SERVE(log_fetch, LOG_FETCH, Starling__LogFetchRequest)
SERVE(log_query, LOG_QUERY, Starling__LogQueryRequest)
SERVE(log_metadata, LOG_METADATA, Starling__AccountKey)
SERVE(log_delivered, LOG_DELIVERED, Starling__LogDeliveredRequest)
SERVE(archive_prefs_set, ARCHIVE_PREFS_SET, Starling__ArchivePrefsSetRequest)
SERVE(log_retract, LOG_RETRACT, Starling__LogRetractRequest)
SERVE(log_erase, LOG_ERASE, Starling__LogEraseRequest)
SERVE(log_fence, LOG_FENCE, Starling__LogFenceRequest)
SERVE(spool_claim, SPOOL_CLAIM, Starling__SpoolClaimRequest)
SERVE(spool_release, SPOOL_RELEASE, Starling__SpoolReleaseRequest)
SERVE(spool_append, SPOOL_APPEND, Starling__SpoolAppendRequest)
SERVE(spool_fetch, SPOOL_FETCH, Starling__SpoolFetchRequest)
SERVE(spool_done, SPOOL_DONE, Starling__SpoolDoneRequest)
SERVE(spool_domains, SPOOL_DOMAINS, Starling__SpoolDomainsRequest)
SERVE(mqtt_open, MQTT_OPEN, Starling__MqttOpenRequest)
SERVE(mqtt_session_set, MQTT_SESSION_SET, Starling__MqttSessionSetRequest)
SERVE(mqtt_close, MQTT_CLOSE, Starling__MqttCloseRequest)
SERVE(mqtt_subscribe, MQTT_SUBSCRIBE, Starling__MqttSubscribeRequest)
SERVE(mqtt_done, MQTT_DONE, Starling__MqttDoneRequest)
SERVE(mqtt_receive, MQTT_RECEIVE, Starling__MqttReceiveRequest)
SERVE(mqtt_released, MQTT_RELEASED, Starling__MqttReleasedRequest)
SERVE(mqtt_queue, MQTT_QUEUE, Starling__MqttQueueRequest)
SERVE(mqtt_fetch, MQTT_FETCH, Starling__MqttFetchRequest)
SERVE(mqtt_adopt, MQTT_ADOPT, Starling__MqttAdoptRequest)
SERVE(mqtt_retain, MQTT_RETAIN, Starling__MqttRetainRequest)
SERVE(mqtt_retained_list, MQTT_RETAINED_LIST, Starling__MqttRetainedRequest)
