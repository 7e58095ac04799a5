/* SPDX-License-Identifier: Apache-2.0
 *
 * tls: certificates of the virtual hosts as OpenSSL contexts, and what a server needs of one connection: SNI, ALPN, channel binding.
 * TLS 1.2 and newer. Sessions are neither cached nor ticketed: any instance of a flock may get the next connection. */
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
