/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xmpp/dataform.h"

#define FIELDS_MAX 100 /* the check for duplicates looks at all pairs */

static void read_values(struct arena *a, const struct xml_node *n, struct dataform_field *out)
{
	uint32_t count = 0;

	for (const struct xml_node *v = xml_first_element(n); v; v = xml_next_element(v))
		count += str_is(v->name, "value") && str_is(v->ns, NS_DATAFORM);
	out->values = arena_alloc(a, count * sizeof(*out->values));
	for (const struct xml_node *v = xml_first_element(n); v; v = xml_next_element(v)) {
		if (str_is(v->name, "value") && str_is(v->ns, NS_DATAFORM))
			out->values[out->count++] = xml_text(a, v);
	}
}

const char *dataform_read(struct arena *a, const struct xml_node *x, struct dataform *out)
{
	struct dataform_field **last = &out->fields;
	uint32_t count = 0;

	*out = (struct dataform){ 0 };
	if (!str_is(xml_get(x, "type"), "submit"))
		return "The form is not of type submit.";
	for (const struct xml_node *n = xml_first_element(x); n; n = xml_next_element(n)) {
		struct dataform_field *f;

		if (!str_is(n->name, "field") || !str_is(n->ns, NS_DATAFORM))
			continue;
		f = arena_zalloc(a, sizeof(*f));
		f->var = xml_get(n, "var");
		if (++count > FIELDS_MAX)
			return "The form has too many fields.";
		if (f->var.n == 0)
			return "A field of the form has no name.";
		read_values(a, n, f);
		if (str_is(f->var, "FORM_TYPE")) {
			out->form_type = f->count ? f->values[0] : (struct str){ 0 };
			continue;
		}
		for (const struct dataform_field *other = out->fields; other; other = other->next) {
			if (str_eq(other->var, f->var))
				return "A field of the form is there twice.";
		}
		*last = f;
		last = &f->next;
	}
	return NULL;
}

bool dataform_bool(struct str value, bool *out)
{
	*out = str_is(value, "true") || str_is(value, "1");
	return *out || str_is(value, "false") || str_is(value, "0");
}
