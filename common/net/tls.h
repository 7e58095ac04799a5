/* SPDX-License-Identifier: Apache-2.0
 *
 * tls: certificates of the virtual hosts as OpenSSL contexts, and what a server needs of one connection: SNI, ALPN, channel binding.
 * TLS 1.2 and newer. Sessions are neither cached nor ticketed: any instance of a flock may get the next connection.
 *
 * No handshake fails over the other side's certificate. Who needs to know whose it is asks tls_peer.h afterwards; SSL_get_verify_result() never says X509_V_OK
 * of one that was sent. */
#ifndef COMMON_NET_TLS_H
#define COMMON_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/str.h"

/* Certificates as they were when loaded; counted, since a handshake may outlive a reload. */
struct tls_set;

/* Reads from dir, for each host, HOST.pem (certificate and chain) and HOST.key (in HOST.pem when there is no such file); default.pem and
 * default.key serve hosts that have none of their own. Fails when a host has neither, or a file cannot be used. */
struct tls_set *tls_set_load(const char *dir, char *const *hosts, size_t host_count, struct err *e);
struct tls_set *tls_set_ref(struct tls_set *set);
void tls_set_unref(struct tls_set **set);
/* Seconds until the first certificate of the set expires; negative when one has. *out_host names it. */
int64_t tls_set_expiry(const struct tls_set *set, const char **out_host);

/* From now on connections served from this set ask for the client's certificate (servers do so of each other, XEP-0178); one that sends none is served all
 * the same. Not undone. */
void tls_set_ask(struct tls_set *set);
/* Makes ssl, a client's end, present the certificate, chain and key of this host, or the default's. False when the set has neither. */
bool tls_set_present(const struct tls_set *set, struct str host, SSL *ssl);

/* Curves for connections on which we look at the other side's certificate: with TLS 1.2 its key must be on one of them (RFC 8422 section 5.1.1). */
#define TLS_PEER_GROUPS "X25519:P-256:P-384:P-521"

/* What both ends have in common: versions, ciphers, no sessions, any certificate of the other side. */
void tls_configure(SSL_CTX *ctx);

/* A server's end of a new connection, to get its descriptor by SSL_set_fd. host: whose certificate when the client names none by SNI; empty: the
 * default's. alpn: the only protocol here (static string); a client that offers others alone is refused (XEP-0368, RFC 7301 section 3.2). NULL: any. */
SSL *tls_server_new(struct tls_set *set, struct str host, const char *alpn);
/* After the handshake, and before SSL_free: drops what only the handshake needed. */
void tls_server_settled(SSL *ssl);

#define TLS_BINDING_MAX 64
/* Channel binding data, its length returned; 0 where the connection cannot give that type.
 * tls-exporter (RFC 9266): TLS 1.3, or 1.2 with the extended master secret. */
size_t tls_exporter(SSL *ssl, uint8_t out[TLS_BINDING_MAX]);
/* tls-server-end-point (RFC 5929 section 4): the hash of our certificate. */
size_t tls_server_end_point(SSL *ssl, uint8_t out[TLS_BINDING_MAX]);
/* tls-unique (RFC 5929 section 3): the client's Finished message. Not to be advertised: TLS 1.3 does not define it. But clients that know no other type use
 * it there as well, and as long as nothing but full handshakes with the extended master secret are made, it does identify the connection. */
size_t tls_unique(SSL *ssl, uint8_t out[TLS_BINDING_MAX]);

/* Text of the oldest error in OpenSSL's queue, which is emptied. */
const char *tls_error_text(char *out, size_t n);

#endif
