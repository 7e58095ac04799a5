/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_frame: a state machine over bytes, see xml_frame.h. It may be wrong about XML that is not well-formed, never about XML that is: '<' cannot
 * stand unescaped in text or in an attribute value, and '>' closes a tag unless it is quoted. The reader has the last word on everything inside. */
#include "common/xml/xml_frame.h"

#include <string.h>

enum state {
	TEXT,      /* also: between elements */
	REFERENCE, /* behind '&' */
	OPEN,      /* behind '<' */
	TAG,       /* in a start tag, outside of quotes */
	SLASH,     /* in a start tag, behind '/' */
	APOS,      /* in a value in single quotes */
	QUOT,
	END_TAG,
	BANG, /* in "<![CDATA[" */
	CDATA,
	CDATA_ONE,       /* behind "]" */
	CDATA_TWO,       /* behind "]]" */
	DECLARATION,     /* in "<?xml" */
	DECLARATION_END, /* behind '?' */
	LATE,            /* in "<?", where no declaration is allowed */
};

/* Longer references are legal with leading zeros, but nobody means well by them. */
#define REFERENCE_MAX 32

/* Bytes that a state must look at; it runs over all others. */
enum { STOP_TEXT = 1, STOP_TAG = 2, SPACE = 4, NAME_START = 8, REF_CHAR = 16 };
static const uint8_t class_of[256] = {
	['<'] = STOP_TEXT | STOP_TAG,
	['&'] = STOP_TEXT,
	['>'] = STOP_TAG,
	['/'] = STOP_TAG,
	['\''] = STOP_TAG,
	['"'] = STOP_TAG,
	[' '] = SPACE,
	['\t'] = SPACE,
	['\r'] = SPACE,
	['\n'] = SPACE,
	['A' ... 'Z'] = NAME_START | REF_CHAR,
	['a' ... 'z'] = NAME_START | REF_CHAR,
	['0' ... '9'] = REF_CHAR,
	['#'] = REF_CHAR,
	['_'] = NAME_START | REF_CHAR,
	[':'] = NAME_START | REF_CHAR,
	['.'] = REF_CHAR,
	['-'] = REF_CHAR,
	[0x80 ... 0xFF] = NAME_START | REF_CHAR,
};

struct scan {
	struct xml_frame *f;
	const char *p;
	size_t i, n;
	size_t whole;
	enum xml_frame_event event;
};

/* The byte looked at ends the scan and is part of what has ended. */
static void finish(struct scan *s, enum xml_frame_event event)
{
	s->whole = ++s->i;
	s->event = event;
}

static void text(struct scan *s)
{
	struct xml_frame *f = s->f;

	if (f->depth > 0) {
		while (s->i < s->n && !(class_of[(uint8_t)s->p[s->i]] & STOP_TEXT))
			s->i++;
		s->whole = s->i;
		if (s->i == s->n)
			return;
	}
	uint8_t c = (uint8_t)s->p[s->i];
	if (c == '<') {
		f->state = OPEN;
		s->i++;
	} else if (f->depth > 0) {
		f->state = REFERENCE;
		f->matched = 0;
		s->i++;
	} else if (c == 0xFE || c == 0xFF) {
		s->event = f->header ? XML_FRAME_ENCODING : XML_FRAME_BROKEN;
	} else {
		s->event = f->header || c < 0x20 ? XML_FRAME_BROKEN : XML_FRAME_TEXT;
	}
}

/* A reference is handed over whole, like a tag. */
static void reference(struct scan *s)
{
	uint8_t c = (uint8_t)s->p[s->i];

	if (!(class_of[c] & REF_CHAR)) {
		s->f->state = TEXT;
		if (c == ';')
			s->i++;
		s->whole = s->i;
	} else if (++s->f->matched > REFERENCE_MAX) {
		s->event = XML_FRAME_RESTRICTED;
	} else {
		s->i++;
	}
}

static void open_tag(struct scan *s)
{
	struct xml_frame *f = s->f;
	uint8_t c = (uint8_t)s->p[s->i];
	bool may_declare = f->may_declare;

	f->may_declare = false;
	f->matched = 0;
	if (class_of[c] & NAME_START) {
		f->state = TAG;
	} else if (c == '/' && !f->header) {
		f->state = END_TAG;
		s->i++;
	} else if (c == '!') {
		f->state = BANG;
		s->i++;
	} else if (c == '?') {
		f->state = may_declare ? DECLARATION : LATE;
		s->i++;
	} else {
		s->event = f->header && c == 0 ? XML_FRAME_ENCODING : XML_FRAME_BROKEN;
	}
}

/* A start tag has ended, at the byte looked at. */
static void started(struct scan *s, bool empty)
{
	struct xml_frame *f = s->f;

	f->state = TEXT;
	if (f->header) {
		f->header = false;
		finish(s, XML_FRAME_START);
	} else if (!empty) {
		f->depth++;
		s->whole = ++s->i;
	} else if (f->depth == 0) {
		finish(s, XML_FRAME_ELEMENT);
	} else {
		s->whole = ++s->i;
	}
}

