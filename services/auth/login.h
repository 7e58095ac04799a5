/* SPDX-License-Identifier: Apache-2.0
 *
 * login: one step of a SASL exchange while it is being served. Made by sasl.c, ended by exactly one of the functions at the end, which
 * answer the call, count, log and free. It owns copies of what the step needs after the request is gone. */
#ifndef SERVICES_AUTH_LOGIN_H
#define SERVICES_AUTH_LOGIN_H

#include "common/base/arena.h"
#include "common/xmpp/jid.h"
#include "services/auth/auth.h"
#include "services/auth/exchange.h"
#include "services/auth/figures.h"
#include "services/auth/mechanism.h"

struct login {
	struct auth *auth;
	struct ipc_call *call;
	const struct mechanism *mechanism;
	struct arena *arena; /* host and address live here */
	const char *host;
	const char *address;
	bool plus_offered;
	char *message; /* the client's, owned and wiped */
	size_t message_n;
	struct jid account;  /* once known */
	struct buf bound_to; /* what sealed state is bound to */
	uint64_t since_us;
};

/* The mechanism is not set yet. Wipes nothing of the request; sasl.c does. */
struct login *login_new(struct ipc_call *call, const Starling__SaslRequest *request);
struct str login_message(const struct login *l);
/* Sets the account from the name that the client gave. False: the login was ended. */
bool login_identify(struct login *l, struct str username, struct str authzid);
/* Has the address a token of the throttle left? False: too many failed, and the login was ended. */
bool login_welcome(struct login *l);

/* --- the ends ---------------------------------------------------------------------------------------------------- */

/* has_output false: an empty challenge. */
void login_continue(struct login *l, struct str output, bool has_output, const struct exchange *x);
/* A guess was right or wrong. A wrong one costs the address a token; without any left, nobody is told which it was: so guesses in parallel gain nothing over
 * guesses in turn, and right ones cost nothing however many there are at once. */
void login_decide(struct login *l, bool right, struct str output, bool has_output, const char *reason);
/* condition: RFC 6120 section 6.5. text goes to the user, reason into the log. */
void login_refuse(struct login *l, const char *condition, const char *text, const char *reason);
/* Not now, and not the user's fault: temporary-auth-failure. */
void login_put_off(struct login *l, enum login_outcome outcome, const char *text);
/* The store cannot say: the call fails with UNAVAILABLE. */
void login_unavailable(struct login *l, int code, const char *text);

#endif
