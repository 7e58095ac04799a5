/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_escape: text into XML. CR is written as a character reference, since a reader would make a line feed of it (XML 1.0 section 2.11); control
 * characters that XML has no way to write become U+FFFD. Input is UTF-8; malformed bytes are the caller's fault and pass through. */
#include "common/xml/xml_escape.h"

#include "common/xml/xml.h"

/* What replaces a byte; an empty entry: nothing does. */
struct escapes {
	struct {
		uint8_t n;
		char text[7];
	} of[128];
};

#define ESC(lit)                                                                                                                           \
	{                                                                                                                                  \
		sizeof(lit) - 1, lit                                                                                                       \
	}
#define NO_CONTROLS [0x00 ... 0x08] = ESC("\xEF\xBF\xBD"), [0x0B ... 0x0C] = ESC("\xEF\xBF\xBD"), [0x0E ... 0x1F] = ESC("\xEF\xBF\xBD")
#define ALWAYS      NO_CONTROLS, ['&'] = ESC("&amp;"), ['<'] = ESC("&lt;"), ['>'] = ESC("&gt;"), ['\r'] = ESC("&#xD;")

static const struct escapes in_text = { .of = { ALWAYS } };
static const struct escapes anywhere = { .of = { ALWAYS, ['\''] = ESC("&apos;"), ['"'] = ESC("&quot;") } };
static const struct escapes in_attr = {
	.of = { ALWAYS, ['\''] = ESC("&apos;"), ['"'] = ESC("&quot;"), ['\t'] = ESC("&#x9;"), ['\n'] = ESC("&#xA;") }
};

static bool escape(struct buf *out, struct str text, const struct escapes *by)
{
	size_t from = 0;
	bool ok = true;

	if (text.n == 0)
		return true;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = (uint8_t)text.p[i];

		if (c >= 0x80 || by->of[c].n == 0)
			continue;
		ok = buf_append(out, text.p + from, i - from) && buf_append(out, by->of[c].text, by->of[c].n) && ok;
		from = i + 1;
	}
	return buf_append(out, text.p + from, text.n - from) && ok;
}

void xml_escape(struct buf *out, struct str text)
{
	escape(out, text, &anywhere);
}

void xml_escape_attr(struct buf *out, struct str text)
{
	escape(out, text, &in_attr);
}

bool xml_escape_text(struct buf *out, struct str text)
{
	return escape(out, text, &in_text);
}

void xml_attr(struct buf *out, const char *name, struct str value)
{
	buf_append_char(out, ' ');
	buf_append_cstr(out, name);
	buf_append(out, "='", 2);
	escape(out, value, &in_attr);
	buf_append_char(out, '\'');
}
