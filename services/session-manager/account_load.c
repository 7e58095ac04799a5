/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/account_load.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/auth.client.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/later.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/packet.h"
#include "services/session-manager/park.h"
#include "services/session-manager/roster.h"
#include "services/session-manager/session.h"
#include "services/session-manager/session_codec.h"
#include "services/session-manager/session_store.h"
#include "services/session-manager/sm.h"

#define LOAD_DEADLINE_MS 10000
#define WARMING_MAX      64

/* --- sessions, from Redis --- */

static void adopt(struct account *a, struct str resource, struct str value)
{
	struct session_record r;
	struct session *s;

	if (!session_decode(value, &r) || session_find(a->sm, r.stream))
		return;
	s = session_new(a, resource, r.stream, r.edge);
	session_restore(s, &r);
	s->parked_until_us = r.parked_until_us;
	park_adopted(s);
}

static void try_sessions(void *ctx);

static void sessions_failed(struct account *a)
{
	later_again(a->sm, a->load_attempts++, try_sessions, a);
}

static void on_sessions(const redisReply *reply, void *ctx)
{
	struct account *a = ctx;

	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	if (!reply || reply->type != REDIS_REPLY_ARRAY) {
		sessions_failed(a);
		return;
	}
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		adopt(a, str_make(reply->element[i]->str, reply->element[i]->len),
		      str_make(reply->element[i + 1]->str, reply->element[i + 1]->len));
	a->sessions_load = ACCOUNT_LOADED;
	a->load_attempts = 0;
	account_loaded(a);
	account_unpin(a);
}

static void try_sessions(void *ctx)
{
	struct account *a = ctx;
	char key[JID_TEXT_MAX + 16];
	size_t n = (size_t)snprintf(key, sizeof(key), "starling:s:%.*s", STR_ARG(a->bare));

	if (a->dead || a->sm->stopping)
		account_unpin(a);
	else if (!redis_command(a->sm->redis, on_sessions, a, 2, (const char *[]){ "HGETALL", key }, (size_t[]){ 7, n }))
		sessions_failed(a);
}

void account_load_sessions(struct account *a)
{
	if (a->sessions_load != ACCOUNT_UNKNOWN)
		return;
	a->sessions_load = ACCOUNT_LOADING;
	account_pin(a);
	try_sessions(a);
}

/* --- roster, from the store --- */

static void try_roster(void *ctx);

static void roster_known(struct account *a, bool exists)
{
	a->exists = exists;
	a->roster_load = ACCOUNT_LOADED;
	a->load_attempts = 0;
	account_loaded(a);
	/* What does not exist may be made at any moment by auth: asked again next time. */
	if (!a->exists)
		a->roster_load = ACCOUNT_UNKNOWN;
	account_unpin(a);
}

static void on_check(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct account *a = ctx;

	(void)reply;
	if (a->dead || a->sm->stopping)
		account_unpin(a);
	else if (!ipc_ok(result) && result->code != CODE(NOT_FOUND))
		later_again(a->sm, a->load_attempts++, try_roster, a);
	else
		roster_known(a, ipc_ok(result));
}

/* An account without a roster looks like no account at all: auth knows. */
static void check_account(struct account *a)
{
	Starling__AccountRequest request = STARLING__ACCOUNT_REQUEST__INIT;
	struct ipc_opts opts = { .deadline_ms = LOAD_DEADLINE_MS };

	request.account = a->bare_text;
	call_auth_check_account(a->sm->bus, ipc_any("auth"), &opts, &request, on_check, a);
}

static void on_roster(const struct ipc_result *result, const Starling__RosterReply *reply, void *ctx)
{
	struct account *a = ctx;

	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	if (!ipc_ok(result)) {
		later_again(a->sm, a->load_attempts++, try_roster, a);
		return;
	}
	roster_free(&a->roster);
	a->roster = roster_new(reply);
	if (a->roster->version == 0 && list_empty(&a->sessions))
		check_account(a);
	else
		roster_known(a, true);
}

static void try_roster(void *ctx)
{
	struct account *a = ctx;
	struct ipc_opts opts = { .deadline_ms = LOAD_DEADLINE_MS };
	Starling__RosterLoadRequest request = STARLING__ROSTER_LOAD_REQUEST__INIT;

	if (a->dead || a->sm->stopping) {
		account_unpin(a);
		return;
	}
	request.account = a->bare_text;
	call_storage_roster_load(a->sm->bus, ipc_any("storage"), &opts, &request, on_roster, a);
}

void account_load_roster(struct account *a)
{
	if (a->roster_load != ACCOUNT_UNKNOWN)
		return;
	a->roster_load = ACCOUNT_LOADING;
	account_pin(a);
	try_roster(a);
}

/* --- warm-up: so that the sessions of an edge that died with the former owner end, and that contacts find who is online --- */

struct warm {
	struct list_node node;
	size_t n;
	char bare[];
};

static void warm_next(struct sm *sm);

static void warmed(struct account *a, void *ctx)
{
	struct sm *sm = ctx;

	(void)a;
	sm->warming--;
	if (!sm->stopping && !sm->warming_up)
		warm_next(sm);
}

static void warm_next(struct sm *sm)
{
	sm->warming_up = true;
	while (!list_empty(&sm->warmup) && (sm->warming < WARMING_MAX || sm->stopping)) {
		struct warm *w = list_entry(sm->warmup.next, struct warm, node);
		struct str bare = str_make(w->bare, w->n);

		list_remove(&w->node);
		if (!sm->stopping && ownership_serving(sm, hash_slot(bare))) {
			sm->warming++;
			account_with_sessions(account_get(sm, bare), warmed, sm);
		}
		mem_free(w);
	}
	sm->warming_up = false;
}

static void on_online(const redisReply *reply, void *ctx)
{
	struct sm *sm = ctx;

	if (sm->stopping || !reply || reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *e = reply->element[i];
		struct warm *w = mem_alloc(sizeof(*w) + e->len);

		w->n = e->len;
		memcpy(w->bare, e->str, e->len);
		list_init(&w->node);
		list_push_back(&sm->warmup, &w->node);
	}
	warm_next(sm);
}

void account_warm_stop(struct sm *sm)
{
	list_for_each_safe (n, &sm->warmup)
		mem_free(list_entry(n, struct warm, node));
	list_init(&sm->warmup);
}

void account_warm_up(struct sm *sm, const uint32_t *slots, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		char key[48];
		size_t n = (size_t)snprintf(key, sizeof(key), "starling:sm:online:%u", slots[i]);

		redis_command(sm->redis, on_online, sm, 2, (const char *[]){ "SMEMBERS", key }, (size_t[]){ 8, n });
	}
}
