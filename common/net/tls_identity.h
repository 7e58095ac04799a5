/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_identity: which user a client's certificate names. Whether it may be believed is tls_peer's. */
#ifndef COMMON_NET_TLS_IDENTITY_H
#define COMMON_NET_TLS_IDENTITY_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#define TLS_IDENTITY_MAX 256 /* bytes of a name, with its NUL */

enum tls_identity {
	TLS_IDENTITY_NONE,        /* it names nobody */
	TLS_IDENTITY_COMMON_NAME, /* the last one of the subject */
	TLS_IDENTITY_EMAIL,       /* rfc822Name (RFC 5280 section 4.2.1.6) */
	TLS_IDENTITY_XMPP,        /* id-on-xmppAddr (RFC 6120 section 13.7.1.4) */
	TLS_IDENTITY_SUBJECT,     /* the whole subject as RFC 4514 writes it */
};

/* UTF-8, NUL-terminated. False: the certificate has no such name, or several that differ, or one that is too long, is no UTF-8, or has control characters. */
bool tls_identity_get(X509 *cert, enum tls_identity kind, char out[TLS_IDENTITY_MAX]);

#endif
