/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_trust: the certificates that others are believed by. Read in full when loaded, so that looking at a peer never waits for a disk. What is in there is
 * trusted as it stands: an authority, one below it, or a server's own certificate. Revocation lists are looked at once some were given. */
#ifndef COMMON_NET_TLS_TRUST_H
#define COMMON_NET_TLS_TRUST_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "common/base/err.h"

struct tls_trust;

/* path: a file in PEM, or a folder of them (whatever else lies there is passed over); NULL or empty: what the system trusts. NULL with e set when there is no such
 * thing, or no certificate in it. The caller's to free; nothing keeps it longer than a call. The system's takes some 50 ms to read: for start and reload. */
struct tls_trust *tls_trust_load(const char *path, struct err *e);
void tls_trust_free(struct tls_trust **trust);
/* path: a file of revocation lists in PEM (RFC 5280 section 5). From then on a chain is good only when each authority in it has a list there that is in force, and
 * nothing of the chain is in one. -1 with e set: it cannot be read, or there is no list in it. */
int tls_trust_revoke(struct tls_trust *trust, const char *path, struct err *e);
/* How many certificates it holds, each counted once. */
size_t tls_trust_count(const struct tls_trust *trust);
X509_STORE *tls_trust_store(const struct tls_trust *trust);

#endif
