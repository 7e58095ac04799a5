/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_worker: see xml_worker.h. A worker ready for elements has read the start tag of a root of its own, so that expat takes one element after
 * the other for that root's children. Idle workers wait in a short list. */
#include "common/xml/xml_worker.h"

#include <expat.h>
#include <limits.h>

#include "common/base/mem.h"

#define IDLE_MAX 8
/* expat remembers every name it has read until it is reset: an attacker must not fill memory with names. */
#define RESET_AFTER ((size_t)256 << 10)
/* What an expat parser holds before it has read anything much; it tells nobody. */
#define EXPAT_BYTES ((size_t)12 << 10)

struct xml_worker {
	XML_Parser parser;
	struct xml_canon canon;
	size_t read;     /* bytes since the last reset */
	size_t begun_at; /* `read` when lent */
	bool ready;      /* inside its own root */
	struct xml_worker *next;
	/* while a header is read */
	struct xml_head *head;
	struct xml_header *header;
	const struct xml_limits *limits;
};

static struct {
	struct xml_worker *first;
	size_t n;
} idle;

static void worker_free(struct xml_worker *w)
{
	XML_ParserFree(w->parser);
	xml_canon_fini(&w->canon);
	mem_free(w);
}

__attribute__((destructor)) static void free_idle(void)
{
	while (idle.first) {
		struct xml_worker *w = idle.first;

		idle.first = w->next;
		worker_free(w);
	}
	idle.n = 0;
}

static struct xml_worker *worker_new(void)
{
	static const XML_Memory_Handling_Suite memory = { mem_alloc, mem_realloc, mem_free };
	struct xml_worker *w = mem_new(struct xml_worker);

	w->parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
	xml_canon_init(&w->canon);
	return w;
}

struct xml_worker *xml_worker_take(void)
{
	struct xml_worker *w = idle.first;

	if (!w)
		return worker_new();
	idle.first = w->next;
	idle.n--;
	w->next = NULL;
	w->begun_at = w->read;
	return w;
}

void xml_worker_give(struct xml_worker **pw, bool clean)
{
	struct xml_worker *w = *pw;

	*pw = NULL;
	if (!w)
		return;
	if (!clean || w->read > RESET_AFTER)
		w->ready = false;
	if (idle.n == IDLE_MAX) {
		worker_free(w);
		return;
	}
	xml_canon_trim(&w->canon);
	w->next = idle.first;
	idle.first = w;
	idle.n++;
}

struct xml_canon *xml_worker_canon(struct xml_worker *w)
{
	return &w->canon;
}

size_t xml_worker_bytes(const struct xml_worker *w)
{
	return sizeof(*w) + EXPAT_BYTES + (w->read - w->begun_at) + w->canon.out.cap + arena_bytes(w->canon.arena);
}

static void on_restricted(struct xml_worker *w, const char *text)
{
	xml_canon_fail(&w->canon, "restricted-xml", text);
	XML_StopParser(w->parser, XML_FALSE);
}

static void on_comment(void *ctx, const XML_Char *data)
{
	(void)data;
	on_restricted(ctx, "a comment");
}

static void on_pi(void *ctx, const XML_Char *target, const XML_Char *data)
{
	(void)target;
	(void)data;
	on_restricted(ctx, "a processing instruction");
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has_subset)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_subset;
	on_restricted(ctx, "a document type declaration");
}

static void stop_on_error(struct xml_worker *w)
{
	if (w->canon.condition)
		XML_StopParser(w->parser, XML_FALSE);
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **atts)
{
	struct xml_worker *w = ctx;

	xml_canon_start(&w->canon, name, (const char *const *)atts);
	stop_on_error(w);
}

static void on_end(void *ctx, const XML_Char *name)
{
	struct xml_worker *w = ctx;

	xml_canon_end(&w->canon, name);
	stop_on_error(w);
}

static void on_text(void *ctx, const XML_Char *text, int n)
{
	struct xml_worker *w = ctx;

	xml_canon_text(&w->canon, str_make(text, (size_t)n));
	stop_on_error(w);
}

