/* SPDX-License-Identifier: Apache-2.0
 *
 * creds: who may use the relay. Two sources, both files, read as one set that does not change afterwards; counted, since several threads hold it.
 *
 * Secrets, one a line: a user name `EXPIRY:NAME` (seconds since 1970) has the password base64(HMAC-SHA1(secret, user name)), under any of them: the "REST" scheme of
 * draft-uberti-behave-turn-rest, which coturn and XMPP servers speak. Users, `NAME:PASSWORD` a line, who do not expire. Empty lines, and lines that begin with #, are
 * passed over in both, and so is white space at the ends of a line. */
#ifndef TURN_CREDS_H
#define TURN_CREDS_H

#include "common/base/err.h"
#include "common/stun/stun_integrity.h"

#define CREDS_SECRETS_MAX 16u
#define CREDS_SECRET_MIN  16u /* characters: less could be tried out */
#define CREDS_LINE_MAX    1024u

struct creds;

/* Either file name may be empty, but not both; a file that is not there is an error, and so is a set with nobody in it. NULL with e set. */
struct creds *creds_load(const char *secrets_file, const char *users_file, const char *realm, struct err *e);
struct creds *creds_ref(struct creds *c);
void creds_unref(struct creds **c);

struct creds_user {
	struct str name;    /* as in USERNAME; a view of the message, or of the set */
	struct str account; /* what quotas count by: NAME without the expiry */
	int64_t expires_s;  /* 0: does not */
};

enum creds_verdict {
	CREDS_OK,
	CREDS_EXPIRED, /* proved, and too old: user and key are set */
	CREDS_WRONG,   /* no such user, or not his proof: which of them does not show, nor in the time it takes */
};

/* Whose message is it? Its integrity is checked with every password that its name may have. */
enum creds_verdict creds_check(const struct creds *c, const struct stun_message *m, uint16_t algorithm, int64_t now_s,
                               struct creds_user *user, struct stun_key *key);

#endif
