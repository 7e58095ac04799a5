/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of the bus: a CURVE pair a role, and the list of those that may join. */
#include <stdio.h>

#include "common/crypto/seal.h"
#include "ipc/runtime/keys.h"
#include "services/starlingctl/init.h"
#include "services/starlingctl/roles.h"
#include "services/starlingctl/state_dir.h"

#define ALLOW_PATH "keys/allow"
#define SEAL_PATH  "keys/auth-seal.key"

/* An added role gets its key, and a line in the list; what was allowed stays. */
static int make_pair(const char *role, struct err *e)
{
	struct keypair pair;
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "keys/%s.key", role);
	if (state_dir_exists(path))
		return 0;
	keypair_generate(&pair);
	rc = keypair_write(path, &pair, e) || allow_add(ALLOW_PATH, role, pair.public_key, e) ? -1 : 0;
	keypair_wipe(&pair);
	return rc;
}

int init_keys(struct err *e)
{
	int rc = state_dir_mkdir("keys", 0711, e);

	for (unsigned i = 0; rc == 0 && i < ROLE_COUNT; i++)
		rc = make_pair(roles[i].name, e);
	if (rc == 0)
		rc = make_pair("starlingctl", e);
	if (rc == 0 && !state_dir_exists(SEAL_PATH))
		rc = seal_key_generate(SEAL_PATH, e);
	return rc;
}
