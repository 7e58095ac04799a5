/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_names: the domains that a certificate names, as far as servers of XMPP go (RFC 6120 section 13.7.1.2.1). */
#ifndef COMMON_NET_TLS_NAMES_H
#define COMMON_NET_TLS_NAMES_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "common/base/str.h"

/* Is the certificate for this domain (U- or A-labels)? In this order, one match is enough:
 * dNSName, where "*" as the whole leftmost label stands for exactly one label; SRVName "_xmpp-server.DOMAIN" (RFC 4985); id-on-xmppAddr, a bare domain
 * (RFC 6120 section 13.7.1.4); and the last common name as if it were a dNSName, if the certificate has no name of any of these kinds, nor a URI (RFC 6125
 * section 6.4.4). Names with NUL bytes in them name nobody.
 * dns_only: SRVName and id-on-xmppAddr are not believed. */
bool tls_names_match(X509 *cert, struct str domain, bool dns_only);
/* The certificate's names for a log, printable ASCII, cut to what fits into n bytes. Returns out. */
const char *tls_names_text(X509 *cert, char *out, size_t n);

#endif
