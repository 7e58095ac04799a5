/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/credentials.h"

#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/auth/decoy.h"

#define TRIES 2

struct query {
	struct auth *auth;
	struct ipc_call *call;
	char *account;
	enum digest hash;
	bool or_other;
	int tries;
	credentials_fn done;
	void *ctx;
};

static bool usable(const Starling__ScramKeys *from, struct scram_keys *out)
{
	size_t n;

	if (!digest_parse(str_from(from->hash), &out->hash))
		return false;
	n = digest_size(out->hash);
	if (from->salt.len == 0 || from->salt.len > SCRAM_SALT_MAX || from->stored_key.len != n || from->server_key.len != n ||
	    from->iterations == 0 || from->iterations > SCRAM_ITERATIONS_MAX)
		return false;
	out->iterations = from->iterations;
	out->salt_n = from->salt.len;
	memcpy(out->salt, from->salt.data, from->salt.len);
	memcpy(out->stored_key, from->stored_key.data, n);
	memcpy(out->server_key, from->server_key.data, n);
	return true;
}

static bool choose(const struct query *q, const Starling__Credentials *from, struct scram_keys *out)
{
	bool found = false;

	for (size_t i = 0; from && i < from->n_scram; i++) {
		struct scram_keys keys = { 0 };

		if (!usable(from->scram[i], &keys))
			continue;
		if (keys.hash == q->hash || (q->or_other && !found)) {
			*out = keys;
			found = true;
		}
		mem_wipe(&keys, sizeof(keys));
		if (found && out->hash == q->hash)
			break;
	}
	return found;
}

static void ask(struct query *q);

static void answered(const struct ipc_result *result, const Starling__Credentials *reply, void *ctx)
{
	struct query *q = ctx;
	struct credentials c = { .text = "" };

	if (result->code == STARLING__CODE__CODE_PEER_LOST && q->tries < TRIES) {
		ask(q);
		return;
	}
	if (!ipc_ok(result) && result->code != STARLING__CODE__CODE_NOT_FOUND) {
		c.code = result->code;
		c.text = result->text;
	} else if (!choose(q, reply, &c.keys)) {
		c.decoy = true;
		decoy_keys(q->auth->decoy_key, str_from(q->account), q->hash, (uint32_t)auth_options(q->auth)->iterations, &c.keys);
	}
	q->done(&c, q->ctx);
	mem_wipe(&c, sizeof(c));
	mem_free(q->account);
	mem_free(q);
}

static void ask(struct query *q)
{
	Starling__AccountKey request = STARLING__ACCOUNT_KEY__INIT;
	struct ipc_opts opts = auth_storage_opts(q->call);

	q->tries++;
	request.account = q->account;
	call_storage_credentials_get(daemon_bus(q->auth->daemon), ipc_any("storage"), &opts, &request, answered, q);
}

void credentials_get(struct auth *a, struct ipc_call *for_call, struct str account, enum digest hash, bool or_other, credentials_fn done,
                     void *ctx)
{
	struct query *q = mem_new(struct query);

	q->auth = a;
	q->call = for_call;
	q->account = mem_strndup(account.p, account.n);
	q->hash = hash;
	q->or_other = or_other;
	q->done = done;
	q->ctx = ctx;
	ask(q);
}
