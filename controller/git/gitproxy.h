/*
 * gitproxy: which proxy a Git server is asked through.
 *
 * Not a connection and no look into the environment of the process: its variables are handed in.
 *
 * Results are the caller's.
 *
 * The controller process. Pure.
 */
#ifndef RAMET_GITPROXY_H
#define RAMET_GITPROXY_H

#include "mem.h"

/* What a setting says when no proxy is to be used, whatever the environment says. */
#define GITPROXY_NONE "none"

/* "http://host:port" or "https://…", "" = none. setting: a proxy, GITPROXY_NONE, or "" for what the
 * variables of env ("NAME=value", NULL at the end; may be NULL) say: https_proxy, http_proxy,
 * all_proxy and no_proxy, in small letters or (but http_proxy) in capitals. This machine is always
 * reached directly. */
char *gitproxy_choose(const char *setting, const char *url, char *const *env);

#endif
