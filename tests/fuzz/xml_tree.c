/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: xml_parse and xml_write. What is accepted is accepted by expat, too, and writing it is idempotent: the written bytes are parsed, and
 * written again as they are. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/xml/xml.h"
#include "common/xmpp/stanza.h"

static void require(bool ok, const char *what, struct str at)
{
	if (ok)
		return;
	fprintf(stderr, "property violated: %s\n%.*s\n", what, STR_ARG(at));
	abort();
}

static void visit(struct arena *a, const struct xml_node *n)
{
	xml_text(a, n);
	xml_get(n, "id");
	for (const struct xml_node *c = xml_first_element(n); c; c = xml_next_element(c)) {
		require(c->parent == n, "parent", c->name);
		visit(a, c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(64);
	char *copy = mem_memdup(data, size);
	struct str in = str_make(copy, size);
	struct xml_node *n = xml_parse(a, in, STR("u:d"));
	struct buf once = { 0 }, twice = { 0 };

	if (n) {
		visit(a, n);
		xml_write(&once, n, STR("u:d"));
		n = xml_parse(a, buf_str(&once), STR("u:d"));
		require(n != NULL, "what is written is parsed", buf_str(&once));
		xml_write(&twice, n, STR("u:d"));
		require(str_eq(buf_str(&once), buf_str(&twice)), "writing is idempotent", in);
		XML_Parser p = XML_ParserCreateNS("UTF-8", '}');
		require(XML_Parse(p, in.p, (int)in.n, 1) == XML_STATUS_OK, "expat accepts", in);
		XML_ParserReset(p, "UTF-8");
		require(XML_Parse(p, once.p, (int)once.n, 1) == XML_STATUS_OK, "expat accepts what is written", in);
		XML_ParserFree(p);
		buf_clear(&twice);
	}
	/* These must stand anything, too. */
	stanza_write(&twice, in, STR("a"), STR("b"), STR("<x/>"));
	stanza_error_bytes(&twice, STANZA_IQ, STR("1"), in, "bad-request", STR(""), STR(""), STR(""));
	buf_fini(&once);
	buf_fini(&twice);
	arena_free(&a);
	mem_free(copy);
	return 0;
}
