/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_stream: the one strict parser of XMPP streams (RFC 6120 section 11), shared by c2s and s2s. Bytes in, events out; no I/O.
 * It refuses comments, processing instructions, DTDs, entities other than the five, wrong encodings, unbound prefixes, namespaces that are no
 * URIs, and whatever passes a limit; each refusal names its stream error. Each first-level element is re-serialised canonically while it is parsed
 * and summed up in a struct stanza; nothing raw is ever passed on. A stanza without xml:lang gets the stream's. Between elements a stream holds
 * nothing but its header's namespaces: what parses is lent to it for the time of one element. */
#ifndef COMMON_XML_XML_STREAM_H
#define COMMON_XML_XML_STREAM_H

#include "common/xml/xml.h"
#include "common/xmpp/stanza.h"

struct xml_stream;

struct xml_limits {
	size_t stanza_bytes; /* of one first-level element as received */
	size_t attributes;   /* on one element */
	size_t depth;        /* stream root is 1 */
	size_t elements;     /* in one first-level element */
	size_t name_bytes;   /* of one element, attribute name or namespace */
};

struct xml_header {
	struct str name_ns; /* namespace of the root; must be http://etherx.jabber.org/streams */
	struct str to, from, id, version, lang;
	struct str content_ns; /* the default namespace: jabber:client, jabber:server */
	bool has_to, has_from, has_version;
};

struct xml_stream_events {
	void (*on_open)(const struct xml_header *h, void *ctx);
	/* A first-level element. For message, presence and iq in the content namespace `stanza` is filled; for anything else (SASL,
	 * STARTTLS, stream management ...) it is NULL and `node` holds the element as a tree. Views live until the callback returns. */
	void (*on_element)(const struct stanza *stanza, const struct xml_node *node, void *ctx);
	void (*on_close)(void *ctx); /* </stream:stream> */
	/* Condition of RFC 6120 section 4.9.3. The stream is dead; nothing more is called. */
	void (*on_error)(const char *condition, const char *text, void *ctx);
};

struct xml_stream *xml_stream_new(const struct xml_limits *limits, const struct xml_stream_events *events, void *ctx);
void xml_stream_free(struct xml_stream **s);
void xml_stream_set_limits(struct xml_stream *s, const struct xml_limits *limits);
/* Feeds bytes. Events are called from within; the callbacks may call xml_stream_stop, xml_stream_reset and xml_stream_pause but not free.
 * Returns how many bytes were used: fewer than n only after a pause (the caller keeps the rest), a stop, a reset (what follows belongs to the
 * new stream or another layer), the stream's end or an error. */
size_t xml_stream_feed(struct xml_stream *s, const void *p, size_t n);
void xml_stream_stop(struct xml_stream *s);          /* no more events */
void xml_stream_pause(struct xml_stream *s);         /* from a callback: stop behind this element; the next feed goes on */
void xml_stream_reset(struct xml_stream *s);         /* expect a new stream header (after TLS, SASL, compression) */
bool xml_stream_resting(const struct xml_stream *s); /* between first-level elements, with nothing buffered */
void xml_stream_rest(
        struct xml_stream *s); /* free what can be rebuilt; no effect unless resting (today that is nothing: it is freed at once) */
size_t xml_stream_bytes(const struct xml_stream *s); /* memory held, for accounting */

#endif
