/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_peer: whose certificate the other side showed, by RFC 6120 section 13.7, RFC 6125 and XEP-0178: the chain, and the names in it. It is asked after the
 * handshake, of either end, once for each domain that the other side claims to be. */
#ifndef COMMON_NET_TLS_PEER_H
#define COMMON_NET_TLS_PEER_H

#include <stdbool.h>

#include "common/net/tls_trust.h"

enum tls_peer {
	TLS_PEER_VALID,
	TLS_PEER_NONE,       /* no certificate was sent */
	TLS_PEER_UNTRUSTED,  /* no chain to what we trust, or a broken one */
	TLS_PEER_EXPIRED,    /* it, or one above it: over, or not yet begun */
	TLS_PEER_WRONG_NAME, /* good, but another's */
};

/* domain: as a JID has it; U-labels and A-labels are the same. as_client: the peer opened the connection. Its certificate may then be meant for clients or for
 * servers: server certificates of today say "servers" alone, and are used for both ends of federation. Otherwise it must be one for servers.
 * why: the reason in words for a log, in printable ASCII; empty when valid. */
enum tls_peer tls_peer_verdict(SSL *ssl, const struct tls_trust *trust, const char *domain, bool as_client, char *why, size_t why_size);
/* A client's certificate alone, whoever it names: its chain, its time, and that it is one for clients. */
enum tls_peer tls_peer_client(SSL *ssl, const struct tls_trust *trust, char *why, size_t why_size);
/* "valid", "none", "untrusted", "expired", "wrong-name": for metrics. */
const char *tls_peer_name(enum tls_peer verdict);

#endif
