/* SPDX-License-Identifier: Apache-2.0
 *
 * time: XEP-0202 2.0. UTC and the machine's offset from it. */
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "services/session-manager/features/features.h"

static void answer(struct iq *iq)
{
	struct buf out = { 0 };
	int64_t now_us = clock_wall_us();
	time_t seconds = (time_t)(now_us / 1000000);
	struct tm local;
	char utc[32];
	long offset;

	localtime_r(&seconds, &local);
	offset = local.tm_gmtoff / 60;
	clock_format_utc(now_us - now_us % 1000000, utc);
	buf_printf(&out, "<time xmlns='urn:xmpp:time'><tzo>%c%02ld:%02ld</tzo><utc>%s</utc></time>", offset < 0 ? '-' : '+',
	           labs(offset) / 60, labs(offset) % 60, utc);
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static const struct iq_row rows[] = {
	{ "urn:xmpp:time", "time", IQ_HOST, IQ_GET, answer, false },
	{ 0 },
};

static const char *const vars[] = { "urn:xmpp:time", NULL };

const struct iq_feature time_feature = { "time", rows, vars, NULL };
