/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of the bus: a CURVE pair a role, and the list of those that may join. Beside them the secrets that daemons share with each other. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/seal.h"
#include "ipc/runtime/keys.h"
#include "services/starlingctl/init.h"
#include "services/starlingctl/roles.h"
#include "services/starlingctl/state_dir.h"

#define ALLOW_PATH "keys/allow"
#define SEAL_PATH  "keys/auth-seal.key"
#define TURN_PATH  "keys/turn.secrets"

enum { TURN_SECRET_CHARS = 40 }; /* of 36 letters and digits: over 200 bits */

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

/* What session-manager makes credentials of for relays, and these check them by: one secret a line, the first makes, all are accepted. */
static int make_turn_secret(struct err *e)
{
	char line[TURN_SECRET_CHARS + 1];
	int rc;

	random_token(line, TURN_SECRET_CHARS);
	line[TURN_SECRET_CHARS] = '\n';
	rc = state_dir_create(TURN_PATH, 0600, line, sizeof(line), e);
	mem_wipe(line, sizeof(line));
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
	if (rc == 0 && !state_dir_exists(TURN_PATH))
		rc = make_turn_secret(e);
	return rc;
}
