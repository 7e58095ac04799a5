/* SPDX-License-Identifier: Apache-2.0
 *
 * turn_credentials: short-lived credentials for a relay, made of a secret that it shares with us, so that it need not ask anybody: the user name is when they
 * expire and whose they are, the password is a MAC of that ("A REST API for Access to TURN Services", draft-uberti-behave-turn-rest-00 section 2.2; coturn's
 * use-auth-secret). */
#ifndef SESSION_MANAGER_TURN_CREDENTIALS_H
#define SESSION_MANAGER_TURN_CREDENTIALS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

#define TURN_SECRET_MAX 255 /* bytes */

/* The file has one secret a line; the first makes credentials, a relay accepts all. Empty lines and those that begin with # mean nothing. out holds
 * TURN_SECRET_MAX + 1 bytes, to be wiped by the caller. 0, or -1 with e set. */
int turn_secret_load(const char *path, char *out, struct err *e);
/* Appends <seconds since 1970>:<account> and base64(HMAC-SHA1(secret, user name)). account: bare JID. */
void turn_credentials_make(struct str secret, struct str account, int64_t expires_s, struct buf *username, struct buf *password);

#endif
