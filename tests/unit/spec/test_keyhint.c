/* What the hint says to those who wrote another key than there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keyhint.h"

static const struct {
	const char *block, *key, *hint;
} rows[] = {
    /* a letter is wrong */
    {"cpu", "croes", "did you mean cores?"},
    {"", "disks", "did you mean disk?"},
    /* a part of the name */
    {"network.*", "mac", "did you mean mac_address?"},
    {"clone", "pool", "did you mean pool_id?"},
    {"", "hook_script", "did you mean hook_script_file_id?"},
    /* PVE's own name, of this block and of another one */
    {"", "scsihw", "PVE's scsihw is scsi_hardware here"},
    {"", "onboot", "PVE's onboot is on_boot here"},
    {"network.*", "macaddr", "PVE's macaddr is mac_address here"},
    {"network.*", "rate", "PVE's rate is rate_limit here"},
    {"disk.*", "size", "PVE's size is size_gb here"},
    {"memory", "memory", "PVE's memory is size here"},
    {"", "ostype", "PVE's ostype is operating_system.type here"},
    {"", "ciuser", "PVE's ciuser is initialization.user_account.username here"},
    {"initialization", "sshkeys", "PVE's sshkeys is initialization.user_account.keys here"},
    {"", "lock", "leave it out: to PVE it is no setting (held by PVE's own operations)"},
    /* the word of another tool */
    {"network.*", "vlan", "did you mean tag?"},
    {"disk.*", "storage", "did you mean datastore_id?"},
    {"clone", "storage", "did you mean target_datastore?"},
    {"", "ram", "there is memory.size: move it there"},
    {"", "vmid", "did you mean id?"},
    {"initialization.user_account", "password", "did you mean password_file?"},
    /* another block */
    {"", "cores", "there is cpu.cores: move it there"},
    {"", "pool_id", "there is clone.pool_id: move it there"},
    {"cpu", "tag", "there is network.net0.tag: move it there"},
    {"disk.*", "units", "there is cpu.units: move it there"},
    {"", "net0", "slots such as net0 belong below network"},
    {"disk.*", "net0", "slots such as net0 belong below network"},
    {"initialization", "ipconfig0",
	"slots such as ipconfig0 belong below initialization.ip_config"},
    /* blanks, colons, dots */
    {"cpu", "cores:2", "put a blank behind the colon: cores: 2"},
    {"cpu", "cores 2", "put a colon behind it: cores: 2"},
    {"", "cpu:\xc2\xa0{ cores",
	"it has the character U+00A0, which looks like a blank and is none: "
	"write an ordinary blank"},
    {"", "cpu.cores", "write it as blocks: cpu: { cores: 4 }"},
    {"", "network.net3.tag", "write it as blocks: network: { net3: { tag: 100 } }"},
    {"rng", "", "possible: source, max_bytes, period"},
    /* nothing fits */
    {"initialization.dns", "zzzzzz", "possible: domain, servers"},
    {"delete", "cpu",
	"possible: network, disk; what else is to be absent is set to null in its own place"},
};

static void hints_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_str_ char *hint = keyhint_of(rows[i].block, rows[i].key);
		if (strcmp(hint, rows[i].hint) != 0)
			print_error("%s.%s\n", rows[i].block, rows[i].key);
		assert_string_equal(hint, rows[i].hint);
	}
}

/* Where several blocks have it, it is not said which is meant, and the line stays short. */
static void several_places(void **state)
{
	(void)state;
	_cleanup_str_ char *hint = keyhint_of("", "type");
	assert_ptr_equal(strstr(hint, "move it to where it belongs: "), hint);
	assert_non_null(strstr(hint, "cpu.type"));
	assert_true(strlen(hint) < 150);
}

static void around_spec(void **state)
{
	static const char *const known[] = {"apiVersion", "kind", "metadata", "spec"};
	(void)state;
	_cleanup_str_ char *near = keyhint_of_frame("specs", known, ARRAY_LEN(known));
	_cleanup_str_ char *below = keyhint_of_frame("cpu", known, ARRAY_LEN(known));
	_cleanup_str_ char *none = keyhint_of_frame("foo", known, ARRAY_LEN(known));
	assert_string_equal(near, "did you mean spec?");
	assert_string_equal(below, "it belongs below spec: indent it there");
	assert_string_equal(none, "possible: apiVersion, kind, metadata, spec");
}

/* A word leads to an attribute that there is, and is none itself where it is said. */
static void words_are_of_the_table(void **state)
{
	(void)state;
	const struct keyhint_word *w;
	size_t n = keyhint_words(&w);
	for (size_t i = 0; i < n; i++) {
		const char *dot = strrchr(w[i].path, '.');
		_cleanup_str_ char *block =
		    mem_strndup(w[i].path, dot ? (size_t)(dot - w[i].path) : 0);
		assert_non_null(schema_find(block, dot ? dot + 1 : w[i].path));
		assert_null(schema_find(block, w[i].word));
	}
}

static void examples_of_blocks(void **state)
{
	static const struct {
		const char *block, *text;
		bool slot;
	} want[] = {
	    {"memory", "{ size: 8192 }", false},
	    {"network.*", "{ bridge: vmbr0 }", false},
	    {"network.*", "{ net0: { bridge: vmbr0 } }", true},
	    {"delete", "{ network: [net1, net2] }", false},
	    {"initialization.ip_config.*", "{ ipconfig0: { ipv4: { address: 192.168.1.5/24 } } }",
		true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const struct attr_block *b = schema_block(want[i].block);
		_cleanup_str_ char *text =
		    want[i].slot ? keyhint_example_slot(b) : keyhint_example(b);
		assert_string_equal(text, want[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hints_fit),
	    cmocka_unit_test(several_places),
	    cmocka_unit_test(around_spec),
	    cmocka_unit_test(words_are_of_the_table),
	    cmocka_unit_test(examples_of_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
