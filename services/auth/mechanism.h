/* SPDX-License-Identifier: Apache-2.0
 *
 * mechanism: the table of SASL mechanisms, strongest first, and which of them a connection may use. */
#ifndef SERVICES_AUTH_MECHANISM_H
#define SERVICES_AUTH_MECHANISM_H

#include "common/crypto/digest.h"
#include "ipc/proto/auth.pb-c.h"
#include "services/auth/options.h"

enum mechanism_kind { MECHANISM_SCRAM, MECHANISM_PLAIN, MECHANISM_KINDS };

struct mechanism {
	const char *name;
	enum mechanism_kind kind;
	enum digest hash; /* SCRAM */
	bool plus;        /* SCRAM with channel binding */
};

extern const struct mechanism mechanisms[];
extern const size_t mechanism_count;

/* NULL when there is none of that name. */
const struct mechanism *mechanism_find(const char *name);
/* One of the channel binding types that are advertised (XEP-0440); without any, no -PLUS is offered. */
bool mechanism_binding_known(struct str type);
/* May a connection with these properties use it? Channel binding needs encryption and one binding at least. */
bool mechanism_offered(const struct mechanism *m, const struct options *o, bool encrypted, bool can_bind);
/* Whether any -PLUS mechanism is offered to such a connection: then the flag y is a sign of a downgrade (RFC 5802 section 6). */
bool mechanism_plus_offered(const struct options *o, bool encrypted, bool can_bind);

#endif
