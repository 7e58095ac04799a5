/* SPDX-License-Identifier: Apache-2.0
 *
 * auth: the daemon's own object, built by start and ctx of all handlers. It keeps nothing about anybody between two calls except the
 * buckets of throttle.h. */
#ifndef SERVICES_AUTH_AUTH_H
#define SERVICES_AUTH_AUTH_H

#include "common/crypto/seal.h"
#include "common/daemon/daemon.h"
#include "services/auth/hashing.h"
#include "services/auth/options.h"
#include "services/auth/throttle.h"

struct auth {
	struct daemon *daemon;
	struct seal *seal;
	uint8_t decoy_key[SEAL_KEY_SIZE]; /* see decoy.h */
	struct hashing *hashing;
	struct throttle *failures; /* logins, by address */
	struct throttle *registrations;
	uint64_t logins; /* finished exchanges, for the skeleton's rate */
};

int auth_start(struct daemon *d, void **out_state, struct err *e);
void auth_run(void *state);
void auth_drain(void *state);
void auth_reload(void *state);
void auth_stop(void *state);
void auth_status(void *state, struct daemon_status *out);

const struct options *auth_options(const struct auth *a);
bool auth_serves(const struct auth *a, const char *host);
bool auth_registration_open(const struct auth *a, const char *host);

/* To the storage role, with what is left of the time that the call's own caller waits. */
struct ipc_opts auth_storage_opts(const struct ipc_call *call);
/* Passes on why storage failed. */
void auth_pass_failure(struct ipc_call *call, const struct ipc_result *result);

#endif
