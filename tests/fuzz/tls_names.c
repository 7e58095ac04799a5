/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the names in a certificate that a stranger sends. Whatever is in there, the text for the log is short printable ASCII, a certificate that may be
 * believed in dNSNames alone names nothing more than one that may be believed in all, and what is no domain is not named. */
#include <openssl/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/net/tls_names.h"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "property violated: %s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned char *p = data;
	X509 *cert = d2i_X509(NULL, &p, (long)size);
	char text[64];

	if (!cert)
		return 0;
	for (const char *at = tls_names_text(cert, text, sizeof(text)); *at; at++)
		require(*at > ' ' && *at <= '~', "printable");
	require(strlen(text) < sizeof(text), "length");
	require(!tls_names_match(cert, STR("a.example.org"), true) || tls_names_match(cert, STR("a.example.org"), false),
	        "limits only take away");
	require(!tls_names_match(cert, STR(""), false) && !tls_names_match(cert, STR("a@b"), false), "no domain");
	tls_names_match(cert, STR("b\303\274cher.example"), false);
	X509_free(cert);
	return 0;
}
