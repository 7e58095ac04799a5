/* SPDX-License-Identifier: Apache-2.0
 *
 * dataform: XEP-0004 2.13, a submitted form as a list of fields with their values. */
#ifndef COMMON_XMPP_DATAFORM_H
#define COMMON_XMPP_DATAFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/xml/xml.h"

#define NS_DATAFORM "jabber:x:data"

struct dataform_field {
	struct dataform_field *next; /* in the order of the form */
	struct str var;
	struct str *values;
	uint32_t count; /* 0: a field without a value */
};

struct dataform {
	struct str form_type;          /* XEP-0068; empty: none */
	struct dataform_field *fields; /* without FORM_TYPE */
};

/* Reads <x/>, a form of type submit. NULL, or what is wrong with it. Everything lives in the arena. */
const char *dataform_read(struct arena *a, const struct xml_node *x, struct dataform *out);
/* xs:boolean. False: it is none. */
bool dataform_bool(struct str value, bool *out);

#endif
