/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl: finds out which step of which exchange a request is. */
#include "services/auth/sasl.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/auth.server.h"

#define INPUT_MAX    8192
#define STATE_MAX    65536
#define BINDINGS_MAX 16

static void (*const first_steps[MECHANISM_KINDS])(struct login *, const Starling__SaslRequest *) = {
	[MECHANISM_SCRAM] = scram_login_first,
	[MECHANISM_PLAIN] = plain_login,
};

static bool can_bind(const Starling__SaslRequest *r)
{
	for (size_t i = 0; i < r->n_channel_bindings; i++) {
		if (mechanism_binding_known(str_from(r->channel_bindings[i]->type)))
			return true;
	}
	return false;
}

/* What is wrong with a request before any message of the client is looked at; true: nothing. */
static bool acceptable(struct login *l, const Starling__SaslRequest *r)
{
	const struct options *o = auth_options(l->auth);
	const struct mechanism *m = mechanism_find(r->mechanism);
	bool binds = can_bind(r);

	l->mechanism = m;
	if (!m || !mechanism_offered(m, o, true, true)) {
		login_refuse(l, "invalid-mechanism", "", "mechanism not offered");
		return false;
	}
	if (!mechanism_offered(m, o, r->encrypted, binds)) {
		login_refuse(l, r->encrypted || m->kind != MECHANISM_PLAIN ? "invalid-mechanism" : "encryption-required", "",
		             "mechanism not offered on this connection");
		return false;
	}
	if (!auth_serves(l->auth, r->host)) {
		login_refuse(l, "not-authorized", "", "host not served");
		return false;
	}
	if (r->input.len > INPUT_MAX || r->state.len > STATE_MAX || r->n_channel_bindings > BINDINGS_MAX) {
		login_refuse(l, "malformed-request", "", "too long");
		return false;
	}
	l->plus_offered = mechanism_plus_offered(o, r->encrypted, binds);
	return true;
}

static void resume(struct login *l, const Starling__SaslRequest *r)
{
	uint8_t *plain = mem_alloc(r->state.len);
	enum seal_error error;
	struct exchange x;
	size_t n;

	error = seal_open(l->auth->seal, buf_str(&l->bound_to), str_make(r->state.data, r->state.len), clock_wall_us(), plain, &n);
	if (error != SEAL_OK)
		login_refuse(l, "not-authorized", error == SEAL_EXPIRED ? "The login took too long." : "", seal_error_name(error));
	else if (!exchange_read(str_make(plain, n), &x) || (x.stage == EXCHANGE_SCRAM && x.keys.hash != l->mechanism->hash))
		login_refuse(l, "not-authorized", "", "state of another version");
	else if (x.stage == EXCHANGE_INVITED)
		first_steps[l->mechanism->kind](l, r);
	else if (l->mechanism->kind == MECHANISM_SCRAM)
		scram_login_final(l, &x, r);
	else
		login_refuse(l, "malformed-request", "", "a step too many");
	mem_wipe(&x, sizeof(x));
	mem_free_secret(plain, r->state.len);
}

void on_auth_sasl(struct ipc_call *call, const Starling__SaslRequest *request)
{
	static const struct exchange invited = { .stage = EXCHANGE_INVITED };
	struct login *l = login_new(call, request);

	if (!acceptable(l, request))
		;
	else if (request->state.len > 0)
		resume(l, request);
	else if (!request->has_input)
		login_continue(l, STR(""), false, &invited);
	else
		first_steps[l->mechanism->kind](l, request);
	/* PLAIN's message holds a password. The runtime frees the request after this, but would leave its bytes in the heap. */
	mem_wipe(request->input.data, request->input.len);
}
