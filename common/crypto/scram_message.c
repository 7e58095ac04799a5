/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/scram_message.h"

#include <unistr.h>

#include "common/crypto/base64.h"

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* UTF-8 without NUL, and not too long: value-char of the ABNF is everything else. */
static bool acceptable(struct str m)
{
	return m.n > 0 && m.n <= SCRAM_MESSAGE_MAX && !memchr(m.p, '\0', m.n) && !u8_check((const uint8_t *)m.p, m.n);
}

/* A message is a row of fields between commas; `more` says that another one follows, be it empty. */
struct fields {
	struct str rest;
	bool more;
};

static struct fields fields_of(struct str message)
{
	return (struct fields){ message, true };
}

static struct str take_field(struct fields *f)
{
	const char *comma = f->rest.n ? memchr(f->rest.p, ',', f->rest.n) : NULL;
	struct str field = { f->rest.p, comma ? (size_t)(comma - f->rest.p) : f->rest.n };
	size_t used = field.n + (comma ? 1 : 0);

	if (!f->more)
		return (struct str){ NULL, 0 };
	f->more = comma != NULL;
	f->rest = (struct str){ f->rest.p + used, f->rest.n - used };
	return field;
}

/* "<key>=<value>" with a value of one character at least. */
static bool take_attr(struct fields *f, char key, struct str *out)
{
	struct str field = take_field(f);

	if (field.n < 3 || field.p[0] != key || field.p[1] != '=')
		return false;
	*out = (struct str){ field.p + 2, field.n - 2 };
	return true;
}

/* Extensions may be ignored but must be well-formed. A mandatory one (m=) is understood by nobody yet and fails (RFC 5802 section 5.1). */
static bool is_extension(struct str field)
{
	return field.n >= 3 && is_alpha(field.p[0]) && field.p[1] == '=' && field.p[0] != 'm';
}

static bool only_extensions(struct fields *f)
{
	while (f->more) {
		if (!is_extension(take_field(f)))
			return false;
	}
	return true;
}

static bool is_saslname(struct str s)
{
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '=')
			continue;
		if (s.n - i < 3 || (memcmp(s.p + i, "=2C", 3) != 0 && memcmp(s.p + i, "=3D", 3) != 0))
			return false;
	}
	return true;
}

static bool is_nonce(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	}
	return true;
}

static bool parse_cbind_flag(struct str flag, struct scram_client_first *out)
{
	if (str_is(flag, "n")) {
		out->cbind = SCRAM_CBIND_NONE;
		return true;
	}
	if (str_is(flag, "y")) {
		out->cbind = SCRAM_CBIND_UNOFFERED;
		return true;
	}
	if (flag.n < 3 || flag.p[0] != 'p' || flag.p[1] != '=')
		return false;
	out->cbind = SCRAM_CBIND_USED;
	out->cbind_type = (struct str){ flag.p + 2, flag.n - 2 };
	for (size_t i = 0; i < out->cbind_type.n; i++) {
		char c = out->cbind_type.p[i];

		if (!is_alpha(c) && !is_digit(c) && c != '.' && c != '-')
			return false;
	}
	return true;
}

static bool parse_gs2_header(struct fields *f, struct scram_client_first *out)
{
	const char *start = f->rest.p;
	struct str field = { NULL, 0 };

	if (!parse_cbind_flag(take_field(f), out) || !f->more)
		return false;
	field = take_field(f);
	if (field.n > 0) {
		if (field.n < 3 || field.p[0] != 'a' || field.p[1] != '=')
			return false;
		out->authzid = (struct str){ field.p + 2, field.n - 2 };
		if (!is_saslname(out->authzid))
			return false;
	}
	out->gs2_header = (struct str){ start, (size_t)(f->rest.p - start) };
	return f->more;
}

bool scram_parse_client_first(struct str message, struct scram_client_first *out)
{
	struct fields f = fields_of(message);

	*out = (struct scram_client_first){ 0 };
	if (!acceptable(message) || !parse_gs2_header(&f, out))
		return false;
	out->bare = f.rest;
	return take_attr(&f, 'n', &out->username) && is_saslname(out->username) && take_attr(&f, 'r', &out->nonce) &&
	       is_nonce(out->nonce, SCRAM_NONCE_MAX / 2) && only_extensions(&f);
}

