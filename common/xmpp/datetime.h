/* SPDX-License-Identifier: Apache-2.0
 *
 * datetime: the DateTime profile of XEP-0082, such as 1969-07-21T02:56:15.123-05:00. common/base/clock.h writes it. */
#ifndef COMMON_XMPP_DATETIME_H
#define COMMON_XMPP_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

/* Microseconds since 1970 UTC; finer fractions are cut off. False: not of that form, or no such time. */
bool datetime_parse(struct str text, int64_t *out_us);

#endif
