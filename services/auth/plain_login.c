/* SPDX-License-Identifier: Apache-2.0
 *
 * plain_login: PLAIN (RFC 4616), checked against the keys stored for SCRAM. The hashing is done by a worker; an unknown account costs the same. */
#include "common/base/mem.h"
#include "common/crypto/sasl_plain.h"
#include "services/auth/credentials.h"
#include "services/auth/figures.h"
#include "services/auth/sasl.h"

struct check {
	struct login *login;
	bool decoy;
};

static void hashed(const struct hashing_result *result, void *ctx)
{
	struct check check = *(struct check *)ctx;

	mem_free(ctx);
	figures_hashed(result->waited_us);
	if (result->cancelled)
		login_unavailable(check.login, STARLING__CODE__CODE_UNAVAILABLE, "shutting down");
	else
		login_decide(check.login, result->matches && !check.decoy, STR(""), false, "wrong password");
}

/* False: the queue is full. */
static bool queue(struct login *l, const struct credentials *c, struct str password)
{
	struct check *check = mem_new(struct check);

	check->login = l;
	check->decoy = c->decoy;
	if (hashing_verify(l->auth->hashing, auth_options(l->auth)->hash_queue, &c->keys, password, hashed, check))
		return true;
	mem_free(check);
	return false;
}

static void compare(const struct credentials *c, void *ctx)
{
	struct login *l = ctx;
	struct sasl_plain plain;
	char password[JID_PART_MAX + 1];
	size_t n;

	if (c->code != 0) {
		login_unavailable(l, c->code, c->text);
		return;
	}
	sasl_plain_parse(login_message(l), &plain);
	if (jid_prep_password(plain.password, password, &n) != JID_OK) {
		login_decide(l, false, STR(""), false, "not a password");
	} else if (!queue(l, c, str_make(password, n))) {
		figures_hash_refused();
		login_put_off(l, LOGIN_UNAVAILABLE, "Too many logins at once. Try again.");
	}
	mem_wipe(password, sizeof(password));
}

void plain_login(struct login *l, const Starling__SaslRequest *request)
{
	struct sasl_plain plain;

	(void)request;
	if (!sasl_plain_parse(login_message(l), &plain)) {
		login_refuse(l, "malformed-request", "", "malformed message");
		return;
	}
	if (login_identify(l, plain.authcid, plain.authzid) && login_welcome(l))
		credentials_get(l->auth, l->call, l->account.bare, DIGEST_SHA256, true, compare, l);
}
