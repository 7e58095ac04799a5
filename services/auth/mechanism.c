/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/mechanism.h"

const struct mechanism mechanisms[] = {
	{ "SCRAM-SHA-512-PLUS", MECHANISM_SCRAM, DIGEST_SHA512, true },
	{ "SCRAM-SHA-256-PLUS", MECHANISM_SCRAM, DIGEST_SHA256, true },
	{ "SCRAM-SHA-1-PLUS", MECHANISM_SCRAM, DIGEST_SHA1, true },
	{ "SCRAM-SHA-512", MECHANISM_SCRAM, DIGEST_SHA512, false },
	{ "SCRAM-SHA-256", MECHANISM_SCRAM, DIGEST_SHA256, false },
	{ "SCRAM-SHA-1", MECHANISM_SCRAM, DIGEST_SHA1, false },
	{ "PLAIN", MECHANISM_PLAIN, DIGEST_SHA256, false },
};
const size_t mechanism_count = sizeof(mechanisms) / sizeof(mechanisms[0]);

const struct mechanism *mechanism_find(const char *name)
{
	for (size_t i = 0; i < mechanism_count; i++) {
		if (strcmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	}
	return NULL;
}

bool mechanism_binding_known(struct str type)
{
	return str_is(type, "tls-exporter") || str_is(type, "tls-server-end-point");
}

bool mechanism_offered(const struct mechanism *m, const struct options *o, bool encrypted, bool can_bind)
{
	if (!options_list_has(&o->mechanisms, m->name))
		return false;
	if (m->kind == MECHANISM_PLAIN)
		return encrypted;
	return !m->plus || (encrypted && can_bind);
}

bool mechanism_plus_offered(const struct options *o, bool encrypted, bool can_bind)
{
	for (size_t i = 0; i < mechanism_count; i++) {
		if (mechanisms[i].plus && mechanism_offered(&mechanisms[i], o, encrypted, can_bind))
			return true;
	}
	return false;
}
