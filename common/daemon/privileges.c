/* SPDX-License-Identifier: Apache-2.0
 *
 * privileges: see privileges.h. */
#include "common/daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void privileges_limits(void)
{
	struct rlimit files, none = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &none);
}

static int become(const char *user, struct err *e)
{
	errno = 0;
	const struct passwd *pw = getpwnam(user);

	if (!pw)
		return err_set(e, "user '%s': %s", user, errno ? strerror(errno) : "no such user");
	if (initgroups(user, pw->pw_gid) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return err_set(e, "cannot become user '%s': %s", user, strerror(errno));
	if (pw->pw_uid != 0 && setuid(0) == 0)
		return err_set(e, "still root after becoming user '%s'", user);
	return 0;
}

int privileges_drop(const char *user, struct err *e)
{
	if (*user && geteuid() == 0 && become(user, e) < 0)
		return -1;
#ifdef __SANITIZE_ADDRESS__
	/* Changing the user took away the right to be looked at, which the leak check at exit needs. */
	prctl(PR_SET_DUMPABLE, 1);
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	return 0;
}
