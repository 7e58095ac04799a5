/* SPDX-License-Identifier: Apache-2.0
 *
 * last: XEP-0012 2.0. Uptime of the host; for an account, 0 while it is online, else the time since its last presence. Who may not see
 * the account's presence gets forbidden (section 3). */
#include "common/base/clock.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/account.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define NS_LAST "jabber:iq:last"

static uint64_t started_ms;

static void answer(struct iq *iq, uint64_t seconds, struct str status)
{
	struct buf out = { 0 };

	buf_printf(&out, "<query xmlns='" NS_LAST "' seconds='%llu'>", (unsigned long long)seconds);
	xml_escape(&out, status);
	buf_append_cstr(&out, "</query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

/* Since this instance started: the host has no other birthday. */
static void uptime(struct iq *iq)
{
	answer(iq, (clock_mono_ms() - started_ms) / 1000, (struct str){ 0 });
}

__attribute__((constructor)) static void note_start(void)
{
	started_ms = clock_mono_ms();
}

static bool online(struct iq *iq)
{
	struct account *a = account_find(iq->sm, iq->account);

	if (!a)
		return false;
	list_for_each (node, &a->sessions)
		if (list_entry(node, struct session, of_account)->available)
			return true;
	return false;
}

static void answer_since(struct iq *iq, int64_t time_us, const char *status)
{
	int64_t age_us = clock_wall_us() - time_us;

	answer(iq, age_us > 0 ? (uint64_t)age_us / 1000000 : 0, str_from(status));
}

static void on_last(const struct ipc_result *result, const Starling__LastReply *reply, void *ctx)
{
	struct iq *iq = ctx;

	if (!ipc_ok(result)) {
		iq_fail(iq, result->code);
		return;
	}
	if (reply->time_us == 0) {
		iq_error(iq, "item-not-found", NULL);
		return;
	}
	answer_since(iq, reply->time_us, reply->status);
}

static void activity(struct iq *iq)
{
	Starling__AccountKey key = STARLING__ACCOUNT_KEY__INIT;
	struct account *a = account_find(iq->sm, iq->account);

	if (!iq->trusted) {
		iq_error(iq, "forbidden", NULL);
		return;
	}
	if (online(iq)) {
		answer(iq, 0, (struct str){ 0 });
		return;
	}
	/* It went away while we looked: newer than what the store may have. */
	if (a && a->last_us) {
		answer_since(iq, a->last_us, a->last_status);
		return;
	}
	key.account = arena_strndup(iq->arena, iq->account.p, iq->account.n);
	call_storage_last_get(iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = iq->trace }, &key, on_last, iq);
}

static const struct iq_row rows[] = {
	{ NS_LAST, "query", IQ_HOST, IQ_GET, uptime, false },
	{ NS_LAST, "query", IQ_SELF | IQ_ACCOUNT, IQ_GET, activity, false },
	{ 0 },
};

static const char *const vars[] = { NS_LAST, NULL };

const struct iq_feature last_feature = { "last", rows, vars, vars };
