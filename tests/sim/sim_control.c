#include "sim_control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sim_http.h"

#define LINE_MAX_BYTES 4096
#define WORDS_MAX 64

#define PAD "                           "
const char control_help[] =
    PAD "power|link|quorum|daemon|proxy|statd|blackhole NODE|all on|off\n" PAD
	"freeze|thaw NODE pvedaemon|pveproxy, delnode NODE\n" PAD
	"storage NAME on|off, maintenance NODE on|off\n" PAD
	"migrate VMID NODE, delete VMID, guest|ha|cling VMID on|off,\n" PAD
	"lock VMID WORD, unlock VMID,\n" PAD
	"edit VMID KEY=VALUE -KEY, create VMID NODE KEY=VALUE,\n" PAD
	"restore VMID KEY=VALUE, at TIME LINE,\n" PAD "fault SPEC, heal, requests";

static int node_store(struct sim *s, const char *name, bool on, struct err **err)
{
	return sim_store_online(s, name, on, err);
}

static const struct {
	const char *word;
	int (*fn)(struct sim *s, const char *name, bool on, struct err **err);
} switches[] = {{"power", sim_node_power}, {"link", sim_node_link}, {"quorum", sim_node_quorum},
    {"daemon", sim_node_daemon}, {"proxy", sim_node_proxy}, {"statd", sim_node_statd},
    {"blackhole", sim_node_blackhole}, {"storage", node_store},
    {"maintenance", sim_node_maintenance}};

static int bad(struct err **err)
{
	return err_set(err, ERR_USAGE, "not a command, or words are missing");
}

static int on_off(const char *word, bool *ret)
{
	*ret = !strcmp(word, "on");
	return *ret || !strcmp(word, "off") ? 0 : -1;
}

static int do_guest(struct sim *s, const struct strs *w, struct err **err)
{
	const char *what = w->v[0], *arg = w->n > 2 ? w->v[2] : NULL;
	int64_t vmid;
	bool on;

	if (text_to_int(w->v[1], 1, 999999999, &vmid) < 0)
		return bad(err);
	if (!strcmp(what, "delete") && !arg)
		return sim_human_delete(s, vmid, "root@pam", err);
	if (!strcmp(what, "unlock") && !arg)
		return sim_human_lock(s, vmid, NULL, err);
	if (!strcmp(what, "lock") && arg)
		return sim_human_lock(s, vmid, arg, err);
	if (!strcmp(what, "migrate") && arg)
		return sim_human_migrate(s, vmid, arg, err);
	if (!strcmp(what, "guest") && arg && !on_off(arg, &on))
		return sim_human_power(s, vmid, on, err);
	if (!strcmp(what, "cling") && arg && !on_off(arg, &on))
		return sim_human_cling(s, vmid, on, err);
	if (!strcmp(what, "ha") && arg && !on_off(arg, &on))
		return sim_human_ha(s, vmid, on, err);
	return bad(err);
}

static int do_words(struct sim *s, const struct strs *w, struct err **err)
{
	const char *name;
	bool on;

	if (w->n == 2 && !strcmp(w->v[0], "fault"))
		return sim_fault_add_text(s, w->v[1], err);
	if (w->n == 2 && !strcmp(w->v[0], "delnode"))
		return sim_node_leave(s, w->v[1], err);
	if (w->n == 1 && !strcmp(w->v[0], "heal")) {
		sim_fault_clear(s);
		return 0;
	}
	if (!strcmp(w->v[0], "edit"))
		return script_edit(s, w, err);
	if (!strcmp(w->v[0], "create"))
		return script_create(s, w, err);
	if (!strcmp(w->v[0], "restore"))
		return script_restore(s, w, err);
	if (w->n < 2 || w->n > 3)
		return bad(err);
	name = !strcmp(w->v[1], "all") ? NULL : w->v[1];
	for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
		if (strcmp(switches[i].word, w->v[0]) != 0)
			continue;
		if (w->n < 3 || on_off(w->v[2], &on) < 0 || (!name && switches[i].fn == node_store))
			return bad(err);
		return switches[i].fn(s, name, on, err);
	}
	if (w->n == 3 && name && (!strcmp(w->v[0], "freeze") || !strcmp(w->v[0], "thaw")))
		return sim_node_freeze(s, name, w->v[2], *w->v[0] == 'f', err);
	return do_guest(s, w, err);
}

char *control_do(struct sim *s, const char *line)
{
	_cleanup_strs_ struct strs w = {0};
	struct err *e = NULL;
	char *answer;

	if (text_split(line, " ", true, WORDS_MAX, &w) < 0 || !w.n)
		return mem_strdup("error: a line has at most 64 words, and one at least\n");
	if (w.n == 1 && !strcmp(w.v[0], "requests"))
		return mem_printf("ok %zu\n", sim_requests(s));
	if ((!strcmp(w.v[0], "at") ? script_later(s, line, &e) : do_words(s, &w, &e)) == 0)
		return mem_strdup("ok\n");
	answer = mem_printf("error: %s\n", err_msg(e));
	err_free(&e);
	return answer;
}

/* --- the socket --- */

struct sim_control {
	struct sim *sim;
	struct sim_http *http;
	struct event_base *base;
	struct evconnlistener *listener;
	char *path;
};

static void on_line(struct bufferevent *bev, void *arg)
{
	struct sim_control *c = arg;
	char *line;

	while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_CRLF))) {
		_cleanup_str_ char *answer = NULL;

		sim_http_sync(c->http);
		answer = control_do(c->sim, line);
		sim_http_sync(c->http);
		bufferevent_write(bev, answer, strlen(answer));
		free(line);
	}
	if (evbuffer_get_length(bufferevent_get_input(bev)) > LINE_MAX_BYTES)
		bufferevent_free(bev);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)arg;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(bev);
}

static void on_accept(
    struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len, void *arg)
{
	struct sim_control *c = arg;
	struct bufferevent *bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)a;
	(void)len;
	bufferevent_setcb(bev, on_line, NULL, on_event, c);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

int control_start(struct sim *sim, struct sim_http *http, const char *path,
    struct sim_control **ret, struct err **err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct event_base *base = sim_http_base(http);
	struct sim_control *c;
	struct evconnlistener *l;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, ERR_USAGE, "%s: too long for a socket", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	c = mem_alloc(sizeof(*c));
	umask(077);
	l = evconnlistener_new_bind(base, on_accept, c,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 8, (struct sockaddr *)&a, sizeof(a));
	if (!l) {
		free(c);
		return err_set(err, ERR_USAGE, "%s: %s", path, strerror(errno));
	}
	*c = (struct sim_control){sim, http, base, l, mem_strdup(path)};
	*ret = c;
	return 0;
}

void control_free(struct sim_control **c)
{
	if (!*c)
		return;
	evconnlistener_free((*c)->listener);
	unlink((*c)->path);
	free((*c)->path);
	free(*c);
	*c = NULL;
}