/* out holds max bytes. */
static bool parse_base64(struct str text, size_t max, uint8_t *out, size_t *out_n)
{
	uint8_t bytes[SCRAM_SALT_MAX + DIGEST_MAX];
	size_t n;

	if (base64_decoded_max(text.n) > sizeof(bytes) || !base64_decode(text, bytes, &n) || n == 0 || n > max)
		return false;
	memcpy(out, bytes, n);
	*out_n = n;
	return true;
}

/* The proof is the last field; extensions before it are signed with the rest. */
bool scram_parse_client_final(struct str message, struct scram_client_final *out)
{
	struct fields f = fields_of(message);
	struct str field = { NULL, 0 };

	*out = (struct scram_client_final){ 0 };
	if (!acceptable(message) || !take_attr(&f, 'c', &out->cbind) || !take_attr(&f, 'r', &out->nonce) ||
	    !is_nonce(out->nonce, SCRAM_NONCE_MAX))
		return false;
	while (f.more) {
		field = take_field(&f);
		if (f.more ? !is_extension(field) || field.p[0] == 'p' : field.n < 3 || memcmp(field.p, "p=", 2) != 0)
			return false;
		out->without_proof = (struct str){ message.p, (size_t)(field.p - message.p) - 1 };
	}
	return out->without_proof.n > 0 && parse_base64((struct str){ field.p + 2, field.n - 2 }, DIGEST_MAX, out->proof, &out->proof_n);
}

/* posit-number: no leading zero. */
static bool parse_iterations(struct str s, uint32_t *out)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 8 || s.p[0] == '0')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*out = v;
	return v <= SCRAM_ITERATIONS_MAX;
}

bool scram_parse_server_first(struct str message, struct scram_server_first *out)
{
	struct fields f = fields_of(message);
	struct str salt, iterations;

	*out = (struct scram_server_first){ 0 };
	return acceptable(message) && take_attr(&f, 'r', &out->nonce) && is_nonce(out->nonce, SCRAM_NONCE_MAX) &&
	       take_attr(&f, 's', &salt) && take_attr(&f, 'i', &iterations) && only_extensions(&f) &&
	       parse_base64(salt, SCRAM_SALT_MAX, out->salt, &out->salt_n) && parse_iterations(iterations, &out->iterations);
}

bool scram_parse_server_final(struct str message, struct scram_server_final *out)
{
	struct fields f = fields_of(message);
	struct str signature;

	*out = (struct scram_server_final){ 0 };
	if (!acceptable(message))
		return false;
	if (message.p[0] == 'e')
		return take_attr(&f, 'e', &out->error) && only_extensions(&f);
	return take_attr(&f, 'v', &signature) && only_extensions(&f) &&
	       parse_base64(signature, DIGEST_MAX, out->signature, &out->signature_n);
}

bool scram_write_server_first(struct buf *out, struct str client_nonce, struct str server_nonce, struct str salt, uint32_t iterations)
{
	return buf_append_cstr(out, "r=") && buf_append_str(out, client_nonce) && buf_append_str(out, server_nonce) &&
	       buf_append_cstr(out, ",s=") && base64_append(out, salt) && buf_printf(out, ",i=%u", iterations);
}

bool scram_unescape(struct str in, char *out, size_t *out_n)
{
	size_t o = 0;

	if (in.n > 0 && !is_saslname(in))
		return false;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '=') {
			out[o++] = in.p[i];
			continue;
		}
		out[o++] = in.p[i + 1] == '2' ? ',' : '=';
		i += 2;
	}
	*out_n = o;
	return true;
}

bool scram_escape(struct buf *out, struct str in)
{
	bool fits = true;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == ',')
			fits = buf_append_cstr(out, "=2C") && fits;
		else if (in.p[i] == '=')
			fits = buf_append_cstr(out, "=3D") && fits;
		else
			fits = buf_append_char(out, in.p[i]) && fits;
	}
	return fits;
}
