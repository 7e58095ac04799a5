/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/websocket.h"

#define FIN  0x80u
#define RSV  0x70u
#define MASK 0x80u

void websocket_init(struct websocket *w, enum websocket_opcode type, uint64_t message_max)
{
	*w = (struct websocket){ .type = (uint8_t)type, .message_max = message_max };
}

/* Section 5.3. The key is repeated to eight bytes, so that a word is done at a time wherever the bytes lie. */
uint8_t websocket_mask(char *p, size_t n, const uint8_t mask[4], uint8_t phase)
{
	uint8_t key[8];
	uint64_t wide;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(key); k++)
		key[k] = mask[(phase + k) & 3];
	memcpy(&wide, key, sizeof(wide));
	for (; n - i >= sizeof(wide); i += sizeof(wide)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		word ^= wide;
		memcpy(p + i, &word, sizeof(word));
	}
	for (; i < n; i++)
		p[i] = (char)((uint8_t)p[i] ^ key[i & 7]);
	return (uint8_t)((phase + n) & 3);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

static enum websocket_event bad(struct websocket *w, struct websocket_read *out, uint16_t code, const char *text)
{
	w->over = true;
	*out = (struct websocket_read){ .code = code, .text = text };
	return WEBSOCKET_EV_BAD;
}

static uint8_t opcode_of(const struct websocket *w)
{
	return w->head[0] & 0x0f;
}

static bool is_control(const struct websocket *w)
{
	return opcode_of(w) & 8;
}

/* Bytes of the header, by what of it is there. */
static uint8_t header_size(const struct websocket *w)
{
	uint8_t n = w->head_n < 2 ? 0 : w->head[1] & 0x7f;

	return w->head_n < 2 ? 2 : n == 126 ? 8 : n == 127 ? 14 : 6;
}

/* What the first two bytes say wrong; NULL: nothing. */
static const char *wrong_start(const struct websocket *w)
{
	uint8_t n = w->head[1] & 0x7f;

	if (w->head[0] & RSV)
		return "a reserved bit is set";
	if (!(w->head[1] & MASK))
		return "the frame is not masked";
	switch (opcode_of(w)) {
	case WEBSOCKET_CONTINUATION:
		return w->in_message ? NULL : "a continuation of nothing";
	case WEBSOCKET_TEXT:
	case WEBSOCKET_BINARY:
		return w->in_message ? "a message begins within another" : NULL;
	case WEBSOCKET_CLOSE:
	case WEBSOCKET_PING:
	case WEBSOCKET_PONG:
		if (!(w->head[0] & FIN))
			return "a control frame in pieces";
		return n > WEBSOCKET_CONTROL_MAX ? "a control frame is too long" : NULL;
	default:
		return "an unknown opcode";
	}
}

/* Section 5.2: big endian, in as few bytes as will do, and its first bit 0. False: it is not so. */
static bool read_length(struct websocket *w)
{
	uint8_t n = w->head[1] & 0x7f, bytes = n == 126 ? 2 : n == 127 ? 8 : 0;

	w->left = bytes ? 0 : n;
	for (uint8_t i = 0; i < bytes; i++)
		w->left = w->left << 8 | w->head[2 + i];
	if (bytes == 2)
		return w->left > 125;
	return bytes == 0 || (w->left > 0xffff && w->left >> 63 == 0);
}

/* The header is whole. */
static enum websocket_event begin_frame(struct websocket *w, struct websocket_read *out)
{
	if (!read_length(w))
		return bad(w, out, WEBSOCKET_PROTOCOL_ERROR, "a length is written longer than it need be");
	memcpy(w->mask, w->head + w->head_n - 4, 4);
	w->phase = 0;
	w->in_payload = true;
	if (is_control(w)) {
		w->control_n = 0;
		return WEBSOCKET_EV_NONE;
	}
	if (opcode_of(w) != WEBSOCKET_CONTINUATION) {
		if (opcode_of(w) != w->type)
			return bad(w, out, WEBSOCKET_WRONG_TYPE, "messages of this type are not taken");
		w->message = 0;
	}
	if (w->message_max && w->left > w->message_max - w->message)
		return bad(w, out, WEBSOCKET_TOO_BIG, "a message is too long");
	w->message += w->message_max ? w->left : 0;
	w->in_message = true;
	return WEBSOCKET_EV_NONE;
}

static enum websocket_event read_header(struct websocket *w, char **p, size_t *n, struct websocket_read *out)
{
	while (*n > 0 && w->head_n < header_size(w)) {
		const char *wrong;

		w->head[w->head_n++] = (uint8_t) * (*p)++;
		(*n)--;
		wrong = w->head_n == 2 ? wrong_start(w) : NULL;
		if (wrong)
			return bad(w, out, WEBSOCKET_PROTOCOL_ERROR, wrong);
	}
	if (w->head_n < header_size(w))
		return WEBSOCKET_EV_NONE;
	return begin_frame(w, out);
}

/* --- payload ------------------------------------------------------------------------------------------------------ */

