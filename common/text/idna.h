/* SPDX-License-Identifier: Apache-2.0
 *
 * idna: domain names by IDNA2008 (RFC 5890 to 5893) in the form that RFC 7622 section 3.2 compares: U-labels, lower case, NFC. */
#ifndef COMMON_TEXT_IDNA_H
#define COMMON_TEXT_IDNA_H

#include "common/base/str.h"

/* Takes LDH, U- and A-labels, an IPv4 address or [an IPv6 address]; one final dot is dropped. out gets at most cap bytes, no NUL. False when it is no
 * domain. */
bool idna_domain(struct str in, char *out, size_t cap, size_t *out_n);
/* Letters, digits and hyphens only, no label with hyphens in places 3 and 4: needs no library. Writes it in lower case. */
bool idna_domain_ascii(struct str in, char *out, size_t cap, size_t *out_n);
/* For DNS and TLS: all A-labels. in is what idna_domain made. */
bool idna_to_ascii(struct str in, char *out, size_t cap, size_t *out_n);

#endif