static void tag(struct scan *s)
{
	while (s->i < s->n && !(class_of[(uint8_t)s->p[s->i]] & STOP_TAG))
		s->i++;
	if (s->i == s->n)
		return;
	switch (s->p[s->i]) {
	case '>':
		started(s, false);
		return;
	case '<':
		s->event = XML_FRAME_BROKEN;
		return;
	case '/':
		s->f->state = SLASH;
		break;
	default:
		s->f->state = s->p[s->i] == '"' ? QUOT : APOS;
	}
	s->i++;
}

static void slash(struct scan *s)
{
	if (s->p[s->i] == '>')
		started(s, true);
	else
		s->f->state = TAG;
}

static void quoted(struct scan *s)
{
	char end = s->f->state == QUOT ? '"' : '\'';
	const char *at = memchr(s->p + s->i, end, s->n - s->i);
	size_t length = at ? (size_t)(at - s->p) - s->i : s->n - s->i;
	const char *bad = memchr(s->p + s->i, '<', length);

	if (bad) {
		s->i = (size_t)(bad - s->p);
		s->event = XML_FRAME_BROKEN;
		return;
	}
	s->i += length;
	if (at) {
		s->i++;
		s->f->state = TAG;
	}
}

static void end_tag(struct scan *s)
{
	const char *at = memchr(s->p + s->i, '>', s->n - s->i);
	const char *bad = memchr(s->p + s->i, '<', at ? (size_t)(at - s->p) - s->i : s->n - s->i);

	if (bad) {
		s->i = (size_t)(bad - s->p);
		s->event = XML_FRAME_BROKEN;
		return;
	}
	s->i = at ? (size_t)(at - s->p) : s->n;
	if (!at)
		return;
	s->f->state = TEXT;
	if (s->f->depth == 0)
		finish(s, XML_FRAME_CLOSE);
	else if (--s->f->depth == 0)
		finish(s, XML_FRAME_ELEMENT);
	else
		s->whole = ++s->i;
}

static void bang(struct scan *s)
{
	static const char want[] = "[CDATA[";

	if (s->p[s->i] != want[s->f->matched]) {
		s->event = XML_FRAME_RESTRICTED;
	} else if (++s->f->matched < sizeof(want) - 1) {
		s->i++;
	} else if (s->f->depth == 0) {
		s->event = s->f->header ? XML_FRAME_BROKEN : XML_FRAME_TEXT;
	} else {
		s->f->state = CDATA;
		s->whole = ++s->i;
	}
}

static void cdata(struct scan *s)
{
	char c = s->p[s->i];

	if (s->f->state == CDATA && c != ']') {
		const char *at = memchr(s->p + s->i, ']', s->n - s->i);

		s->i = at ? (size_t)(at - s->p) : s->n;
	} else {
		static const uint8_t on_bracket[] = { [CDATA] = CDATA_ONE, [CDATA_ONE] = CDATA_TWO, [CDATA_TWO] = CDATA_TWO };

		if (c == ']')
			s->f->state = on_bracket[s->f->state];
		else
			s->f->state = c == '>' && s->f->state == CDATA_TWO ? TEXT : CDATA;
		s->i++;
	}
	s->whole = s->i;
}

static void declaration(struct scan *s)
{
	static const char want[] = "xml";
	char c = s->p[s->i];

	if (s->f->matched < 3) {
		if (c != want[s->f->matched++])
			s->event = XML_FRAME_RESTRICTED;
	} else if (s->f->matched == 3) {
		s->f->matched++;
		if (!(class_of[(uint8_t)c] & SPACE))
			s->event = XML_FRAME_RESTRICTED;
		else if (s->f->state == LATE)
			s->event = XML_FRAME_BROKEN;
	} else if (s->f->state == DECLARATION_END && c == '>') {
		s->f->state = TEXT;
		finish(s, XML_FRAME_DECLARATION);
		return;
	} else {
		s->f->state = c == '?' ? DECLARATION_END : DECLARATION;
	}
	s->i++;
}

size_t xml_frame_scan(struct xml_frame *f, const char *p, size_t n, size_t *out_whole, enum xml_frame_event *out_event)
{
	static void (*const in_state[])(struct scan *) = {
		[TEXT] = text,
		[REFERENCE] = reference,
		[OPEN] = open_tag,
		[TAG] = tag,
		[SLASH] = slash,
		[APOS] = quoted,
		[QUOT] = quoted,
		[END_TAG] = end_tag,
		[BANG] = bang,
		[CDATA] = cdata,
		[CDATA_ONE] = cdata,
		[CDATA_TWO] = cdata,
		[DECLARATION] = declaration,
		[DECLARATION_END] = declaration,
		[LATE] = declaration,
	};
	struct scan s = { .f = f, .p = p, .n = n, .whole = XML_FRAME_NONE, .event = XML_FRAME_MORE };

	while (s.i < n && s.event == XML_FRAME_MORE)
		in_state[f->state](&s);
	*out_whole = s.whole;
	*out_event = s.event;
	return s.i;
}

bool xml_frame_between(const struct xml_frame *f)
{
	return f->state == TEXT && f->depth == 0;
}