static void reset(struct xml_worker *w)
{
	XML_ParserReset(w->parser, "UTF-8");
	XML_SetReparseDeferralEnabled(w->parser, XML_FALSE);
	XML_SetUserData(w->parser, w);
	XML_SetCommentHandler(w->parser, on_comment);
	XML_SetProcessingInstructionHandler(w->parser, on_pi);
	XML_SetStartDoctypeDeclHandler(w->parser, on_doctype);
	w->read = w->begun_at = 0;
	w->ready = false;
}

/* expat's own error, by RFC 6120 section 4.9.3. */
static void note_error(struct xml_worker *w)
{
	enum XML_Error code = XML_GetErrorCode(w->parser);
	const char *condition = "not-well-formed";

	if (code == XML_ERROR_UNDEFINED_ENTITY || code == XML_ERROR_ENTITY_DECLARED_IN_PE)
		condition = "restricted-xml";
	else if (code == XML_ERROR_UNKNOWN_ENCODING || code == XML_ERROR_INCORRECT_ENCODING)
		condition = "unsupported-encoding";
	xml_canon_fail(&w->canon, condition, XML_ErrorString(code));
}

static bool parse(struct xml_worker *w, struct str bytes)
{
	while (bytes.n > 0 && !w->canon.condition) {
		size_t n = bytes.n < INT_MAX / 2 ? bytes.n : INT_MAX / 2;

		w->read += n;
		if (XML_Parse(w->parser, bytes.p, (int)n, 0) != XML_STATUS_OK)
			note_error(w);
		bytes = str_make(bytes.p + n, bytes.n - n);
	}
	return !w->canon.condition;
}

bool xml_worker_feed(struct xml_worker *w, struct str bytes)
{
	if (!w->ready) {
		reset(w);
		XML_Parse(w->parser, "<s>", 3, 0);
		XML_SetElementHandler(w->parser, on_start, on_end);
		XML_SetCharacterDataHandler(w->parser, on_text);
		w->ready = true;
	}
	return parse(w, bytes);
}

static void on_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding, int standalone)
{
	struct xml_worker *w = ctx;

	(void)standalone;
	if (!version || strcmp(version, "1.0") != 0)
		xml_canon_fail(&w->canon, "not-well-formed", "not XML 1.0");
	/* RFC 6120 section 11.6. */
	if (encoding && strcasecmp(encoding, "UTF-8") != 0)
		xml_canon_fail(&w->canon, "unsupported-encoding", "the encoding must be UTF-8");
	stop_on_error(w);
}

static void on_root(void *ctx, const XML_Char *name, const XML_Char **atts)
{
	struct xml_worker *w = ctx;
	struct xml_header *h = w->header;
	struct arena *a = w->canon.arena;
	const char *condition, *text;

	if (w->head)
		return;
	w->head = xml_head_new(name, (const char *const *)atts, w->limits, h, &condition, &text);
	if (!w->head) {
		xml_canon_fail(&w->canon, condition, text);
		stop_on_error(w);
		return;
	}
	h->name_ns = arena_str(a, h->name_ns);
	h->content_ns = arena_str(a, h->content_ns);
	h->to = arena_str(a, h->to);
	h->from = arena_str(a, h->from);
	h->id = arena_str(a, h->id);
	h->version = arena_str(a, h->version);
	h->lang = arena_str(a, h->lang);
}

struct xml_head *xml_worker_header(struct xml_worker *w, struct str bytes, const struct xml_limits *limits, struct xml_header *out_header)
{
	reset(w);
	xml_canon_begin(&w->canon, NULL, limits);
	w->head = NULL;
	w->header = out_header;
	w->limits = limits;
	XML_SetXmlDeclHandler(w->parser, on_declaration);
	XML_SetStartElementHandler(w->parser, on_root);
	if (parse(w, bytes) && !w->head)
		xml_canon_fail(&w->canon, "not-well-formed", "no stream header");
	if (w->canon.condition)
		xml_head_free(&w->head);
	struct xml_head *head = w->head;
	w->head = NULL;
	w->header = NULL;
	return head;
}
