/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_name: names of the DNS as text: lower case, without the final dot, so that equal names are equal strings. "" is the root. */
#ifndef COMMON_DNS_DNS_NAME_H
#define COMMON_DNS_DNS_NAME_H

#include "common/base/str.h"

#define DNS_NAME_MAX 253 /* RFC 1035 section 2.3.4, as text and without the final dot */

/* Letters, digits, hyphens and underscores (RFC 2782 owners have them) in labels of 1 to 63: no escapes, no UTF-8, which idna.h has to turn into A-labels
 * before. Writes it as said above with a NUL. False when in is no such name, or the root. */
bool dns_name_from(struct str in, char out[DNS_NAME_MAX + 1]);
/* The name that starts at `at` in a message, compressed or not (RFC 1035 section 4.1.4). A byte that dns_name_from would not take becomes '?', which
 * no name that is asked for has. Sets *after to where the message goes on. False when it is malformed: it leaves the message, is too long, or points
 * anywhere but back. */
bool dns_name_read(struct str message, size_t at, char out[DNS_NAME_MAX + 1], size_t *after);
/* Only what dns_name_from takes: a host that can be asked for. */
bool dns_name_usable(const char *name);

#endif
