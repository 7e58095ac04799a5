/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xmpp/dataform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *read_form(struct arena *a, const char *text, struct dataform *out)
{
	struct xml_node *n = xml_parse(a, str_from(text), STR("jabber:client"));

	assert_non_null(n);
	return dataform_read(a, n, out);
}

static void fields(void **state)
{
	struct arena *a = arena_new(0);
	struct dataform form;
	const char *fault = read_form(a,
	                              "<x xmlns='" NS_DATAFORM "' type='submit'><title>t</title>"
	                              "<field var='FORM_TYPE' type='hidden'><value>u:form</value></field>"
	                              "<field var='one'><value>1 &lt; 2</value><other xmlns='u:o'/></field>"
	                              "<field var='many'><value>a</value><value/><value>b</value></field>"
	                              "<field var='none'/><field xmlns='u:o' var='foreign'/></x>",
	                              &form);
	struct dataform_field *f = form.fields;

	(void)state;
	assert_null(fault);
	assert_true(str_is(form.form_type, "u:form"));
	assert_true(str_is(f->var, "one") && f->count == 1 && str_is(f->values[0], "1 < 2"));
	f = f->next;
	assert_true(str_is(f->var, "many") && f->count == 3 && f->values[1].n == 0 && str_is(f->values[2], "b"));
	f = f->next;
	assert_true(str_is(f->var, "none") && f->count == 0);
	assert_null(f->next);
	arena_free(&a);
}

static void faults(void **state)
{
	static const char *const bad[] = {
		"<x xmlns='" NS_DATAFORM "'/>",
		"<x xmlns='" NS_DATAFORM "' type='cancel'/>",
		"<x xmlns='" NS_DATAFORM "' type='submit'><field><value>x</value></field></x>",
		"<x xmlns='" NS_DATAFORM "' type='submit'><field var='a'/><field var='a'/></x>",
	};
	struct arena *a = arena_new(0);
	struct buf many = { 0 };
	struct dataform form;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(read_form(a, bad[i], &form));
	buf_append_cstr(&many, "<x xmlns='" NS_DATAFORM "' type='submit'>");
	for (int i = 0; i < 101; i++)
		buf_printf(&many, "<field var='f%d'/>", i);
	buf_append_cstr(&many, "</x>");
	assert_non_null(dataform_read(a, xml_parse(a, buf_str(&many), STR("jabber:client")), &form));
	buf_fini(&many);
	arena_free(&a);
}

static void booleans(void **state)
{
	bool b;

	(void)state;
	assert_true(dataform_bool(STR("true"), &b) && b);
	assert_true(dataform_bool(STR("1"), &b) && b);
	assert_true(dataform_bool(STR("false"), &b) && !b);
	assert_true(dataform_bool(STR("0"), &b) && !b);
	assert_false(dataform_bool(STR("yes"), &b));
	assert_false(dataform_bool(STR(""), &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(fields), cmocka_unit_test(faults), cmocka_unit_test(booleans) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
