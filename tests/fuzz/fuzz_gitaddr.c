/* Any address of a repository and any list of exceptions from a proxy; and what an HTTP server
 * says: nothing that a program could take for an option, and only printable words. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitaddr.h"
#include "githttpwords.h"
#include "gitproxy.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const char *url)
{
	_cleanup_gitaddr_ struct gitaddr a = {0};

	if (gitaddr_parse(url, &a))
		return;
	if (a.host[0] == '-' || (a.user && a.user[0] == '-') || strpbrk(a.host, " '\"\n;") ||
	    a.path[0] != '/' || a.port < 0 || a.port > 65535)
		abort();
	(void)gitaddr_is_loopback(&a);
}

static void check_words(const char *said)
{
	struct githttpwords w = {
	    .base = "https://h/x", .origin = "https://h", .section = "git", .proxy = ""};

	for (long status = 200; status < 600; status += 43) {
		struct err *err = NULL;
		githttpwords_status(&w, status, said, &err);
		if (!err || !text_is_printable(err->msg, strlen(err->msg)))
			abort();
		err_free(&err);
		githttpwords_transfer(&w,
		    (enum githttpwords_failure)(status % GITHTTPWORDS_FAILURE__MAX), said, &err);
		if (!err || !text_is_printable(err->msg, strlen(err->msg)))
			abort();
		err_free(&err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	char *no_proxy = mem_printf("no_proxy=%s", text);
	char proxy[] = "https_proxy=p:1";
	char *const env[] = {no_proxy, proxy, NULL};

	check_address(text);
	check_words(text);
	free(gitproxy_choose("", text, env));
	char *chosen = gitproxy_choose("", "https://git.example.org:8443/x.git", env);
	if (*chosen && strcmp(chosen, "http://p:1") != 0)
		abort();
	free(chosen);
	free(no_proxy);
	free(text);
	return 0;
}
