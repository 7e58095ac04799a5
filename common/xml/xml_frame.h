/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_frame: finds where tags and first-level elements end, without understanding them. It sits before the reader, which so is only ever given
 * whole tags (one that drips in byte by byte is read once, and the reader keeps no half-read state), never a byte behind the element being read (so a
 * stream can stop, restart or rest exactly between elements), and never a comment, processing instruction or DTD. */
#ifndef COMMON_XML_XML_FRAME_H
#define COMMON_XML_XML_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xml_frame_event {
	XML_FRAME_MORE,        /* all bytes looked at, nothing has ended */
	XML_FRAME_DECLARATION, /* the XML declaration has ended; only when it was allowed */
	XML_FRAME_START,       /* a start tag has ended and left depth 0 (only in header mode) */
	XML_FRAME_ELEMENT,     /* a first-level element has ended */
	XML_FRAME_CLOSE,       /* the end tag of the stream has ended */
	XML_FRAME_RESTRICTED,  /* a comment, PI, DTD or over-long reference begins here */
	XML_FRAME_TEXT,        /* text outside of any first-level element */
	XML_FRAME_ENCODING,    /* the header is in UTF-16 or UTF-32 */
	XML_FRAME_BROKEN,      /* no XML at all */
};

/* Plain data; all zero is a fresh stream's state between elements. */
struct xml_frame {
	uint8_t state;
	uint8_t matched;  /* of "[CDATA[" or of a reference */
	bool header;      /* the next start tag is the stream header: report START */
	bool may_declare; /* nothing has come yet: an XML declaration may */
	bool empty_root;  /* START: the header was an empty-element tag */
	uint32_t depth;   /* open elements below the stream root */
};

#define XML_FRAME_NONE SIZE_MAX

/* Looks at p[0..n). Returns how many bytes were looked at, up to the end of what the event tells of (for the refusals: up to the byte before it).
 * *out_whole of these bytes, and all bytes before p, belong to whole tags, references and text; the rest begins one that is not complete.
 * XML_FRAME_NONE: so does what was before p. */
size_t xml_frame_scan(struct xml_frame *f, const char *p, size_t n, size_t *out_whole, enum xml_frame_event *out_event);
/* Nothing of an element has come yet. */
bool xml_frame_between(const struct xml_frame *f);

#endif
