/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xmpp/datetime.h"

/* `digits` digits at *at, within bounds, and moves on. */
static bool number(struct str s, size_t *at, size_t digits, int64_t min, int64_t max, int64_t *out)
{
	*out = 0;
	for (size_t end = *at + digits; *at < end; ++*at) {
		if (*at >= s.n || s.p[*at] < '0' || s.p[*at] > '9')
			return false;
		*out = 10 * *out + (s.p[*at] - '0');
	}
	return *out >= min && *out <= max;
}

static bool sign(struct str s, size_t *at, char c)
{
	return *at < s.n && s.p[*at] == c && ++*at;
}

static bool leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && leap(year));
}

/* Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the last one. */
static int64_t day_number(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* Micros of what may stand behind the seconds. */
static bool fraction(struct str s, size_t *at, int64_t *out)
{
	int64_t unit = 100000;

	*out = 0;
	if (!sign(s, at, '.'))
		return true;
	if (*at >= s.n || s.p[*at] < '0' || s.p[*at] > '9')
		return false;
	for (; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at, unit /= 10)
		*out += unit * (s.p[*at] - '0');
	return true;
}

static bool zone(struct str s, size_t *at, int64_t *out_minutes)
{
	int64_t direction, hours, minutes;

	*out_minutes = 0;
	if (sign(s, at, 'Z'))
		return true;
	direction = sign(s, at, '+') ? 1 : sign(s, at, '-') ? -1 : 0;
	if (!direction || !number(s, at, 2, 0, 23, &hours) || !sign(s, at, ':') || !number(s, at, 2, 0, 59, &minutes))
		return false;
	*out_minutes = direction * (60 * hours + minutes);
	return true;
}

bool datetime_parse(struct str s, int64_t *out_us)
{
	int64_t year, month, day, hour, minute, second, micros, offset;
	size_t at = 0;

	if (!number(s, &at, 4, 1, 9999, &year) || !sign(s, &at, '-') || !number(s, &at, 2, 1, 12, &month) || !sign(s, &at, '-') ||
	    !number(s, &at, 2, 1, month_days(year, month), &day) || !sign(s, &at, 'T'))
		return false;
	if (!number(s, &at, 2, 0, 23, &hour) || !sign(s, &at, ':') || !number(s, &at, 2, 0, 59, &minute) || !sign(s, &at, ':') ||
	    !number(s, &at, 2, 0, 59, &second) || !fraction(s, &at, &micros) || !zone(s, &at, &offset) || at != s.n)
		return false;
	*out_us = ((day_number(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second;
	*out_us = *out_us * 1000000 + micros;
	return true;
}
