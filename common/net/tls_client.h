/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_client: our end of connections that we open. The handshake completes whatever certificate the server shows: federation decides by itself what a bad one
 * means (dialback, or nothing), and asks tls_peer.h. */
#ifndef COMMON_NET_TLS_CLIENT_H
#define COMMON_NET_TLS_CLIENT_H

#include "common/net/tls.h"

struct tls_client;

/* own: certificates of the local hosts, for servers that ask for one; a reference of its own is taken. NULL: we never present any. NULL with e set when
 * OpenSSL refuses. Connections do not need it any longer than their handshake takes to begin, so a reload may replace it at any time. */
struct tls_client *tls_client_new(struct tls_set *own, struct err *e);
void tls_client_free(struct tls_client **client);

/* A client's end of a new connection, to get its descriptor by SSL_set_fd. NULL when OpenSSL refuses.
 * host: for SNI, as the domain of a JID is written; addresses and what is no name in the DNS are left out (RFC 6066 section 3).
 * local: the host of ours whose certificate to present when asked; empty, or one without a certificate: none.
 * alpn: the one protocol that we offer, up to 255 bytes (XEP-0368: "xmpp-server"); NULL: the extension is left out. */
SSL *tls_client_begin(const struct tls_client *client, struct str host, struct str local, const char *alpn);

#endif
