/* SPDX-License-Identifier: Apache-2.0
 *
 * credentials: an account's keys from the storage role. An account that does not exist has keys too: a decoy's. */
#ifndef SERVICES_AUTH_CREDENTIALS_H
#define SERVICES_AUTH_CREDENTIALS_H

#include "services/auth/auth.h"

struct credentials {
	int code; /* 0, or why the store could not say (a Code of the contract) */
	const char *text;
	bool decoy;
	struct scram_keys keys;
};
/* Runs once, later. The credentials are wiped when it returns. */
typedef void (*credentials_fn)(const struct credentials *c, void *ctx);

/* Keys of this hash; with `or_other`, of whatever hash the account has (for PLAIN, which can use any). A read that was lost with the instance that
 * served it is tried once more. */
void credentials_get(struct auth *a, struct ipc_call *for_call, struct str account, enum digest hash, bool or_other, credentials_fn done,
                     void *ctx);

#endif
