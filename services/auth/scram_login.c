/* SPDX-License-Identifier: Apache-2.0
 *
 * scram_login: the two steps of SCRAM on the server. The first reads the store, the second needs nothing but the sealed state. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "services/auth/credentials.h"
#include "services/auth/sasl.h"

#define SERVER_NONCE_BYTES 18

/* Whatever type the edge can vouch for may be used, also one that it does not advertise. */
static bool find_binding(const Starling__SaslRequest *r, struct str type, struct str *out)
{
	*out = STR("");
	for (size_t i = 0; i < r->n_channel_bindings; i++) {
		if (str_is(type, r->channel_bindings[i]->type) && r->channel_bindings[i]->data.len > 0) {
			*out = str_make(r->channel_bindings[i]->data.data, r->channel_bindings[i]->data.len);
			return true;
		}
	}
	return false;
}

/* Between the mechanism's name and the gs2 flag (RFC 5802 section 6). True: they agree. */
static bool binding_agrees(struct login *l, const Starling__SaslRequest *request, const struct scram_client_first *first)
{
	struct str data;

	if (first->cbind == SCRAM_CBIND_USED && !l->mechanism->plus)
		login_refuse(l, "malformed-request", "", "p= with a mechanism without -PLUS");
	else if (first->cbind != SCRAM_CBIND_USED && l->mechanism->plus)
		login_refuse(l, "malformed-request", "", "-PLUS without p=");
	else if (first->cbind == SCRAM_CBIND_UNOFFERED && l->plus_offered)
		login_refuse(l, "not-authorized", "Somebody hides from you that this server can do channel binding.",
		             "channel binding downgraded");
	else if (first->cbind == SCRAM_CBIND_USED && !find_binding(request, first->cbind_type, &data))
		login_refuse(l, "not-authorized", "This type of channel binding is not offered.",
		             "channel binding type not on this connection");
	else
		return true;
	return false;
}

static bool identify(struct login *l, const struct scram_client_first *first)
{
	char *username = arena_alloc(l->arena, first->username.n + 1), *authzid = arena_alloc(l->arena, first->authzid.n + 1);
	size_t username_n, authzid_n;

	if (!scram_unescape(first->username, username, &username_n) || !scram_unescape(first->authzid, authzid, &authzid_n)) {
		login_refuse(l, "malformed-request", "", "malformed name");
		return false;
	}
	return login_identify(l, str_make(username, username_n), str_make(authzid, authzid_n));
}

static void challenge(const struct credentials *c, void *ctx)
{
	struct login *l = ctx;
	struct scram_client_first first;
	uint8_t random[SERVER_NONCE_BYTES];
	char nonce[SERVER_NONCE_BYTES * 4 / 3];
	struct buf server_first = { .max = SCRAM_MESSAGE_MAX };
	struct exchange x = { .stage = EXCHANGE_SCRAM, .decoy = c->decoy, .account = l->account.bare, .keys = c->keys };

	if (c->code != 0) {
		login_unavailable(l, c->code, c->text);
		return;
	}
	scram_parse_client_first(login_message(l), &first);
	x.gs2_header = first.gs2_header;
	x.cbind_type = first.cbind_type;
	x.client_first_bare = first.bare;
	random_bytes(random, sizeof(random));
	base64_encode(str_make(random, sizeof(random)), nonce);
	scram_write_server_first(&server_first, first.nonce, str_make(nonce, sizeof(nonce)), str_make(c->keys.salt, c->keys.salt_n),
	                         c->keys.iterations);
	x.server_first = buf_str(&server_first);
	login_continue(l, x.server_first, true, &x);
	buf_fini(&server_first);
	mem_wipe(&x, sizeof(x));
}

void scram_login_first(struct login *l, const Starling__SaslRequest *request)
{
	struct scram_client_first first;

	if (!scram_parse_client_first(login_message(l), &first)) {
		login_refuse(l, "malformed-request", "", "malformed client-first-message");
		return;
	}
	if (binding_agrees(l, request, &first) && identify(l, &first) && login_welcome(l))
		credentials_get(l->auth, l->call, l->account.bare, l->mechanism->hash, false, challenge, l);
}

void scram_login_final(struct login *l, const struct exchange *x, const Starling__SaslRequest *request)
{
	struct scram_exchange s = { .gs2_header = x->gs2_header,
		                    .client_first_bare = x->client_first_bare,
		                    .server_first = x->server_first,
		                    .nonce = exchange_nonce(x) };
	struct buf server_final = { .max = SCRAM_MESSAGE_MAX };
	enum scram_verdict verdict;

	if (jid_parse(x->account, &l->account) != JID_OK) {
		login_refuse(l, "not-authorized", "", "state without an account");
		return;
	}
	if (x->cbind_type.n > 0 && !find_binding(request, x->cbind_type, &s.cbind_data)) {
		login_refuse(l, "not-authorized", "This type of channel binding is not offered.",
		             "channel binding type not on this connection");
		return;
	}
	verdict = scram_finish(&s, &x->keys, login_message(l), &server_final);
	/* One answer for all that is wrong but the grammar: which part it was helps only an attacker. */
	if (verdict == SCRAM_MALFORMED)
		login_refuse(l, "malformed-request", "", "malformed client-final-message");
	else
		login_decide(l, verdict == SCRAM_OK && !x->decoy, buf_str(&server_final), true, scram_verdict_name(verdict));
	buf_fini(&server_final);
}
