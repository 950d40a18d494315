#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files.h"

#define STDIN_NAME "-"

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_text(const struct bundle *b, bool color, struct buf *out)
{
	size_t errors = diags_errors(&b->diags), warnings = diags_warnings(&b->diags);
	diags_print_text(&b->diags, color, out);
	if (b->n_files == 0)
		buf_adds(out, "no manifests found\n");
	else if (b->n == 0 && errors == 0 && warnings == 0)
		buf_addf(out, "no manifests found in %zu file%s\n", b->n_files, plural(b->n_files));
	else if (errors == 0 && warnings == 0)
		buf_addf(out, "%zu manifest%s in %zu file%s: all valid\n", b->n, plural(b->n),
		    b->n_files, plural(b->n_files));
	else
		buf_addf(out, "%zu error%s, %zu warning%s in %zu file%s; %zu manifest%s valid\n",
		    errors, plural(errors), warnings, plural(warnings), b->n_files,
		    plural(b->n_files), b->n, plural(b->n));
}

static void print_json(const struct bundle *b, struct buf *out)
{
	struct jsn *o = jsn_new_object();
	jsn_put_int(o, "files", (int64_t)b->n_files);
	jsn_put_int(o, "manifests", (int64_t)b->n);
	jsn_put_int(o, "errors", (int64_t)diags_errors(&b->diags));
	jsn_put_int(o, "warnings", (int64_t)diags_warnings(&b->diags));
	jsn_put(o, "findings", diags_to_jsn(&b->diags));
	_cleanup_str_ char *text = jsn_print(o, true);
	buf_adds(out, text);
	jsn_free(&o);
}

/* One byte more than is allowed shows that there is too much. */
static int read_stdin(struct buf *out, struct err **err)
{
	char chunk[16384];
	while (out->len <= FILES_BYTES_MAX) {
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(
			    err, ERR_IO, "cannot read standard input: %s", strerror(errno));
		if (n == 0)
			break;
		buf_add(out, chunk, (size_t)n);
	}
	return 0;
}

/* What the arguments name; the contents stay with `files` and `input`. */
static int gather(const struct cli *c, struct files *files, struct buf *input,
    struct bundle_file **ret, size_t *ret_n, struct err **err)
{
	char **paths = mem_calloc(c->n_args, sizeof(*paths));
	size_t n = 0;
	for (size_t i = 0; i < c->n_args; i++)
		if (strcmp(c->args[i], STDIN_NAME) != 0)
			paths[n++] = c->args[i];
	int rc = files_load(paths, n, files, err);
	bool with_stdin = n < c->n_args;
	free(paths);
	if (rc != 0 || (with_stdin && read_stdin(input, err) != 0))
		return -1;
	struct bundle_file *v = mem_calloc(files->n + 1, sizeof(*v));
	for (size_t i = 0; i < files->n; i++)
		v[i] = files->v[i];
	if (with_stdin)
		v[files->n] = (struct bundle_file){
		    .path = STDIN_NAME, .data = buf_str(input), .len = input->len};
	*ret = v;
	*ret_n = files->n + with_stdin;
	return 0;
}

/* Whoever names a file gets it checked; the controller would pass it by. */
static void tell_names(const struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->v[i].passed_over && !text_ends(f->v[i].path, ".yaml") &&
		    !text_ends(f->v[i].path, ".yml"))
			fprintf(stderr,
			    "ramet: note: %s was checked because it is named; of the watched "
			    "folder only *.yaml and *.yml are read\n",
			    f->v[i].path);
}

int cmd_validate(const struct cli *c)
{
	_cleanup_files_ struct files files = {0};
	_cleanup_buf_ struct buf input = {0}, out = {0};
	_cleanup_err_ struct err *err = NULL;
	struct bundle_file *v = NULL;
	struct bundle *b = NULL;
	size_t n = 0;
	if (gather(c, &files, &input, &v, &n, &err) != 0)
		return cli_fail(c, err);
	int rc = bundle_build("", v, n, NULL, &b, &err);
	free(v);
	if (rc != 0)
		return cli_fail(c, err);
	tell_names(&files);
	if (cli_form_is(c, "json"))
		print_json(b, &out);
	else
		print_text(b, c->color, &out);
	rc = diags_errors(&b->diags) ? CLI_ERROR : CLI_OK;
	bundle_unref(&b);
	return cli_put(buf_str(&out)) ? rc : CLI_ERROR;
}