static void end_frame(struct websocket *w)
{
	w->head_n = 0;
	w->in_payload = false;
}

/* Sections 5.5.1 and 7.4. 1012 to 1014 came later, by registration with IANA. */
static bool is_code(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum websocket_event end_close(struct websocket *w, struct websocket_read *out)
{
	uint16_t code = w->control_n >= 2 ? (uint16_t)(w->control[0] << 8 | w->control[1]) : WEBSOCKET_NO_CODE;

	if (w->control_n == 1 || (w->control_n >= 2 && !is_code(code)))
		return bad(w, out, WEBSOCKET_PROTOCOL_ERROR, "a close code that is none");
	if (w->control_n > 2 && !utf8_valid(str_make(w->control + 2, w->control_n - 2u)))
		return bad(w, out, WEBSOCKET_BAD_DATA, "a reason for closing that is not UTF-8");
	w->over = true;
	*out = (struct websocket_read){ .code = code };
	return WEBSOCKET_EV_CLOSE;
}

static enum websocket_event read_control(struct websocket *w, struct str piece, struct websocket_read *out)
{
	if (piece.n > 0)
		memcpy(w->control + w->control_n, piece.p, piece.n);
	w->control_n = (uint8_t)(w->control_n + piece.n);
	if (w->left > 0)
		return WEBSOCKET_EV_NONE;
	end_frame(w);
	if (opcode_of(w) == WEBSOCKET_CLOSE)
		return end_close(w, out);
	*out = (struct websocket_read){ .data = str_make(w->control, w->control_n) };
	return opcode_of(w) == WEBSOCKET_PING ? WEBSOCKET_EV_PING : WEBSOCKET_EV_PONG;
}

static enum websocket_event read_data(struct websocket *w, struct str piece, struct websocket_read *out)
{
	bool end = w->left == 0 && (w->head[0] & FIN);

	/* Section 8.1: a character may lie across pieces and frames, but not across messages. */
	if (w->type == WEBSOCKET_TEXT && (!utf8_valid_so_far(&w->utf8, piece) || (end && !utf8_between(&w->utf8))))
		return bad(w, out, WEBSOCKET_BAD_DATA, "text that is not UTF-8");
	*out = (struct websocket_read){ .data = piece, .end = end };
	if (w->left == 0)
		end_frame(w);
	w->in_message = !end;
	return WEBSOCKET_EV_DATA;
}

static enum websocket_event read_payload(struct websocket *w, char **p, size_t *n, struct websocket_read *out)
{
	struct str piece = str_make(*p, *n < w->left ? *n : (size_t)w->left);

	w->phase = websocket_mask(*p, piece.n, w->mask, w->phase);
	w->left -= piece.n;
	*p += piece.n;
	*n -= piece.n;
	return is_control(w) ? read_control(w, piece, out) : read_data(w, piece, out);
}

enum websocket_event websocket_next(struct websocket *w, char **p, size_t *n, struct websocket_read *out)
{
	enum websocket_event event = WEBSOCKET_EV_NONE;

	while (event == WEBSOCKET_EV_NONE && !w->over) {
		if (!w->in_payload)
			event = read_header(w, p, n, out);
		/* A frame without payload is over with its header. */
		if (event != WEBSOCKET_EV_NONE || !w->in_payload || (*n == 0 && w->left > 0))
			break;
		event = read_payload(w, p, n, out);
	}
	return event;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

void websocket_frame(struct buf *out, enum websocket_opcode opcode, struct str payload)
{
	uint8_t head[WEBSOCKET_HEADER_MAX] = { (uint8_t)(FIN | opcode) };
	uint8_t bytes = payload.n <= 125 ? 0 : payload.n <= 0xffff ? 2 : 8;

	head[1] = bytes == 0 ? (uint8_t)payload.n : bytes == 2 ? 126 : 127;
	for (uint8_t i = 0; i < bytes; i++)
		head[2 + i] = (uint8_t)((uint64_t)payload.n >> 8 * (bytes - 1 - i));
	/* Both or none: half a frame would be the end of the stream. */
	if (!buf_reserve(out, 2u + bytes + payload.n))
		return;
	buf_append(out, head, 2u + bytes);
	buf_append_str(out, payload);
}

void websocket_close_frame(struct buf *out, uint16_t code, const char *reason)
{
	char payload[WEBSOCKET_CONTROL_MAX] = { (char)(code >> 8), (char)code };
	size_t n = strlen(reason);

	if (code == WEBSOCKET_NO_CODE) {
		websocket_frame(out, WEBSOCKET_CLOSE, (struct str){ 0 });
		return;
	}
	if (n > sizeof(payload) - 2)
		n = sizeof(payload) - 2;
	/* Not in the middle of a character. */
	while (n > 0 && ((uint8_t)reason[n] & 0xc0) == 0x80)
		n--;
	memcpy(payload + 2, reason, n);
	websocket_frame(out, WEBSOCKET_CLOSE, str_make(payload, n + 2));
}
