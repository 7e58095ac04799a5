/* SPDX-License-Identifier: Apache-2.0
 *
 * accounts: removing, listing and checking accounts; all of it is storage's to do. */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/auth.server.h"
#include "ipc/gen/session.client.h"
#include "ipc/gen/storage.client.h"
#include "services/auth/account.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

struct removal {
	struct ipc_call *call;
	char *account;
};

/* The account's sessions end too, whoever asked for the removal. The answer goes out first: it may be for one of these sessions. */
static void end_sessions(struct auth *a, char *account)
{
	Starling__RemovedEvent event = STARLING__REMOVED_EVENT__INIT;

	event.account = account;
	send_session_removed(daemon_bus(a->daemon), ipc_slot("session-manager", hash_slot(str_from(account))), &(struct ipc_opts){ 0 },
	                     &event);
}

static void removed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	static const Starling__Empty done = STARLING__EMPTY__INIT;
	struct removal *r = ctx;
	struct auth *a = ipc_call_daemon(r->call);

	(void)reply;
	if (!ipc_ok(result)) {
		auth_pass_failure(r->call, result);
	} else {
		reply_auth_remove_account(r->call, &done);
		end_sessions(a, r->account);
	}
	mem_free(r->account);
	mem_free(r);
}

void on_auth_remove_account(struct ipc_call *call, const Starling__AccountRequest *request)
{
	struct auth *a = ipc_call_daemon(call);
	Starling__AccountKey key = STARLING__ACCOUNT_KEY__INIT;
	struct ipc_opts opts = auth_storage_opts(call);
	struct jid account;
	struct removal *r;

	if (!account_parse(call, request->account, &account))
		return;
	r = mem_new(struct removal);
	r->call = call;
	r->account = mem_strdup(account.text);
	key.account = account.text;
	log_info(daemon_log(a->daemon), "account removal account=%s", account.text);
	call_storage_account_delete(daemon_bus(a->daemon), ipc_any("storage"), &opts, &key, removed, r);
	jid_fini(&account);
}

static void listed(const struct ipc_result *result, const Starling__AccountListReply *reply, void *ctx)
{
	Starling__ListAccountsReply out = STARLING__LIST_ACCOUNTS_REPLY__INIT;
	struct ipc_call *call = ctx;

	if (!ipc_ok(result)) {
		auth_pass_failure(call, result);
		return;
	}
	out.n_accounts = reply->n_accounts;
	out.accounts = reply->accounts;
	out.complete = reply->complete;
	reply_auth_list_accounts(call, &out);
}

void on_auth_list_accounts(struct ipc_call *call, const Starling__ListAccountsRequest *request)
{
	struct auth *a = ipc_call_daemon(call);
	Starling__AccountListRequest page = STARLING__ACCOUNT_LIST_REQUEST__INIT;
	struct ipc_opts opts = auth_storage_opts(call);

	if (!auth_serves(a, request->host)) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "no such host");
		return;
	}
	page.host = request->host;
	page.after = request->after;
	page.limit = request->limit == 0 ? PAGE_DEFAULT : request->limit > PAGE_MAX ? PAGE_MAX : request->limit;
	call_storage_account_list(daemon_bus(a->daemon), ipc_any("storage"), &opts, &page, listed, call);
}

static void checked(const struct ipc_result *result, const Starling__Credentials *reply, void *ctx)
{
	static const Starling__Empty done = STARLING__EMPTY__INIT;
	struct ipc_call *call = ctx;

	(void)reply;
	if (!ipc_ok(result))
		auth_pass_failure(call, result);
	else
		reply_auth_check_account(call, &done);
}

void on_auth_check_account(struct ipc_call *call, const Starling__AccountRequest *request)
{
	struct auth *a = ipc_call_daemon(call);
	Starling__AccountKey key = STARLING__ACCOUNT_KEY__INIT;
	struct ipc_opts opts = auth_storage_opts(call);
	struct jid account;

	if (!account_parse(call, request->account, &account))
		return;
	key.account = account.text;
	call_storage_credentials_get(daemon_bus(a->daemon), ipc_any("storage"), &opts, &key, checked, call);
	jid_fini(&account);
}
