/* SPDX-License-Identifier: Apache-2.0
 *
 * passwords: creating accounts and changing passwords: policy, then keys made by a worker, then storage. The password itself is wiped
 * here, in the request, and in hashing.c, and is in no log and no message to storage. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/utf8.h"
#include "ipc/gen/auth.server.h"
#include "ipc/gen/storage.client.h"
#include "services/auth/account.h"
#include "services/auth/figures.h"

struct errand {
	struct auth *auth;
	struct ipc_call *call;
	char *account;
	bool create;
};

static void errand_free(struct errand *w)
{
	mem_free(w->account);
	mem_free(w);
}

static void stored(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	static const Starling__Empty done = STARLING__EMPTY__INIT;
	struct errand *w = ctx;

	(void)reply;
	if (!ipc_ok(result)) {
		auth_pass_failure(w->call, result);
	} else {
		log_info(daemon_log(w->auth->daemon), "%s account=%s", w->create ? "account created" : "password changed", w->account);
		if (w->create)
			reply_auth_create_account(w->call, &done);
		else
			reply_auth_change_password(w->call, &done);
	}
	errand_free(w);
}

static void store(struct errand *w, const struct scram_keys *keys)
{
	Starling__Credentials credentials = STARLING__CREDENTIALS__INIT;
	Starling__ScramKeys rows[DIGEST_COUNT], *pointers[DIGEST_COUNT];
	struct ipc_opts opts = auth_storage_opts(w->call);
	struct ipc_bus *bus = daemon_bus(w->auth->daemon);

	for (int i = 0; i < DIGEST_COUNT; i++) {
		const struct scram_keys *k = &keys[i];
		size_t n = digest_size(k->hash);

		rows[i] = (Starling__ScramKeys)STARLING__SCRAM_KEYS__INIT;
		rows[i].hash = (char *)digest_name(k->hash);
		rows[i].salt = (ProtobufCBinaryData){ k->salt_n, (uint8_t *)k->salt };
		rows[i].iterations = k->iterations;
		rows[i].stored_key = (ProtobufCBinaryData){ n, (uint8_t *)k->stored_key };
		rows[i].server_key = (ProtobufCBinaryData){ n, (uint8_t *)k->server_key };
		pointers[i] = &rows[i];
	}
	credentials.account = w->account;
	credentials.n_scram = DIGEST_COUNT;
	credentials.scram = pointers;
	if (w->create)
		call_storage_account_create(bus, ipc_any("storage"), &opts, &credentials, stored, w);
	else
		call_storage_credentials_set(bus, ipc_any("storage"), &opts, &credentials, stored, w);
}

static void derived(const struct hashing_result *result, void *ctx)
{
	struct errand *w = ctx;

	figures_hashed(result->waited_us);
	if (result->cancelled) {
		ipc_fail(w->call, STARLING__CODE__CODE_UNAVAILABLE, "shutting down");
		errand_free(w);
		return;
	}
	store(w, result->keys);
}

struct prepared {
	char text[JID_PART_MAX + 1];
	size_t n;
};

/* False: the call was failed. */
static bool prepare(struct ipc_call *call, const char *text, size_t least, struct prepared *out)
{
	uint32_t characters[JID_PART_MAX];
	size_t count;

	if (jid_prep_password(str_from(text), out->text, &out->n) != JID_OK || out->n == 0) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "the password is empty, too long, or has characters that are not allowed");
		return false;
	}
	count = utf8_to_cps(str_make(out->text, out->n), characters, JID_PART_MAX);
	mem_wipe(characters, sizeof(characters));
	if (count < least)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "the password needs %zu characters at least", least);
	return count >= least;
}

/* Answers the call, now or later. */
static void set_password(struct ipc_call *call, const struct jid *account, const struct prepared *password, bool create)
{
	struct auth *a = ipc_call_daemon(call);
	const struct options *o = auth_options(a);
	struct errand *w = mem_new(struct errand);

	*w = (struct errand){ a, call, mem_strndup(account->bare.p, account->bare.n), create };
	if (hashing_derive(a->hashing, o->hash_queue, str_make(password->text, password->n), (uint32_t)o->iterations, derived, w))
		return;
	figures_hash_refused();
	ipc_fail(call, STARLING__CODE__CODE_OVERLOAD, "too many passwords are waiting");
	errand_free(w);
}

/* What users may not, and operators may. */
static bool policy_allows(struct ipc_call *call, const struct jid *account)
{
	const struct auth *a = ipc_call_daemon(call);
	char local[JID_PART_MAX + 1] = "", host[JID_PART_MAX + 1] = "";

	memcpy(local, account->local.p, account->local.n);
	memcpy(host, account->domain.p, account->domain.n);
	if (!auth_registration_open(a, host))
		ipc_fail(call, STARLING__CODE__CODE_DENIED, "registration is off");
	else if (options_list_has(&auth_options(a)->reserved, local))
		ipc_fail(call, STARLING__CODE__CODE_DENIED, "the name is reserved");
	else
		return true;
	return false;
}

void on_auth_create_account(struct ipc_call *call, const Starling__CreateAccountRequest *request)
{
	struct auth *a = ipc_call_daemon(call);
	size_t least = request->by_operator ? 1 : (size_t)auth_options(a)->password_min;
	struct prepared password;
	struct jid account;

	if (account_parse(call, request->account, &account)) {
		if ((!request->by_operator && !policy_allows(call, &account)) || !prepare(call, request->password, least, &password))
			;
		else if (!request->by_operator && !throttle_take(a->registrations, request->address, clock_mono_ms()))
			ipc_fail(call, STARLING__CODE__CODE_LIMIT, "too many accounts from this address");
		else
			set_password(call, &account, &password, true);
		jid_fini(&account);
	}
	mem_wipe(&password, sizeof(password));
	mem_wipe(request->password, strlen(request->password));
}

void on_auth_change_password(struct ipc_call *call, const Starling__ChangePasswordRequest *request)
{
	const struct auth *a = ipc_call_daemon(call);
	size_t least = request->by_user ? (size_t)auth_options(a)->password_min : 1;
	struct prepared password;
	struct jid account;

	if (account_parse(call, request->account, &account)) {
		if (prepare(call, request->password, least, &password))
			set_password(call, &account, &password, false);
		jid_fini(&account);
	}
	mem_wipe(&password, sizeof(password));
	mem_wipe(request->password, strlen(request->password));
}
